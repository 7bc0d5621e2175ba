"""How often executions of one name may begin: a token bucket without a clock of its own.

Whatever crashes in between, no more than `burst + per_second * t` begin within any `t` seconds: a
bucket that an earlier owner of the store may have emptied starts empty.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from msgspec import Struct

from perdure_runtime.core.errors import InvalidArgumentError

MAX_CONCURRENCY: Final = 1_000_000
MIN_PER_SECOND: Final = 1e-6  # one in eleven days
MAX_PER_SECOND: Final = 1_000_000.0
MAX_BURST: Final = 1_000_000


class Rate(Struct, frozen=True):
    """At most `per_second` begin on average, and `burst` at once after a pause."""

    per_second: float
    burst: int = 1


class Bucket:
    """Tokens of one rate; each start takes one."""

    def __init__(self, rate: Rate, now_ms: int, *, full: bool) -> None:
        self.rate = rate
        self._tokens = float(rate.burst) if full else 0.0
        self._at_ms = now_ms

    def change(self, rate: Rate, now_ms: int) -> None:
        """Another rate from now on; what has gathered stays, up to the new burst."""
        self._refill(now_ms)
        self.rate = rate
        self._tokens = min(self._tokens, float(rate.burst))

    def has(self, wanted: int, now_ms: int) -> bool:
        """Whether there are so many tokens."""
        self._refill(now_ms)
        return self._tokens >= wanted

    def take(self, now_ms: int) -> None:
        """One execution begins."""
        self._refill(now_ms)
        self._tokens -= 1.0

    def due_ms(self, wanted: int, now_ms: int) -> int:
        """When there will be so many tokens, but at the earliest in a millisecond."""
        self._refill(now_ms)
        missing = max(0.0, min(wanted, self.rate.burst) - self._tokens)
        return now_ms + max(1, ceil(missing * 1000 / self.rate.per_second))

    def _refill(self, now_ms: int) -> None:
        elapsed_ms = max(0, now_ms - self._at_ms)
        gained = elapsed_ms * self.rate.per_second / 1000
        self._tokens = min(float(self.rate.burst), self._tokens + gained)
        self._at_ms = max(self._at_ms, now_ms)


def check_limits(what: str, max_concurrency: int, rate: Rate | None) -> None:
    """Raise InvalidArgumentError for a limit that cannot be; 0 and None are no limits."""
    if not 0 <= max_concurrency <= MAX_CONCURRENCY:
        raise InvalidArgumentError(
            f"{what}: max_concurrency must be 1 to {MAX_CONCURRENCY}, not {max_concurrency}"
        )
    if rate is None:
        return
    if not MIN_PER_SECOND <= rate.per_second <= MAX_PER_SECOND:  # NaN too
        raise InvalidArgumentError(
            f"{what}: a rate must be {MIN_PER_SECOND} to {MAX_PER_SECOND:g} per second, "
            f"not {rate.per_second}"
        )
    if not 1 <= rate.burst <= MAX_BURST:
        raise InvalidArgumentError(f"{what}: a burst must be 1 to {MAX_BURST}, not {rate.burst}")
