"""From what the coordinator knows of a task to what users see of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perdure.client.query import time_of
from perdure.tasks.values import (
    Progress,
    Task,
    TaskError,
    TaskEvent,
    TaskFunction,
    TaskMetadata,
    TaskResult,
    TaskSummary,
    priority_name,
)
from perdure_runtime.core.client import Description
from perdure_runtime.core.entries import (
    DependencyChange,
    DependencyChanged,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Recorded,
    TaskMoved,
    TaskReported,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.tasks import ANYONE, TaskState, TaskStatus
from perdure_runtime.serde import Serializers

PARENT_LABEL = "task.parent"
TAG_LABEL = "task.tag."


def summary_of(description: Description) -> dict[str, Any]:
    """The fields of a `TaskSummary`."""
    task = description.task or TaskState()
    started, ended = description.started_ms, description.ended_ms
    progress = description.progress
    metadata = TaskMetadata(
        created_at=time_of(description.created_ms),
        started_at=time_of(started) if started else None,
        completed_at=time_of(ended) if ended else None,
        duration_ms=ended - started if started and ended else None,
        retry_count=task.retries,
        execution_count=task.starts,
    )
    labels = description.labels
    return {
        "id": description.id,
        "status": description.task_status or TaskStatus.PENDING,
        "queue": description.target.service,
        "function_name": description.target.method,
        "priority": priority_name(description.priority),
        "assigned_to": task.worker,
        "worker_type": task.allowed or ANYONE,
        "progress": None if progress is None else Progress(progress.done, progress.message),
        "metadata": metadata,
        "parent_id": labels.get(PARENT_LABEL, ""),
        "tags": tuple(sorted(n.removeprefix(TAG_LABEL) for n in labels if n.startswith(TAG_LABEL))),
        "error": description.error,
    }


def task_summary(description: Description) -> TaskSummary:
    """A task as lists show it."""
    return TaskSummary(**summary_of(description))


class History:
    """What the journal of a task tells beside its description."""

    def __init__(self, serializers: Serializers) -> None:
        self._serializers = serializers
        self.input: Any = None
        self.definition: dict[str, Any] = {}
        self.events: list[TaskEvent] = []
        self.result: TaskResult | None = None
        self.progress: Progress | None = None
        self.created: ExecutionCreated | None = None
        self.depends_on: dict[str, None] = {}
        self.waits_for: dict[str, None] = {}
        self.due_ms = 0

    def read(self, recorded: Recorded) -> None:
        """Take in the next entry."""
        entry = recorded.entry
        match entry:
            case ExecutionCreated():
                self._created(recorded, entry)
            case TaskMoved():
                self._moved(recorded, entry)
            case TaskReported():
                self._reported(recorded, entry)
            case ExecutionEnded():
                self._ended(recorded, entry)
            case ExecutionRetried():
                self.result = self.progress = None
                if entry.input is not None:
                    self.input = self._decoded(entry.input)
                self._event(recorded, "retried")
            case DependencyChanged():
                self._dependency(recorded, entry)
            case _:
                pass

    def _created(self, recorded: Recorded, entry: ExecutionCreated) -> None:
        options = entry.options
        self.created = entry
        self.input = self._decoded(entry.input)
        if options.task is not None and options.task.definition is not None:
            self.definition = self._decoded(options.task.definition)
        self._event(recorded, "created", "Task created")
        self.depends_on = dict.fromkeys(each.id for each in options.after)
        self.waits_for = dict(self.depends_on)
        self.due_ms = options.start_at_ms or 0
        if options.delay_ms:
            self.due_ms = max(self.due_ms, recorded.time_ms + options.delay_ms)
        if options.task is not None and options.task.hold:
            return
        later = "scheduled" if self.due_ms > recorded.time_ms else "queued"
        self._event(recorded, "blocked" if self.waits_for else later)

    def _moved(self, recorded: Recorded, entry: TaskMoved) -> None:
        data: dict[str, Any] = {}
        if entry.claim:
            data["claim"] = entry.claim
        if entry.failure is not None:
            data["error"] = self.error_of(entry.failure)
        if entry.status is TaskStatus.SCHEDULED:
            self.due_ms = entry.due_ms
        if entry.event in ("assigned", "released", "retried"):
            self.progress = None
        self._event(recorded, entry.event, entry.message, entry, data)

    def _reported(self, recorded: Recorded, entry: TaskReported) -> None:
        data: dict[str, Any] = {}
        if entry.percent is not None:
            remaining_ms = entry.remaining_ms if entry.remaining_ms >= 0 else None
            self.progress = Progress(entry.percent, entry.message, remaining_ms)
            data = {"percent": entry.percent, "current_step": entry.message}
        if entry.priority is not None:
            data["priority"] = priority_name(entry.priority)
        if entry.definition is not None:
            self.definition = self._decoded(entry.definition)
        self._event(recorded, entry.event, entry.message, entry, data)

    def _ended(self, recorded: Recorded, entry: ExecutionEnded) -> None:
        failure = entry.failure
        if entry.status is Status.COMPLETED:
            output = None if entry.result is None else self._decoded(entry.result)
            self.result = TaskResult(True, output)
            self._event(recorded, "completed")
            return
        error = None if failure is None else self.error_of(failure)
        self.result = TaskResult(False, error=error)
        word = "failed" if entry.status is Status.FAILED else "cancelled"
        data = {} if error is None else {"error": error}
        self._event(recorded, word, "" if failure is None else failure.message, None, data)

    def _dependency(self, recorded: Recorded, entry: DependencyChanged) -> None:
        id = entry.dependency.id
        if entry.change is DependencyChange.ADDED:
            self.depends_on[id] = self.waits_for[id] = None
        else:
            self.waits_for.pop(id, None)
        if entry.change is DependencyChange.REMOVED:
            self.depends_on.pop(id, None)
        data = {"id": id, "change": entry.change.value, "status": entry.status}
        self._event(recorded, "dependency", f"{id} {entry.status or entry.change}", None, data)

    def error_of(self, failure: Failure) -> TaskError:
        """A failure as users see it."""
        code = failure.type_name
        if failure.code is FailureCode.CANCELLED:
            code = "TASK_CANCELLED"
        elif failure.code is FailureCode.TIMEOUT:
            code = "TIMEOUT"
        details = None if failure.details is None else self._decoded(failure.details)
        return TaskError(code, failure.message, details, failure.retry_after_ms)

    def _event(
        self,
        recorded: Recorded,
        kind: str,
        message: str = "",
        entry: TaskMoved | TaskReported | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        actor = None if entry is None else entry.actor
        number = f"{recorded.index}" if kind != "created" else "created"
        self.events.append(
            TaskEvent(number, kind, time_of(recorded.time_ms), message, actor, data or {})
        )

    def _decoded(self, payload: Payload) -> Any:
        return self._serializers.decode(payload)


def task_of(
    description: Description, journal: Sequence[Recorded], serializers: Serializers
) -> Task:
    """A task with its whole history."""
    history = History(serializers)
    for recorded in journal:
        history.read(recorded)
    fields = summary_of(description)
    definition = history.definition
    fields["progress"] = history.progress
    options = history.created.options if history.created is not None else None
    function = definition.get("function") or {"name": description.target.method}
    is_due = description.status is Status.SCHEDULED and history.due_ms
    return Task(
        **fields,
        function=TaskFunction(**function),
        input=history.input,
        title=definition.get("title", ""),
        description=definition.get("description", ""),
        result=history.result,
        events=tuple(history.events),
        depends_on=tuple(history.depends_on),
        waits_for=tuple(history.waits_for) if description.ended_ms == 0 else (),
        scheduled_for=time_of(history.due_ms) if is_due else None,
        labels=dict(options.metadata) if options is not None else {},
    )
