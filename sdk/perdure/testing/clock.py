"""`VirtualClock`: time for tests, which moves only when it is told to.

Durable timers, back-offs and timeouts follow it. Code in steps and handlers runs in real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from perdure_runtime.core.errors import InvalidArgumentError

START: Final = datetime(2030, 1, 1, tzinfo=UTC)


class VirtualClock:
    """The fixture `clock`. A coordinator's clock that stands still between two moves.

    Args:
        start: the time at which every run of a test begins.
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise InvalidArgumentError(
                f"{start.isoformat()} has no time zone; write +00:00 for UTC"
            )
        self.start_ms = self._now_ms = round(start.timestamp() * 1000)
        self._waiting: set[asyncio.Event] = set()
        self._advance: Callable[[int], Awaitable[None]] | None = None

    # --- for tests -----------------------------------------------------------------------------

    def now(self) -> datetime:
        """The virtual time, in UTC; what `ctx.now()` gives is at most this."""
        return datetime.fromtimestamp(self._now_ms / 1000, UTC)

    async def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass: what falls due on the way fires in order, each at its own time.

        Returns when everything that this set in motion waits again: for a later time, for an
        event, or for a step that takes longer than the runtime's patience in real time.

        Raises:
            InvalidArgumentError: time does not go back; the runtime is not open.
        """
        delta = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        if delta < timedelta():
            raise InvalidArgumentError(f"time does not go back: advance({delta})")
        if self._advance is None:
            raise InvalidArgumentError("the clock moves only while its runtime is open")
        await self._advance(self._now_ms + round(delta / timedelta(milliseconds=1)))

    # --- for the runtime: a `Clock` of the coordinator -----------------------------------------

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._now_ms

    async def wait(self, wake: asyncio.Event, until_ms: int) -> None:
        """Return when `wake` is set; a move sets it, so `until_ms` need not be looked at."""
        if until_ms > self._now_ms:
            self._waiting.add(wake)
            try:
                await wake.wait()
            finally:
                self._waiting.discard(wake)
        else:
            await asyncio.sleep(0)

    def move_to(self, now_ms: int) -> None:
        """Jump, and wake who waits for a time."""
        self._now_ms = max(self._now_ms, now_ms)
        for wake in self._waiting:
            wake.set()

    def begin(self, advance: Callable[[int], Awaitable[None]]) -> None:
        """A run begins, at the start time."""
        self._now_ms = self.start_ms
        self._advance = advance

    def end(self) -> None:
        """The run is over."""
        self._advance = None
