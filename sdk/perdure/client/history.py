"""Journal entries as people read them: what happened, to what, with which values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from perdure.client.query import time_of
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    AttemptTimedOut,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    CommandReused,
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
from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.serde import Serializer

_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of a journal.

    Args:
        index: counts from 0 without gaps.
        kind: `step_completed`, `timer_fired`, ...
        path: of the command it belongs to, "" for none.
        name: of the step, `service/method` of the call, "" for none.
        summary: one line for people.
        value: what it carries, in JSON shape: the result of a step, the input of a call; None if
            there is none or it cannot be read here.
        error: `TypeName: message` of a failure, else "".
        state: what was written to `ctx.state` with it, deleted keys as None.
    """

    index: int
    time: datetime
    kind: str
    path: str
    name: str
    summary: str
    value: Any
    error: str
    state: dict[str, Any]


def history_entry(recorded: Recorded, serializer: Serializer) -> HistoryEntry:
    """A recorded entry as people read it."""
    entry = recorded.entry
    name, summary, carried = _told(entry)
    failure = getattr(entry, "failure", None)
    return HistoryEntry(
        index=recorded.index,
        time=time_of(recorded.time_ms),
        kind=_WORDS.sub("_", type(entry).__name__).lower(),
        path=getattr(entry, "path", ""),
        name=name,
        summary=summary,
        value=_decoded(carried, serializer),
        error="" if failure is None else failure_text(failure),
        state={
            write.key: _decoded(write.value, serializer) for write in getattr(entry, "writes", ())
        },
    )


def failure_text(failure: Failure) -> str:
    """`TypeName: message` of a failure."""
    return f"{failure.type_name}: {failure.message}" if failure.message else failure.type_name


def _told(entry: Entry) -> tuple[str, str, Payload | None]:
    """Name, summary and the payload that an entry carries."""
    match entry:
        case ExecutionCreated():
            target = entry.target.name()
            told = f"run {entry.run} of {target} created"
            if entry.forked is not None:
                told += f", forked from {entry.forked.id} at {entry.forked.path}"
            return target, told, entry.input
        case ExecutionContinued():
            return "", "the run continues as new", None
        case ExecutionEnded():
            return "", f"execution {_ended(str(entry.status), entry.failure)}", entry.result
        case ExecutionRetried():
            return "", "a new attempt was asked for", entry.input
        case AttemptStarted():
            return "", f"attempt {entry.attempt} started", None
        case AttemptEnded():
            why = failure_text(entry.failure)
            return "", f"attempt {entry.attempt} failed: {why}", None
        case AttemptTimedOut():
            return "", f"attempt {entry.attempt} timed out", None
        case StepStarted() | StepCompleted() | StepFailed() | BranchCompleted():
            return _told_of_step(entry)
        case StepCheckpointed():
            return entry.name, f"checkpoint {entry.name}", entry.value
        case CallIssued():
            target = entry.target.name()
            verb = "sent to" if entry.detached else "call of"
            return target, f"{verb} {target} as {entry.child_id}", entry.input
        case CallCompleted():
            return "", f"call {_ended('completed', entry.failure)}", entry.result
        case TimerStarted():
            return "", f"timer of {entry.delay_ms / 1000:g} s started", None
        case TimerFired():
            return "", "timer fired", None
        case CommandReused():
            told = f"{entry.kind} {entry.name} has the result of entry {entry.source_index}"
            return entry.name, told, None
        case ValueEmitted():
            return "", "value emitted", entry.value
        case EventAwaited() | EventReceived() | EventSent() | PromiseCreated() | PromiseSettled():
            return _told_of_event(entry)
        case PatchDecided():
            return entry.id, f"patch {entry.id} is in force", None
        case Forgotten():
            return entry.name, f"{entry.name} is forgotten: a later attempt runs it anew", None
        case StateWritten():
            return "", f"state written: {', '.join(write.key for write in entry.writes)}", None
        case TaskMoved() | TaskReported() | DependencyChanged():
            return _told_of_task(entry)
        case _:
            return "", _told_of_signal(entry), None


def _told_of_step(
    entry: StepStarted | StepCompleted | StepFailed | BranchCompleted,
) -> tuple[str, str, Payload | None]:
    match entry:
        case BranchCompleted():
            what = _ended("completed", entry.failure)
            return entry.name, f"branch {entry.name} {what}", entry.result
        case StepStarted():
            return entry.name, f"step {entry.name} begins", None
        case StepCompleted():
            tries = f" after {entry.tries} tries" if entry.tries > 1 else ""
            what = _ended("completed", entry.failure)
            return entry.name, f"step {entry.name} {what}{tries}", entry.result
        case StepFailed():
            why = failure_text(entry.failure)
            again = f"try {entry.tries} of step {entry.name} failed: {why}; next in"
            return entry.name, f"{again} {entry.delay_ms / 1000:g} s", None


def _told_of_event(
    entry: EventAwaited | EventReceived | EventSent | PromiseCreated | PromiseSettled,
) -> tuple[str, str, Payload | None]:
    match entry:
        case EventAwaited():
            name = entry.event_id
            if entry.source_index:
                return name, f"the wait for event {name} takes entry {entry.source_index}", None
            limit = "" if entry.timeout_ms is None else f" for {entry.timeout_ms / 1000:g} s"
            return name, f"waits for event {name}{limit}", None
        case EventReceived() if entry.payload is None:
            return "", "the wait for an event was cancelled", None
        case EventReceived():
            return "", f"event {entry.sequence} received", entry.payload
        case EventSent():
            to = f" to {entry.execution_id}" if entry.execution_id else ""
            return entry.event_id, f"event {entry.event_id} sent{to}", entry.payload
        case PromiseCreated():
            return entry.name, f"promise {entry.name} made", None
        case PromiseSettled():
            return "", f"promise {_ended('completed', entry.failure)}", entry.result


def _told_of_task(
    entry: TaskMoved | TaskReported | DependencyChanged,
) -> tuple[str, str, Payload | None]:
    if isinstance(entry, DependencyChanged):
        id = entry.dependency.id
        what = f"{entry.change.value}: execution {id}"
        return id, f"dependency {what} {entry.status or ''}".rstrip(), None
    told = entry.event if entry.event == "comment" else f"task {entry.event}"
    if isinstance(entry, TaskReported) and entry.percent is not None:
        told += f" {entry.percent:g} %"
    if entry.actor is not None:
        told += f" by {entry.actor.name or entry.actor.id}"
    if entry.message:
        told += f": {entry.message}"
    return entry.event, told, entry.definition if isinstance(entry, TaskReported) else None


def _told_of_signal(entry: Entry) -> str:
    match entry:
        case CancelRequested():
            what = "cancelled by its timeout" if entry.timed_out else "cancel requested"
        case Paused():
            what = "paused"
        case Resumed():
            return "resumed"
        case _:
            return _WORDS.sub(" ", type(entry).__name__).lower()
    return f"{what}: {entry.reason}" if entry.reason else what


def _ended(word: str, failure: Failure | None) -> str:
    if failure is None:
        return word
    return f"{'failed' if word == 'completed' else word}: {failure_text(failure)}"


def _decoded(payload: Payload | None, serializer: Serializer) -> Any:
    if payload is None:
        return None
    try:
        return serializer.decode(payload)
    except SerializationError:  # another encoding, or a codec that is not configured here
        return None
