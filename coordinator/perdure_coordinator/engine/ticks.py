"""The ticks of a schedule: cron expressions in a time zone, or a fixed interval.

Cron follows Debian's (cronsim): five fields, or six with seconds first; `L`, `LW`, `#`, names of
days and months; day of month and day of week are alternatives unless one begins with `*`. In a zone
with daylight saving a time that does not exist is made up for right after the gap, and a time that
comes twice is taken once, the first time; expressions with `*` in the minute or hour field follow
elapsed time through both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import MAX_DUE_MS
from perdure_runtime.core.schedules import ScheduleSpec, Ticks

MIN_EVERY_MS: Final = 100
MAX_CRON_CHARS: Final = 255
_FIRST_WINDOW_MS: Final = 60_000
_LAST_YEAR: Final = 9_000  # beyond it calendars end


def make_ticks(spec: ScheduleSpec, created_ms: int) -> Ticks:
    """The ticks of a spec.

    Raises:
        InvalidArgumentError: neither or both of `cron` and `every_ms`, a bad expression, an unknown
            time zone, or an expression that never comes true.
    """
    if bool(spec.cron) == bool(spec.every_ms):
        raise InvalidArgumentError("a schedule needs cron or every, one of them")
    if spec.every_ms:
        if not MIN_EVERY_MS <= spec.every_ms <= MAX_DUE_MS:
            raise InvalidArgumentError(
                f"every must be {MIN_EVERY_MS / 1000:g} seconds or more, not "
                f"{spec.every_ms / 1000:g}"
            )
        return EveryTicks(spec.every_ms, created_ms)
    ticks = CronTicks(spec.cron, spec.timezone)
    if not ticks.after(created_ms):
        raise InvalidArgumentError(f"cron {spec.cron!r} never comes true")
    return ticks


class EveryTicks:
    """Every so often after the creation."""

    def __init__(self, every_ms: int, created_ms: int) -> None:
        self._every_ms = every_ms
        self._created_ms = created_ms

    def after(self, time_ms: int) -> int:
        """See `Ticks`."""
        number = max(0, time_ms - self._created_ms) // self._every_ms + 1
        tick_ms = self._created_ms + number * self._every_ms
        return tick_ms if tick_ms <= MAX_DUE_MS else 0

    def latest(self, from_ms: int, to_ms: int) -> int:
        """See `Ticks`."""
        number = (to_ms - self._created_ms) // self._every_ms
        return max(from_ms, self._created_ms + number * self._every_ms)


class CronTicks:
    """A cron expression in a time zone."""

    def __init__(self, cron: str, timezone: str) -> None:
        if len(cron) > MAX_CRON_CHARS:
            raise InvalidArgumentError(f"cron is longer than {MAX_CRON_CHARS} characters")
        self._cron = cron
        try:
            self._zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidArgumentError(
                f"timezone {timezone!r} is not known here; give an IANA name such as "
                "'Europe/Zurich' (a system without time zones needs the package tzdata)"
            ) from None
        try:
            CronSim(cron, datetime.now(self._zone))
        except CronSimError as error:
            raise InvalidArgumentError(
                f"cron {cron!r} is no cron expression: {error}; five fields: minute, hour, day of "
                "month, month, day of week"
            ) from None

    def after(self, time_ms: int) -> int:
        """See `Ticks`."""
        since = datetime.fromtimestamp(time_ms // 1000, self._zone)
        if since.year >= _LAST_YEAR:
            return 0
        for tick in CronSim(self._cron, since):
            tick_ms = int(tick.timestamp()) * 1000
            if tick_ms > time_ms:  # a local time that comes twice may lie before
                return tick_ms
        return 0

    def latest(self, from_ms: int, to_ms: int) -> int:
        """See `Ticks`: looked for in windows before the end that grow until they hold one."""
        window_ms = _FIRST_WINDOW_MS
        while True:
            start_ms = to_ms - window_ms
            if start_ms <= from_ms:
                return self._last(from_ms, from_ms, to_ms)
            found = self._last(0, start_ms, to_ms)
            if found:
                return found
            window_ms *= 8

    def _last(self, found: int, after_ms: int, to_ms: int) -> int:
        while 0 < (following := self.after(found or after_ms)) <= to_ms:
            found = following
        return found
