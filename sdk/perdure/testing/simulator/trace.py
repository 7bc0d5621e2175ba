"""The trace of a run: what happened, in order, as a digest and, if asked for, as readable lines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Trace:
    """Same trace, same run.

    Args:
        now_ms: virtual time.
        keep: whether to keep the lines.
    """

    def __init__(self, now_ms: Callable[[], float], keep: bool = False) -> None:
        self.keep = keep
        self.lines: list[str] = []
        self._now_ms = now_ms
        self._digest = hashlib.blake2b(digest_size=16)

    def note(self, who: str, what: str, data: bytes = b"") -> None:
        """Something happened.

        Args:
            data: goes into the digest; `what` describes it.
        """
        at_ms = self._now_ms()
        line = f"{at_ms:.2f} {who} {what}"
        self._digest.update(line.encode())
        self._digest.update(data)
        if self.keep:
            self.lines.append(f"{at_ms:11.2f}  {who:<14} {what}")

    def detail(self, tell: Callable[[], str]) -> None:
        """More about what was noted last, for readers only."""
        if self.keep:
            self.lines.append(f"{'':13}{'':<14} {tell()}")

    def digest(self) -> str:
        """Of everything noted so far."""
        return self._digest.hexdigest()
