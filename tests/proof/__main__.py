"""`python -m tests.proof`: run what shows the promises, and print the table (`make prove`)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.proof.promises import METHODS

TESTS = Path(__file__).parents[1]


def main() -> int:
    """Run it; returns pytest's exit code."""
    paths = [str(TESTS / path) for method in METHODS for path in method.paths]
    return pytest.main([*paths, "--prove", "-q", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
