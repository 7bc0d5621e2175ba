"""Counters and histograms of one engine: the single source of all metrics.

Plain integers and fixed buckets: the hot path adds to them and does nothing else. `/metrics`,
OpenTelemetry and `perdure health` read them, from other threads too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from itertools import accumulate
from typing import Final

from perdure_runtime.core.entries import Target
from perdure_runtime.core.lifecycle import Status

SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0),
)
SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
MAX_NAMES: Final = 2_000
OTHER: Final = ("", "other")

Name = tuple[str, str, str]  # service, method, status


class Histogram:
    """How many observations were at most each bound.

    Attributes:
        counts: by bucket; the last is for what is beyond all bounds.
        total: the sum of all observations.
        tap: told of each observation as well, if somebody wants to know.
    """

    __slots__ = ("bounds", "counts", "tap", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.tap: Callable[[float], None] | None = None

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        if self.tap is not None:
            self.tap(value)

    def cumulative(self) -> list[int]:
        """Observations up to each bound, and all of them."""
        return list(accumulate(self.counts))

    def quantile(self, share: float) -> float:
        """The bound below which this share of the observations lies; 0 when there are none."""
        counts = self.cumulative()
        place = bisect_left(counts, share * counts[-1]) if counts[-1] else -1
        if place < 0:
            return 0.0
        return float(self.bounds[min(place, len(self.bounds) - 1)])


@dataclass(slots=True)
class Stats:
    """What has happened since the coordinator started."""

    commits: int = 0
    entries: int = 0
    requests: int = 0
    activations: int = 0
    replays: int = 0
    replayed_entries: int = 0
    adoptions: int = 0
    stale_messages: int = 0
    stale_commands: int = 0
    mismatches: int = 0
    sessions_opened: int = 0
    sessions_lost: int = 0
    reconnects: int = 0
    timers_fired: int = 0
    events: int = 0
    overloads: int = 0
    reloads: int = 0
    deleted: int = 0
    quarantined: int = 0
    peak_pending_bytes: int = 0
    commit_entries: Histogram = field(default_factory=lambda: Histogram(SIZES))
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    schedule_to_start_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    timer_lateness_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    executions: dict[Name, int] = field(default_factory=dict)

    def moved(self, target: Target, status: Status) -> None:
        """An execution has got this status."""
        name = (target.service, target.method, status.value)
        count = self.executions.get(name)
        if count is None and len(self.executions) >= MAX_NAMES:  # names come from clients
            name = (*OTHER, status.value)
            count = self.executions.get(name)
        self.executions[name] = (count or 0) + 1

    def counters(self) -> dict[str, int]:
        """The plain counters by name."""
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in values if isinstance(value, int)}

    def histograms(self) -> dict[str, Histogram]:
        """The histograms by name."""
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in values if isinstance(value, Histogram)}

    def snapshot(self) -> dict[str, float]:
        """All of it as numbers by name: histograms as count, sum and quantiles."""
        flat: dict[str, float] = dict(self.counters())
        for name, histogram in self.histograms().items():
            flat[f"{name}_count"] = sum(histogram.counts)
            flat[f"{name}_sum"] = histogram.total
            flat[f"{name}_p50"] = histogram.quantile(0.5)
            flat[f"{name}_p99"] = histogram.quantile(0.99)
        for (_, _, status), count in list(self.executions.items()):
            flat[f"executions_{status}"] = flat.get(f"executions_{status}", 0) + count
        return flat
