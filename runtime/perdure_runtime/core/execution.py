"""The coordinator's state of one execution, and `evolve`: what each entry does to it.

`evolve` is the only code that changes what the journal implies; loading an execution is folding its
journal. It changes the state in place (a copy per entry would be the hot path's largest cost), does
no I/O and knows no clock. What the journal does not say (status, lease) is in the row and in the
lease fields, changed by `apply`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from perdure_runtime.core.dependencies import Dependency
from perdure_runtime.core.effects import Decision
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    AttemptTimedOut,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    CommandReused,
    DependencyChange,
    DependencyChanged,
    Entry,
    EventAwaited,
    EventReceived,
    EventSent,
    ExecutionContinued,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Forgotten,
    PatchDecided,
    Paused,
    PromiseCreated,
    PromiseSettled,
    Recorded,
    Resumed,
    StateWritten,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    TaskMoved,
    TaskReported,
    TimerFired,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.errors import JournalMismatchError
from perdure_runtime.core.events import (
    Intervals,
    OpenPromise,
    OpenWait,
    consume,
    intervals_of,
)
from perdure_runtime.core.ids import CHAIN_START, ExecutionKey
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.core.tasks import task_status
from perdure_runtime.core.trace import Links, is_sampled, linked


class OpenCall(Struct, frozen=True):
    """A call without a completion, and where its entry stands in the journal."""

    child: ExecutionKey
    target: str
    index: int = 0
    issued_ms: int = 0


class Execution(Struct):
    """All that the coordinator keeps in memory of one execution; rebuilt by folding its journal."""

    row: ExecutionRow
    # What the journal implies.
    length: int = 0
    chain: bytes = CHAIN_START
    time_ms: int = 0
    created: ExecutionCreated | None = None
    has_spans: bool = False  # the trace of the execution is sampled, and the coordinator's to tell
    started: AttemptStarted | None = None  # the open attempt's
    attempt_ms: int = 0  # when the last attempt started
    ended: ExecutionEnded | None = None
    end_index: int = -1  # of the last `ExecutionEnded`
    retries_from: int = 0  # attempts up to here do not count against the policy
    attempt: int = 0  # the last that started
    commands: int = 0  # of that attempt, written by workers
    patches: tuple[str, ...] = ()  # decided in that attempt
    calls: dict[tuple[int, str], OpenCall] = {}  # (attempt, path)
    timers: dict[str, int] = {}  # path -> due_ms
    waits: dict[str, OpenWait] = {}  # by path, of the open attempt, in the order of commands
    received: dict[int, int] = {}  # index of each received event -> its sequence
    consumed: dict[str, Intervals] = {}  # by event id
    promises: dict[bytes, OpenPromise] = {}  # by key; they outlive an attempt
    settled: dict[bytes, PromiseSettled | None] = {}  # the entry: since the attempt started
    cancel: CancelRequested | None = None
    cancel_index: int = -1
    cancel_ms: int = 0  # when it was requested
    timed_out_index: int = -1  # of the open attempt
    links: Links = ()  # to the spans that told the open attempt something
    wake_index: int = -1  # last entry that gives a body something to do
    dependencies: dict[str, Dependency] = {}  # by id; what it still waits for
    definition: Payload | None = None  # what a task is about
    input: Payload | None = None  # the latest, if a retry has replaced it
    # The lease; gone after a restart.
    epoch: int = 0
    session_id: str = ""
    # Only known while in memory: when each promise (by path) is due after its last heartbeat.
    heartbeats: dict[str, int] = {}

    @property
    def key(self) -> ExecutionKey:
        """The execution's key."""
        return self.row.key

    @property
    def attempt_open(self) -> bool:
        """Whether an attempt has started and not ended: a worker would replay it."""
        return self.started is not None

    def bound(self, wait: OpenWait) -> int:
        """A wait takes only events with a higher sequence."""
        assert self.created is not None
        return self.created.event_sequence if wait.since_start else 0


def evolve(execution: Execution, recorded: Recorded) -> None:
    """Apply one entry. Entries come in index order, each exactly once."""
    execution.length = recorded.index + 1
    execution.time_ms = recorded.time_ms
    _EVOLVE[type(recorded.entry)](execution, recorded)


def apply(execution: Execution, decision: Decision, recorded: list[Recorded]) -> None:
    """Apply a decision whose entries have got their places."""
    for item in recorded:
        evolve(execution, item)
    for name, value in decision.changes.items():
        setattr(execution.row, name, value)
    row = execution.row
    if row.task is not None:
        row.task_status = task_status(row.status, row.task, bool(execution.dependencies))


