"""The coordinator's clock: a persisted maximum plus monotonic time, slewed towards wall time.

It never goes back, not even over restarts with a wall clock set back, so that a timer never fires
before its time has passed on this clock (semantics, section 4). Leases do not use it: they are
purely monotonic.
"""

from __future__ import annotations

import time
from typing import Final

SLEW: Final = 0.05  # of the elapsed time, at most, towards a wall clock that is behind or ahead


class Clock:
    """Milliseconds since the epoch that never decrease."""

    def __init__(self, persisted_ms: int) -> None:
        self._now_ms = max(float(persisted_ms), time.time() * 1000)
        self._at = time.monotonic()

    def now_ms(self) -> int:
        """The current time."""
        at = time.monotonic()
        elapsed_ms = (at - self._at) * 1000
        self._at = at
        now_ms = self._now_ms + elapsed_ms
        ahead_ms = time.time() * 1000 - now_ms
        bound_ms = elapsed_ms * SLEW
        self._now_ms = now_ms + max(-bound_ms, min(bound_ms, ahead_ms))
        return int(self._now_ms)
