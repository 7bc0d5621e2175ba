"""Chaos: draws when a fault happens, each kind from a stream of its own, until it is to stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

from perdure.testing.simulator.faults import Faults
from perdure.testing.simulator.trace import Trace

ENDLESS: Final = frozenset({"delay", "slow_disk"})
"""Kinds that the limit does not count."""
HAVING: Final = 0.5
"""How likely a run has a kind."""
FACTORS: Final = (0.3, 1.0, 3.0)


class Chaos:
    """The faults of one run."""

    def __init__(self, seed: int, faults: Faults, now_ms: Callable[[], float], trace: Trace):
        self._limit = faults.limit
        self._window_ms = faults.window_ms
        self._now_ms = now_ms
        self._trace = trace
        self._likely: dict[str, float] = {}
        self._streams: dict[str, Random] = {}
        self._left = faults.limit
        self._over = False
        self.counts: Counter[str] = Counter()
        for kind in faults.active:
            stream = self._streams[kind] = Random(f"{seed}/fault/{kind}")
            has, factor = stream.random() < HAVING, stream.choice(FACTORS)
            if faults.all_kinds:
                self._likely[kind] = getattr(faults, kind)
            elif has:
                self._likely[kind] = min(1.0, getattr(faults, kind) * factor)

    @property
    def window_s(self) -> float:
        """For how long it goes on."""
        return self._window_ms / 1000

    def happens(self, kind: str) -> bool:
        """Whether a fault of this kind happens here and now."""
        likely = self._likely.get(kind)
        if likely is None or self._over or self._streams[kind].random() >= likely:
            return False
        if self._now_ms() > self._window_ms:
            self.stop()
            return False
        if kind not in ENDLESS:
            if not self._left:
                return False
            self._left -= 1
        self.counts[kind] += 1
        self._trace.note("fault", kind)
        return True

    def stream(self, kind: str) -> Random:
        """For the details of a fault that happens."""
        return self._streams[kind]

    def stop(self) -> None:
        """Nothing goes wrong any more."""
        self._over = True
