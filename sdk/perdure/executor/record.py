"""`TaskExecution`: what is known of one execution of a task, read off its journal.

The statuses of tasks are made of the engine's in one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from perdure.executor.errors import TaskError, task_error
from perdure.executor.flows import CHILDREN_FAILED, FINALIZER_FAILED, Names
from perdure_runtime.core.entries import (
    AttemptEnded,
    CallCompleted,
    CallIssued,
    Entry,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Recorded,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, Payload

O = TypeVar("O")  # noqa: E741 - output


class TaskStatus(StrEnum):
    """What an execution of a task is doing, or how it ended."""

    READY = "ready"
    RUNNING = "running"
    WAITING_FOR_CHILDREN = "waiting_for_children"
    WAITING_FOR_FINALIZER = "waiting_for_on_run_and_children_complete"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CHILDREN_FAILED = "children_failed"
    FINALIZER_FAILED = "on_run_and_children_complete_failed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """Which part of a task an execution is in: others than `RUN` are those of tasks of tasks."""

    RUN = "run"
    CHILDREN = "children"
    FINALIZER = "finalizer"


def _by_phase(run: TaskStatus, children: TaskStatus, finalizer: TaskStatus) -> dict[Phase, Any]:
    return {Phase.RUN: run, Phase.CHILDREN: children, Phase.FINALIZER: finalizer}


_WAITING: Final = (TaskStatus.WAITING_FOR_CHILDREN, TaskStatus.WAITING_FOR_FINALIZER)
STATUSES: Final[Mapping[Status, Mapping[Phase, TaskStatus]]] = {
    Status.SCHEDULED: _by_phase(TaskStatus.READY, *_WAITING),
    Status.QUEUED: _by_phase(TaskStatus.READY, *_WAITING),
    Status.RUNNING: _by_phase(TaskStatus.RUNNING, *_WAITING),
    Status.SUSPENDED: _by_phase(TaskStatus.RUNNING, *_WAITING),
    Status.PAUSED: _by_phase(TaskStatus.READY, *_WAITING),
    Status.BLOCKED: _by_phase(TaskStatus.READY, *_WAITING),
    Status.FAILED: _by_phase(
        TaskStatus.FAILED, TaskStatus.CHILDREN_FAILED, TaskStatus.FINALIZER_FAILED
    ),
    Status.TIMED_OUT: dict.fromkeys(Phase, TaskStatus.TIMED_OUT),
    Status.CANCELLED: dict.fromkeys(Phase, TaskStatus.CANCELLED),
    Status.COMPLETED: dict.fromkeys(Phase, TaskStatus.COMPLETED),
}
_ERROR_STATUSES: Final = {
    "timed_out": TaskStatus.TIMED_OUT,
    "cancelled": TaskStatus.CANCELLED,
    "generic": TaskStatus.FAILED,
}
FINISHED: Final = frozenset(TaskStatus) - {TaskStatus.READY, TaskStatus.RUNNING, *_WAITING}


@dataclass(frozen=True, slots=True)
class TaskReference:
    """One execution of a task."""

    task_id: str
    execution_id: str


@dataclass(frozen=True, slots=True)
class ChildError:
    """A child that failed, timed out or was cancelled by somebody else than its parent."""

    index: int
    task_id: str
    execution_id: str
    error: TaskError


@dataclass(frozen=True, slots=True)
class TaskExecution(Generic[O]):
    """A snapshot of one execution of a task.

    Args:
        root_task, parent_task: None for what was enqueued.
        run_input: after its check.
        run_output: of a parent task's `run_parent`; of other tasks the same as `output`.
        output: None before it is completed.
        children: of a task of tasks, in order.
        children_errors: those of `children_failed`.
        error: of the last attempt, also while another is due.
        retry_attempts: how many attempts there were after the first.
        engine_status: the status that `perdure list` shows.
        detail: why it is parked or waits for a worker, in words.
    """

    root_task: TaskReference | None
    parent_task: TaskReference | None
    task_id: str
    execution_id: str
    run_input: Any
    run_output: Any
    output: O | None
    children: tuple[TaskReference, ...]
    children_errors: tuple[ChildError, ...]
    on_run_and_children_complete: TaskReference | None
    on_run_and_children_complete_error: TaskError | None
    error: TaskError | None
    status: TaskStatus
    retry_attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    engine_status: str
    detail: str

    @property
    def is_finished(self) -> bool:
        """Whether it has ended."""
        return self.status in FINISHED


@dataclass(slots=True)
class Part:
    """A call of a flow, as its journal tells it."""

    task_id: str
    execution_id: str
    completed: bool = False
    result: Payload | None = None
    failure: Failure | None = None


@dataclass(slots=True)
class Story:
    """What the journal of an execution tells.

    Args:
        run: the part that is a parent task's `run_parent`.
        others: children in order, and the finalizer.
    """

    input: Payload | None = None
    run: Part | None = None
    others: list[Part] = field(default_factory=list)
    last_failure: Failure | None = None
    ended: ExecutionEnded | None = None
    updated_ms: int = 0
    _by_path: dict[str, Part] = field(default_factory=dict)

    def tell(self, recorded: Recorded, names: Names) -> None:
        """One more entry."""
        self.updated_ms = recorded.time_ms
        self._take(recorded.entry, names)

    def _take(self, entry: Entry, names: Names) -> None:
        match entry:
            case ExecutionCreated(input=input):
                self.input = input
            case ExecutionRetried(input=changed):
                self.input, self.ended = changed or self.input, None
            case CallIssued(path=path, target=target, child_id=child_id):
                part = self._by_path[path] = Part(target.method, child_id)
                if target.service == names.parts:
                    self.run = part
                elif target.service == names.tasks:
                    self.others.append(part)
            case CallCompleted(path=path, result=result, failure=failure) if path in self._by_path:
                part = self._by_path[path]
                part.completed, part.result, part.failure = True, result, failure
            case AttemptEnded(failure=failure):
                self.last_failure = failure
            case ExecutionEnded():
                self.ended, self.last_failure = entry, entry.failure or self.last_failure

    def phase(self, children: int, status: Status) -> Phase:
        """Where it is, or where it failed.

        Args:
            children: how many calls before that of the finalizer.
        """
        if status is Status.FAILED and self.ended is not None and self.ended.failure is not None:
            kind = self.ended.failure.type_name
            if kind == CHILDREN_FAILED:
                return Phase.CHILDREN
            return Phase.FINALIZER if kind == FINALIZER_FAILED else Phase.RUN
        if len(self.others) > children:
            return Phase.FINALIZER
        if self.others or (self.run is not None and self.run.completed):
            return Phase.CHILDREN
        return Phase.RUN

    @property
    def error(self) -> TaskError | None:
        """Of the attempt that ended last; that of `run_parent` is its parent task's."""
        if self.run is not None and self.run.failure is not None:
            return task_error(self.run.failure)
        return None if self.last_failure is None else task_error(self.last_failure)


def status_of(story: Story, status: Status, phase: Phase) -> TaskStatus:
    """The status of a task by the engine's, the phase, and what a body said of itself."""
    if status is Status.FAILED and phase is Phase.RUN and story.error is not None:
        return _ERROR_STATUSES[story.error.error_type]
    if phase is Phase.RUN and story.run is not None and status is Status.QUEUED:
        return TaskStatus.RUNNING  # the flow around it has begun
    return STATUSES[status][phase]


def children_errors(parts: Iterable[Part]) -> tuple[ChildError, ...]:
    """Those of the parts that failed."""
    return tuple(
        ChildError(index, part.task_id, part.execution_id, task_error(part.failure))
        for index, part in enumerate(parts)
        if part.failure is not None
    )
