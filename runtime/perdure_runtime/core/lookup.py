"""What earlier attempts of a run leave to the next one (semantics, section 2, R2).

`Earlier` folds the journal up to the start of an attempt: the results that may be reused, the
state, the input. It is fixed when that attempt starts: what an earlier attempt's calls still bring
later counts only for the attempt after. Knows nothing of the current attempt's commands.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from perdure_runtime.core.entries import (
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    Entry,
    ExecutionCreated,
    ExecutionRetried,
    StateWrite,
    StepCompleted,
    ValueEmitted,
)
from perdure_runtime.core.payload import NULL, Payload

HIDDEN: Final = "\0"
"""Keys of the state that start with it are the engine's own; users never see them."""

GENERATION: Final = "\0generation/"


class Success(Struct, frozen=True):
    """A result that may be reused: where it is recorded, and the child that made it."""

    index: int
    result: Payload
    child_id: str = ""


class Earlier:
    """The fold over everything before the current attempt."""

    def __init__(self) -> None:
        self.created: ExecutionCreated | None = None
        self.input: Payload = NULL
        self.cancel: CancelRequested | None = None
        self.state: dict[str, Payload] = {}
        self.successes: dict[bytes, Success] = {}
        self._attempt = 0
        self._calls: dict[tuple[int, str], CallIssued] = {}

    def fold(self, index: int, entry: Entry) -> None:
        """Take in one entry; they come in index order."""
        match entry:
            case StepCompleted() | BranchCompleted():
                if entry.result is not None:
                    self._succeeded(entry.key, Success(index, entry.result))
            case ValueEmitted():
                self._succeeded(entry.key, Success(index, NULL))
            case CallIssued():
                if entry.detached:
                    self._succeeded(entry.key, Success(index, NULL, entry.child_id))
                else:
                    self._calls[self._attempt, entry.path] = entry
            case CallCompleted():
                call = self._calls.pop((entry.attempt, entry.path), None)
                if call is not None and entry.result is not None:
                    self._succeeded(call.key, Success(index, entry.result, call.child_id))
            case ExecutionCreated():
                self.created = entry
                self.input = entry.input
            case ExecutionRetried():
                self.cancel = None
                if entry.input is not None:
                    self.input = entry.input
            case CancelRequested():
                self.cancel = entry
            case _:
                pass
        self.write(getattr(entry, "writes", ()))

    def attempt_started(self, attempt: int) -> None:
        """Note which attempt the following entries belong to."""
        self._attempt = attempt

    def write(self, writes: tuple[StateWrite, ...]) -> None:
        """Apply recorded writes to the state."""
        for write in writes:
            apply_write(self.state, write)

    def generations(self) -> dict[str, int]:
        """How many compensations removed an operation, by the hex of its first key."""
        return {
            key[len(GENERATION) :]: int(value.data)
            for key, value in self.state.items()
            if key.startswith(GENERATION)
        }

    def _succeeded(self, key: bytes, success: Success) -> None:
        # The first success stays: a later one can only be the late completion of a call that
        # another attempt has replaced.
        self.successes.setdefault(key, success)


def apply_write(state: dict[str, Payload], write: StateWrite) -> None:
    """Apply one write to a state."""
    if write.value is None:
        state.pop(write.key, None)
    else:
        state[write.key] = write.value
