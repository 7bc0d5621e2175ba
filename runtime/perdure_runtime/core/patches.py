"""Patches of one attempt: whether it runs the code behind them (semantics, section 4).

The answer to the first question counts for the whole attempt: True if the decision is recorded or
nothing is left to replay (it is recorded then), False if what is being replayed was recorded
without it. Knows no other commands.
"""

from __future__ import annotations

from collections.abc import Iterable

from perdure_runtime.core.entries import PatchDecided


class Patches:
    """The decisions of the attempt.

    Attributes:
        recorded: ids of the decisions in the attempt's journal, as far as they are known.
    """

    def __init__(self, recorded: Iterable[str]) -> None:
        self.recorded = set(recorded)
        self._decided: dict[str, bool] = {}
        self._ready: list[PatchDecided] = []

    def decide(self, id: str, *, deprecated: bool, replaying: bool) -> bool:
        """The body asks."""
        decided = self._decided.get(id)
        if decided is None:
            decided = id in self.recorded or not replaying
            self._decided[id] = decided
            if decided and id not in self.recorded:
                self._ready.append(PatchDecided(id, deprecated))
        return decided

    def fits(self, entry: PatchDecided) -> bool:
        """Whether the body has asked for a recorded decision, or need not."""
        return entry.deprecated or self._decided.get(entry.id, False)

    def take(self) -> list[PatchDecided]:
        """Decisions to record."""
        ready, self._ready = self._ready, []
        return ready
