"""`python -m benchmarks.load [NAME...]`: the load tests in their full sizes, with figures."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from tests.integration import load

CASES: Final[dict[str, Callable[[Path], Coroutine[Any, Any, None]]]] = {
    "timers": lambda folder: load.timers_at_one_instant(folder, 10_000, 60.0),
    "waiting": lambda folder: load.waiting_executions(folder, 100_000, restart_within_s=10.0),
    "duplicates": lambda folder: load.duplicate_starts(folder, 100),
    "journal": lambda folder: load.long_journal(folder, 50_000, 1_000, ratio=2.0),
    "consumer": lambda folder: load.slow_consumer(folder, 20_000),
}


def main() -> None:
    """Run those that are named, or all."""
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(CASES[name](Path(folder)))


if __name__ == "__main__":
    main()
