"""What earlier attempts of a run leave to the next one (semantics, section 2, R2).

`Earlier` folds the journal up to the start of an attempt: the results that may be reused, the
state, the input. It is fixed when that attempt starts: what an earlier attempt's calls still bring
later counts only for the attempt after. Knows nothing of the current attempt's commands.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from perdure_runtime.core.arrivals import Arrivals, Arrived
from perdure_runtime.core.checkpoints import Checkpoints
from perdure_runtime.core.entries import (
    AttemptEnded,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    Entry,
    EventAwaited,
    EventReceived,
    EventSent,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Forgotten,
    PromiseSettled,
    StateWrite,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    ValueEmitted,
)
from perdure_runtime.core.payload import NULL, Failure, FailureCode, Payload

HIDDEN: Final = "\0"
"""Keys of the state that start with it are the engine's own; users never see them."""


class Success(Struct, frozen=True):
    """A result that may be reused: where it is recorded, and the child that made it.

    Only that of a promise may be a failure: whoever settled it gave it once and for all.
    """

    index: int
    result: Payload | Failure
    child_id: str = ""


class Earlier:
    """The fold over everything before the current attempt.

    Attributes:
        successes: what may be reused, by key.
        generations: how often a compensation removed an operation, by its key of generation 0.
        begun: keys of the steps that run at most once, began, and have no known outcome.
        checkpoints: what steps have recorded of their own progress.
    """

    def __init__(self) -> None:
        self.created: ExecutionCreated | None = None
        self.input: Payload = NULL
        self.cancel: CancelRequested | None = None
        self.state: dict[str, Payload] = {}
        self.successes: dict[bytes, Success] = {}
        self.generations: dict[bytes, int] = {}
        self.begun: set[bytes] = set()
        self.arrivals = Arrivals()
        self.checkpoints = Checkpoints()
        self._waits: dict[tuple[int, str], EventAwaited] = {}
        self._takers: dict[int, bytes] = {}  # of received events: the keys of their waits
        self._attempt = 0
        self._before: dict[bytes, int] = {}  # generations at the start of the attempt
        self._calls: dict[tuple[int, str], CallIssued] = {}

    def fold(self, index: int, entry: Entry) -> None:
        """Take in one entry; they come in index order."""
        match entry:
            case StepCompleted() | BranchCompleted():
                if entry.result is not None:
                    self._succeeded(entry.key, Success(index, entry.result), entry.compensates)
                if self.begun and not _is_interruption(entry):
                    self.begun.discard(entry.key)
            case StepStarted():
                self.begun.add(entry.key)
            case StepFailed():
                self.begun.discard(entry.key)
            case Forgotten():
                self._compensated(entry.key)
            case ValueEmitted():
                self._succeeded(entry.key, Success(index, NULL))
            case CallIssued():
                if entry.detached:
                    sent = Success(index, NULL, entry.child_id)
                    self._succeeded(entry.key, sent, entry.compensates)
                else:
                    self._calls[self._attempt, entry.path] = entry
            case CallCompleted():
                call = self._calls.pop((entry.attempt, entry.path), None)
                if call is not None and entry.result is not None:
                    called = Success(index, entry.result, call.child_id)
                    self._succeeded(call.key, called, call.compensates)
            case ExecutionCreated():
                self.created = entry
                self.arrivals.floor = entry.event_sequence
                self.input = entry.input
            case StepCheckpointed():
                self.checkpoints.take_in(entry)
            case ExecutionRetried():
                self.cancel = None
                if entry.input is not None:
                    self.input = entry.input
            case CancelRequested():
                self.cancel = entry
            case EventSent():
                self._succeeded(entry.key, Success(index, NULL))
            case PromiseSettled() if not entry.timed_out:
                outcome = entry.result if entry.result is not None else entry.failure
                assert outcome is not None
                self._succeeded(entry.key, Success(index, outcome))
            case EventAwaited() | EventReceived() | AttemptEnded() | ExecutionEnded():
                self._fold_events(index, entry)
            case _:
                pass
        self.write(getattr(entry, "writes", ()))

    def _fold_events(
        self, index: int, entry: EventAwaited | EventReceived | AttemptEnded | ExecutionEnded
    ) -> None:
        match entry:
            case EventAwaited():
                if entry.source_index:
                    self._taken(entry.source_index, entry.key)
                else:
                    self._waits[self._attempt, entry.path] = entry
            case EventReceived():
                wait = self._waits.pop((entry.attempt, entry.path), None)
                if wait is not None and entry.payload is not None:
                    event = Arrived(wait.event_id, entry.sequence, entry.payload)
                    self.arrivals.events[index] = event
                    self._taken(index, wait.key)
            case AttemptEnded() | ExecutionEnded():
                for unclaimed in entry.unclaimed_events:
                    self._lost(unclaimed)
                    self.arrivals.loose.add(unclaimed)

    def _taken(self, index: int, key: bytes) -> None:
        """A wait got an event; if it had been another's, that one has none now."""
        self._lost(index)
        event = self.arrivals.events.get(index)
        if event is not None:
            self._takers[index] = key
            self.arrivals.loose.discard(index)
            self._succeeded(key, Success(index, event.payload))

    def _lost(self, index: int) -> None:
        taker = self._takers.pop(index, None)
        success = self.successes.get(taker) if taker is not None else None
        if taker is not None and success is not None and success.index == index:
            del self.successes[taker]

    def attempt_started(self, attempt: int) -> None:
        """Note which attempt the following entries belong to."""
        self._attempt = attempt
        self._before = dict(self.generations)

    def write(self, writes: tuple[StateWrite, ...]) -> None:
        """Apply recorded writes to the state."""
        for write in writes:
            apply_write(self.state, write)

    def _compensated(self, key: bytes) -> None:
        """However many compensations of one attempt undo it, it is undone once."""
        self.generations[key] = self._before.get(key, 0) + 1

    def _succeeded(self, key: bytes, success: Success, compensates: bytes = b"") -> None:
        if compensates:
            self._compensated(compensates)
        # The first success stays: a later one can only be the late completion of a call that
        # another attempt has replaced.
        self.successes.setdefault(key, success)


def _is_interruption(entry: StepCompleted | BranchCompleted) -> bool:
    return entry.failure is not None and entry.failure.code is FailureCode.INTERRUPTED


def apply_write(state: dict[str, Payload], write: StateWrite) -> None:
    """Apply one write to a state."""
    if write.value is None:
        state.pop(write.key, None)
    else:
        state[write.key] = write.value
