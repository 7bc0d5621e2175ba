"""What running steps have recorded of their own progress, for a later run of the same step.

A checkpoint is neither matched nor delivered to a body: it is addressed by the step's key, which a
crash, a retry of the step and a later attempt share (semantics, section 1). The last value of a
name counts. Numbers tell the checkpoints of one key apart while they are on their way.
"""

from __future__ import annotations

from perdure_runtime.core.entries import StepCheckpointed
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.payload import Payload

Address = tuple[str, int]  # path and number


class Checkpoints:
    """All checkpoints of a run, by the keys of their steps.

    Attributes:
        recorded: those made here that are in the journal, since the caller last emptied it.
    """

    def __init__(self) -> None:
        self.recorded: list[Address] = []
        self._values: dict[bytes, dict[str, Payload]] = {}
        self._next: dict[bytes, int] = {}
        self._made: dict[Address, StepCheckpointed] = {}

    def take_in(self, entry: StepCheckpointed, *, is_running: bool = False) -> None:
        """A checkpoint is in the journal.

        Args:
            is_running: the step runs here now.

        Raises:
            ProtocolError: another worker made it, of a step that runs here. This run began with
                less, in a lease that was over: it is given up, and begins anew with all there is.
        """
        self._values.setdefault(entry.key, {})[entry.name] = entry.value
        self._next[entry.key] = max(self._next.get(entry.key, 0), entry.number + 1)
        address = (entry.path, entry.number)
        made = self._made.pop(address, None)
        if made is not None and (made.name, made.value) == (entry.name, entry.value):
            self.recorded.append(address)
        elif is_running:
            raise ProtocolError(
                f"another worker has recorded checkpoint {entry.name!r} of a step that runs here"
            )

    def make(self, path: str, key: bytes, name: str, value: Payload) -> StepCheckpointed:
        """A checkpoint to be recorded; `recorded` says when it is."""
        number = self._next.get(key, 0)
        self._next[key] = number + 1
        made = self._made[path, number] = StepCheckpointed(path, key, number, name, value)
        return made

    def of(self, key: bytes) -> dict[str, Payload]:
        """What earlier runs of a step have left, by name."""
        return dict(self._values.get(key, ()))

    def forget(self) -> None:
        """The input has changed: what was done for the old one says nothing any more."""
        self._values.clear()

    def take_recorded(self) -> list[Address]:
        """Those made here that have come into the journal meanwhile."""
        recorded, self.recorded = self.recorded, []
        return recorded
