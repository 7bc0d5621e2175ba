"""What tasks are made of, as users see them: frozen values with plain fields and zoned times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.tasks import TaskStatus, WorkerRef

Priority = Literal["low", "normal", "high", "urgent", "critical"]

PRIORITIES: Final[dict[Priority, int]] = {
    "low": 1,  # when time permits
    "normal": 2,  # the default
    "high": 3,  # important
    "urgent": 4,  # do next
    "critical": 5,  # do immediately
}
"""The order in which a queue hands out its tasks: the highest first, then first come."""

WorkerLike = WorkerRef | Mapping[str, str] | str

FunctionType = Literal["code", "generative", "agentic", "human"]

ALLOWED_WORKERS: Final[dict[str, str]] = {"human": "human", "agentic": "agent"}
"""Which type of worker may claim tasks of a type of function; any for those not listed."""


@dataclass(frozen=True, slots=True)
class TaskFunction:
    """What is to be done.

    Args:
        name: for programs, for example "summarize".
        type: who can do it: "human" is for people, "agentic" for agents, the others for all.
        args: what the input holds, by name.
        output: what the result is, in words.
        prompt_template: of a generative function.
    """

    name: str
    type: FunctionType = "code"
    description: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    prompt_template: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is.

    Args:
        percent: 0 to 100.
        estimated_time_remaining_ms: at the pace so far; None before there is one.
    """

    percent: float
    current_step: str = ""
    estimated_time_remaining_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task has no output.

    Args:
        code: for programs: "TASK_FAILED" unless something better was given; "TIMEOUT",
            "TASK_NOT_FOUND" and "TASK_CANCELLED" come from `wait_for_task`.
        retry_after_ms: how long to wait before it is tried again.
    """

    code: str
    message: str
    details: Any = None
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came of a task: an output or an error."""

    success: bool
    output: Any = None
    error: TaskError | None = None


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing that happened to a task.

    Args:
        id: counts up along the history of one task; never repeats.
        type: created, queued, scheduled, blocked, assigned, started, progress, comment, review,
            reopened, released, updated, completed, failed, retried, cancelled, dependency.
    """

    id: str
    type: str
    timestamp: datetime
    message: str = ""
    actor: WorkerRef | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskMetadata:
    """Times and counts.

    Args:
        started_at: when the work began for the first time.
        duration_ms: from then to the end.
        retry_count: how often it was tried again.
        execution_count: how often the work began.
    """

    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
    retry_count: int
    execution_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """A task as lists show it.

    Args:
        queue: where it waits for workers.
        assigned_to: who has it, or had it last.
        worker_type: who may claim it: "human", "agent", ...; "any".
        waits_for: ids of the tasks that it depends on and that have not ended.
    """

    id: str
    status: TaskStatus
    queue: str
    function_name: str
    priority: str
    assigned_to: WorkerRef | None
    worker_type: str
    progress: Progress | None
    metadata: TaskMetadata
    parent_id: str
    tags: tuple[str, ...]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(TaskSummary):
    """A task with its whole history.

    Args:
        depends_on: ids of all the tasks that it depends on, ended or not.
        labels: the texts that were given at its creation.
    """

    function: TaskFunction
    input: Any
    title: str
    description: str
    result: TaskResult | None
    events: tuple[TaskEvent, ...]
    depends_on: tuple[str, ...]
    waits_for: tuple[str, ...]
    scheduled_for: datetime | None
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What a bulk operation did to one task: `status` is what it is now, if it worked."""

    id: str
    success: bool
    status: TaskStatus | None = None
    error: TaskError | None = None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """What a queue holds, counted now."""

    total: int
    by_status: Mapping[str, int]
    by_priority: Mapping[str, int]
    average_wait_ms: float | None
    average_work_ms: float | None


def priority_number(priority: str) -> int:
    """The engine's number of a priority.

    Raises:
        InvalidArgumentError: there is no such priority.
    """
    for name, number in PRIORITIES.items():
        if name == priority:
            return number
    raise InvalidArgumentError(f"{priority!r} is no priority; there are {', '.join(PRIORITIES)}")


def priority_name(number: int) -> str:
    """The name of a priority; the number as text where it has none."""
    for name, known in PRIORITIES.items():
        if known == number:
            return name
    return str(number)


def worker_ref(worker: WorkerLike | None) -> WorkerRef | None:
    """A worker, given as one, as a mapping with `id`, `type` and `name`, or as its id.

    Raises:
        InvalidArgumentError: it has no id, or more than these.
    """
    if worker is None or isinstance(worker, WorkerRef):
        return worker
    if isinstance(worker, str):
        return WorkerRef(worker)
    try:
        return WorkerRef(**worker)
    except TypeError:
        raise InvalidArgumentError(
            f"a worker has an id, and maybe a type and a name; not {dict(worker)!r}"
        ) from None
