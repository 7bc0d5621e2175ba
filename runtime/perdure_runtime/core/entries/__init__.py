"""What a journal holds: one small file per kind of entry.

An entry is a command that a worker issued, a completion, or a signal. `Recorded` is an entry with
its place and time in one journal. Entries are plain values; what they do to the coordinator's
state is in `perdure_runtime.core.execution`, what they do to a replay in `...core.machine`.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from perdure_runtime.core.entries.attempt import AttemptEnded, AttemptStarted, AttemptTimedOut
from perdure_runtime.core.entries.branch import BranchCompleted
from perdure_runtime.core.entries.call import CallCompleted, CallIssued, Target
from perdure_runtime.core.entries.compensation import Forgotten
from perdure_runtime.core.entries.dependency import DependencyChange, DependencyChanged
from perdure_runtime.core.entries.event import EventAwaited, EventReceived, EventSent
from perdure_runtime.core.entries.execution import (
    ExecutionContinued,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Forked,
    StartOptions,
)
from perdure_runtime.core.entries.patch import PatchDecided
from perdure_runtime.core.entries.promise import PromiseCreated, PromiseSettled
from perdure_runtime.core.entries.reuse import CommandReused
from perdure_runtime.core.entries.signal import CancelRequested, Paused, Resumed
from perdure_runtime.core.entries.state import StateWrite, StateWritten
from perdure_runtime.core.entries.step import (
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from perdure_runtime.core.entries.task import TaskMoved, TaskReported
from perdure_runtime.core.entries.timer import TimerFired, TimerStarted
from perdure_runtime.core.entries.value import ValueEmitted

Command = (
    StepStarted
    | StepCompleted
    | StepFailed
    | StepCheckpointed
    | CallIssued
    | TimerStarted
    | BranchCompleted
    | CommandReused
    | StateWritten
    | ValueEmitted
    | Forgotten
    | PatchDecided
    | EventAwaited
    | EventSent
    | PromiseCreated
)
"""What workers append."""

Entry = (
    Command
    | ExecutionCreated
    | ExecutionContinued
    | ExecutionEnded
    | ExecutionRetried
    | AttemptStarted
    | AttemptEnded
    | AttemptTimedOut
    | CallCompleted
    | TimerFired
    | EventReceived
    | PromiseSettled
    | CancelRequested
    | Paused
    | Resumed
    | TaskMoved
    | TaskReported
    | DependencyChanged
)

COMMANDS: Final = (
    StepStarted,
    StepCompleted,
    StepFailed,
    StepCheckpointed,
    CallIssued,
    TimerStarted,
    BranchCompleted,
    CommandReused,
    StateWritten,
    ValueEmitted,
    Forgotten,
    PatchDecided,
    EventAwaited,
    EventSent,
    PromiseCreated,
)


class Recorded(Struct, frozen=True):
    """An entry in its journal: `index` counts from 0 without gaps, `time_ms` never decreases."""

    index: int
    time_ms: int
    entry: Entry


def is_command(entry: Entry) -> bool:
    """Whether a worker wrote this entry."""
    return isinstance(entry, COMMANDS)


__all__ = [
    "COMMANDS",
    "AttemptEnded",
    "AttemptStarted",
    "AttemptTimedOut",
    "BranchCompleted",
    "CallCompleted",
    "CallIssued",
    "CancelRequested",
    "Command",
    "CommandReused",
    "DependencyChange",
    "DependencyChanged",
    "Entry",
    "EventAwaited",
    "EventReceived",
    "EventSent",
    "ExecutionContinued",
    "ExecutionCreated",
    "ExecutionEnded",
    "ExecutionRetried",
    "Forgotten",
    "Forked",
    "PatchDecided",
    "Paused",
    "PromiseCreated",
    "PromiseSettled",
    "Recorded",
    "Resumed",
    "StartOptions",
    "StateWrite",
    "StateWritten",
    "StepCheckpointed",
    "StepCompleted",
    "StepFailed",
    "StepStarted",
    "Target",
    "TaskMoved",
    "TaskReported",
    "TimerFired",
    "TimerStarted",
    "ValueEmitted",
    "is_command",
]