def _created(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, ExecutionCreated)
    if recorded.index:
        _run_begins(execution, recorded)
    execution.created = recorded.entry
    if recorded.entry.trace:
        execution.has_spans = is_sampled(recorded.entry.trace)
    execution.consumed = intervals_of(recorded.entry.consumed)
    options = recorded.entry.options
    if recorded.index == 0:
        execution.dependencies = {dependency.id: dependency for dependency in options.after}
    if options.task is not None:
        execution.definition = options.task.definition


def _run_begins(execution: Execution, recorded: Recorded) -> None:
    """Nothing of the run before counts any more. What its calls still bring is addressed to it."""
    execution.started = None
    execution.ended = None
    execution.retries_from = execution.attempt = execution.commands = 0
    execution.patches = ()
    execution.calls.clear()
    execution.timers.clear()
    execution.waits.clear()
    execution.received.clear()
    execution.promises.clear()
    execution.settled.clear()
    execution.heartbeats.clear()
    execution.cancel = None
    execution.cancel_index = execution.timed_out_index = -1
    execution.wake_index = recorded.index


def _attempt_started(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, AttemptStarted)
    execution.started = recorded.entry
    execution.attempt = recorded.entry.attempt
    execution.attempt_ms = recorded.time_ms
    execution.ended = None
    execution.commands = 0
    execution.patches = ()
    execution.links = ()
    execution.wake_index = recorded.index
    execution.settled = dict.fromkeys(execution.settled)  # what came before, the lookup knows


def is_uncounted(failure: Failure) -> bool:
    """Whether an attempt that failed so counts against no policy: a body that never promised to be
    deterministic did not repeat itself (semantics, section 3)."""
    return (
        failure.code is FailureCode.NOT_DETERMINISTIC
        and failure.type_name == JournalMismatchError.__name__
    )


def _attempt_ended(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, AttemptEnded)
    if is_uncounted(recorded.entry.failure):
        execution.retries_from += 1
    execution.started = None
    execution.timers.clear()
    execution.waits.clear()
    execution.timed_out_index = -1


def _attempt_timed_out(execution: Execution, recorded: Recorded) -> None:
    execution.timed_out_index = recorded.index
    execution.wake_index = recorded.index


def _execution_ended(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, ExecutionEnded)
    execution.started = None
    execution.timed_out_index = -1
    execution.ended = recorded.entry
    execution.end_index = recorded.index
    execution.waits.clear()
    execution.dependencies.clear()
    execution.timers.clear()  # open calls stay: a retry waits until they are terminal


def _execution_retried(execution: Execution, recorded: Recorded) -> None:
    execution.started = None
    assert isinstance(recorded.entry, ExecutionRetried)
    execution.input = recorded.entry.input or execution.input
    execution.ended = None
    execution.cancel = None
    execution.cancel_index = -1
    execution.retries_from = execution.attempt
    execution.timed_out_index = -1
    execution.timers.clear()
    execution.waits.clear()


def _command(execution: Execution, recorded: Recorded) -> None:
    execution.commands += 1


def _patch_decided(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, PatchDecided)
    execution.commands += 1
    execution.patches = (*execution.patches, recorded.entry.id)


def _waking_command(execution: Execution, recorded: Recorded) -> None:
    execution.commands += 1
    execution.wake_index = recorded.index


def _call_issued(execution: Execution, recorded: Recorded) -> None:
    entry = recorded.entry
    assert isinstance(entry, CallIssued)
    execution.commands += 1
    if not entry.detached:
        child = ExecutionKey(execution.row.key.namespace, entry.child_id)
        call = OpenCall(child, entry.target.name(), recorded.index, recorded.time_ms)
        execution.calls[execution.attempt, entry.path] = call


def _call_completed(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, CallCompleted)
    execution.calls.pop((recorded.entry.attempt, recorded.entry.path), None)
    execution.wake_index = recorded.index


def _timer_started(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, TimerStarted | StepFailed)
    execution.commands += 1
    execution.timers[recorded.entry.path] = recorded.entry.due_ms


def _timer_fired(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, TimerFired)
    execution.timers.pop(recorded.entry.path, None)
    execution.waits.pop(recorded.entry.path, None)
    execution.wake_index = recorded.index


