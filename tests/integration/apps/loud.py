"""`python -m tests.integration.apps.loud ...`: the `perdure` command with all log records shown."""

from __future__ import annotations

import logging

from perdure.cli import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    main()
