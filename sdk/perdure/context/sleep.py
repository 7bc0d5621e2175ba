"""`ctx.sleep` and `ctx.sleep_until`: durable timers, the same as `asyncio.sleep` in a body."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime

from perdure.option_checks import check_seconds
from perdure_runtime.core.errors import InvalidArgumentError


async def sleep(seconds: float) -> None:
    """Sleep for checked seconds; 0 gives nobody else a turn."""
    if seconds > 0:
        await asyncio.sleep(seconds)


def seconds_of(seconds: object) -> float:
    """Check what `ctx.sleep` was given."""
    return check_seconds("ctx.sleep()", "seconds", seconds, zero=True)


def seconds_until(when: object, now: float) -> float:
    """Seconds from `now` to a time, 0 if it is over.

    Raises:
        InvalidArgumentError: a datetime without a time zone, or not a time.
    """
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise InvalidArgumentError(
                f"ctx.sleep_until(): {when} has no time zone; use ctx.now() + timedelta(...)"
            )
        when = when.timestamp()
    if isinstance(when, bool) or not isinstance(when, (int, float)) or not math.isfinite(when):
        raise InvalidArgumentError(
            f"ctx.sleep_until() takes an aware datetime or seconds since the epoch, not {when!r}"
        )
    return check_seconds("ctx.sleep_until()", "the time left", max(0.0, when - now), zero=True)
