"""What a test found out, for those who run it with `-s` or `-rP`."""

import sys


def say(text: str) -> None:
    """A line of output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