def _event_awaited(execution: Execution, recorded: Recorded) -> None:
    entry = recorded.entry
    assert isinstance(entry, EventAwaited)
    execution.commands += 1
    if entry.source_index:
        execution.waits.pop(entry.path, None)
        execution.timers.pop(entry.path, None)
        execution.wake_index = recorded.index
        return
    execution.waits[entry.path] = OpenWait(entry.event_id, entry.since_start)
    if entry.timeout_ms is not None:
        execution.timers[entry.path] = entry.due_ms


def _event_received(execution: Execution, recorded: Recorded) -> None:
    entry = recorded.entry
    assert isinstance(entry, EventReceived)
    wait = execution.waits.pop(entry.path, None)
    execution.timers.pop(entry.path, None)
    if entry.payload is None or wait is None:
        return
    execution.wake_index = recorded.index
    execution.received[recorded.index] = entry.sequence
    _link(execution, entry.payload.metadata)
    intervals = execution.consumed.get(wait.event_id, ())
    bound = execution.bound(wait)
    execution.consumed[wait.event_id] = consume(intervals, bound, entry.sequence)


def _promise_created(execution: Execution, recorded: Recorded) -> None:
    entry = recorded.entry
    assert isinstance(entry, PromiseCreated)
    execution.commands += 1
    execution.settled.pop(entry.key, None)
    execution.promises[entry.key] = OpenPromise(
        entry.name, entry.path, execution.attempt, entry.heartbeat_timeout_ms
    )
    if entry.timeout_ms is not None:
        execution.timers[entry.path] = entry.due_ms


def _promise_settled(execution: Execution, recorded: Recorded) -> None:
    entry = recorded.entry
    assert isinstance(entry, PromiseSettled)
    execution.promises.pop(entry.key, None)
    late = execution.attempt_open and entry.attempt != execution.attempt
    if not late:
        execution.timers.pop(entry.path, None)
    execution.settled[entry.key] = entry if late and not entry.timed_out else None
    if entry.result is not None:
        _link(execution, entry.result.metadata)
    execution.wake_index = recorded.index


def _cancel_requested(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, CancelRequested)
    execution.cancel = recorded.entry
    execution.cancel_index = recorded.index
    execution.cancel_ms = recorded.time_ms
    _link(execution, recorded.entry.trace)
    execution.wake_index = recorded.index


def _link(execution: Execution, trace: dict[str, str]) -> None:
    if execution.has_spans and trace:
        execution.links = linked(execution.links, trace)


def _dependency_changed(execution: Execution, recorded: Recorded) -> None:
    entry = recorded.entry
    assert isinstance(entry, DependencyChanged)
    if entry.change is DependencyChange.ADDED:
        execution.dependencies[entry.dependency.id] = entry.dependency
    else:
        execution.dependencies.pop(entry.dependency.id, None)


def _task_reported(execution: Execution, recorded: Recorded) -> None:
    assert isinstance(recorded.entry, TaskReported)
    execution.definition = recorded.entry.definition or execution.definition


def _no_change(execution: Execution, recorded: Recorded) -> None:
    pass


_EVOLVE: Final[dict[type[Entry], Callable[[Execution, Recorded], None]]] = {
    ExecutionCreated: _created,
    ExecutionContinued: _no_change,
    ExecutionEnded: _execution_ended,
    ExecutionRetried: _execution_retried,
    AttemptStarted: _attempt_started,
    AttemptEnded: _attempt_ended,
    AttemptTimedOut: _attempt_timed_out,
    StepStarted: _waking_command,
    StepCompleted: _waking_command,
    StepFailed: _timer_started,
    StepCheckpointed: _command,
    CallIssued: _call_issued,
    CallCompleted: _call_completed,
    TimerStarted: _timer_started,
    TimerFired: _timer_fired,
    BranchCompleted: _waking_command,
    CommandReused: _waking_command,
    StateWritten: _command,
    Forgotten: _command,
    PatchDecided: _patch_decided,
    ValueEmitted: _command,
    EventAwaited: _event_awaited,
    EventReceived: _event_received,
    EventSent: _command,
    PromiseCreated: _promise_created,
    PromiseSettled: _promise_settled,
    CancelRequested: _cancel_requested,
    Paused: _no_change,
    Resumed: _no_change,
    TaskMoved: _no_change,
    TaskReported: _task_reported,
    DependencyChanged: _dependency_changed,
}
