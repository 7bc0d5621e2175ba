"""The coordinator's clock: a persisted maximum plus monotonic time, slewed towards wall time.

It never goes back, not even over restarts with a wall clock set back, so that a timer never fires
before its time has passed on this clock (semantics, section 4). Leases do not use it: they are
purely monotonic. Tests of users put a clock in its place that they move by hand.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

SLEW: Final = 0.05  # of the elapsed time, at most, towards a wall clock that is behind or ahead
SHORTEST_WAIT_S: Final = 0.0005


_FIRST_EPOCH_S: Final = 1_735_689_600  # 2025-01-01; epochs have 32 bits: until 2059
_EPOCHS_PER_S: Final = 4  # owners that follow each other faster than this get ahead of the clock


def epoch_floor() -> int:
    """What a new owner's epoch is at least: quarters of seconds of the wall clock.

    A restored backup does not know which epochs were given after it was made. Counting on from its
    own it would give them again, and workers of that time would hold leases that look like new
    ones. What was given in the past is below this.
    """
    return max(0, int((time.time() - _FIRST_EPOCH_S) * _EPOCHS_PER_S))


class Clock(Protocol):
    """What an engine needs of a clock."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, never less than before."""
        ...

    async def wait(self, wake: asyncio.Event, until_ms: int) -> None:
        """Return when `wake` is set or this clock may have reached `until_ms`."""
        ...


class SystemClock:
    """The clock of a real coordinator."""

    def __init__(self, persisted_ms: int) -> None:
        self._now_ms = max(float(persisted_ms), time.time() * 1000)
        self._at = time.monotonic()

    def now_ms(self) -> int:
        """See `Clock`."""
        at = time.monotonic()
        elapsed_ms = (at - self._at) * 1000
        self._at = at
        now_ms = self._now_ms + elapsed_ms
        ahead_ms = time.time() * 1000 - now_ms
        bound_ms = elapsed_ms * SLEW
        self._now_ms = now_ms + max(-bound_ms, min(bound_ms, ahead_ms))
        return int(self._now_ms)

    async def wait(self, wake: asyncio.Event, until_ms: int) -> None:
        """See `Clock`."""
        delay_s = max(SHORTEST_WAIT_S, (until_ms - self.now_ms()) / 1000)
        try:
            async with asyncio.timeout(delay_s):
                await wake.wait()
        except TimeoutError:
            pass
