"""What clients ask of the coordinator and what it answers, as plain values.

The unary and streaming RPCs of `ClientService` and the embedded link both carry exactly these.
Every mutating request has a `request_id`, remembered with its answer for 24 h, so that a lost
answer never doubles anything (architecture, section 3).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from perdure_runtime.core.dependencies import Dependency
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.tasks import TaskState, TaskStatus, WorkerRef


class IdPolicy(StrEnum):
    """What a start does when its id exists (semantics, section 8)."""

    ATTACH = "attach"  # same target and input: attach; otherwise AlreadyExistsError
    REJECT = "reject"  # AlreadyExistsError


class StartRequest(Struct, frozen=True):
    """Start an execution. `id` is never empty: clients make one when the user gives none.

    `held` are the objects ("Class/id") held by those who await it: a step that starts something
    hands on what its execution knows (semantics, section 6).
    """

    namespace: str
    request_id: str
    id: str
    target: Target
    input: Payload
    options: StartOptions = StartOptions()
    id_policy: IdPolicy = IdPolicy.ATTACH
    trace: dict[str, str] = {}
    held: tuple[str, ...] = ()


class StartReply(Struct, frozen=True):
    """The execution exists and is on disk. `created` is False when the start attached."""

    id: str
    run: int
    created: bool


class Outcome(Struct, frozen=True):
    """How an execution ended."""

    id: str
    status: Status
    result: Payload | None = None
    failure: Failure | None = None
    reason: str = ""


class Description(Struct, frozen=True):
    """What `describe` and `list` know. Times are milliseconds since the epoch, 0 = not yet."""

    id: str
    namespace: str
    target: Target
    kind: str
    status: Status
    run: int
    attempt: int
    priority: int
    created_ms: int
    started_ms: int
    ended_ms: int
    version: str = ""
    worker: str = ""
    journal_length: int = 0
    waiting_for: tuple[str, ...] = ()
    error: str = ""
    detail: str = ""
    progress: Progress | None = None
    parent_id: str = ""
    labels: dict[str, str] = {}
    task: TaskState | None = None
    task_status: TaskStatus | None = None


class ListRequest(Struct, frozen=True):
    """A page of executions, newest first; empty fields match all, all of `labels` must."""

    namespace: str
    statuses: tuple[Status, ...] = ()
    service: str = ""
    method: str = ""
    id_prefix: str = ""
    parent_id: str = ""
    limit: int = 100
    cursor: str = ""
    labels: dict[str, str] = {}
    task_statuses: tuple[TaskStatus, ...] = ()


class ListReply(Struct, frozen=True):
    """One page and the cursor of the next ("" at the end)."""

    items: tuple[Description, ...]
    next_cursor: str = ""


class ControlOperation(StrEnum):
    """What `Control` can do to executions."""

    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"
    FORK = "fork"


class ControlRequest(Struct, frozen=True):
    """One operation on executions: those in `ids`, or a page of those that `filter` selects.

    `at` and `new_id` are for `fork`: the command path, and the id of the new execution. `trace`
    names the span of the caller, for `cancel`.
    """

    namespace: str
    request_id: str
    operation: ControlOperation
    ids: tuple[str, ...] = ()
    reason: str = ""
    input: Payload | None = None
    grace_ms: int | None = None
    filter: ListRequest | None = None
    at: str = ""
    new_id: str = ""
    trace: dict[str, str] = {}


class ControlResult(Struct, frozen=True):
    """What happened to one execution. `effect` is False when it had already ended."""

    id: str
    effect: bool
    error_code: str = ""
    error_message: str = ""


class ControlReply(Struct, frozen=True):
    """One result per execution, in order; the cursor of the filter's next page ("" at the end)."""

    results: tuple[ControlResult, ...]
    next_cursor: str = ""


class SendEventRequest(Struct, frozen=True):
    """Put an event into its mailbox. `execution_id` addresses one execution, "" all that wait."""

    namespace: str
    request_id: str
    event_id: str
    payload: Payload
    execution_id: str = ""
    dedupe_id: str = ""


class SendEventReply(Struct, frozen=True):
    """The event is on disk, now or from an earlier request of the same dedupe id."""


class SettlePromiseRequest(Struct, frozen=True):
    """Complete or fail a promise; neither result nor failure is the result null.

    With `heartbeat` it settles nothing: the time without a heartbeat begins anew.
    """

    namespace: str
    request_id: str
    token: str
    result: Payload | None = None
    failure: Failure | None = None
    heartbeat: bool = False


class SettlePromiseReply(Struct, frozen=True):
    """`effect` is False when the promise had been settled, or its execution has ended."""

    effect: bool


class MethodInfo(Struct, frozen=True):
    """A registered method and how many live workers offer it."""

    service: str
    method: str
    kind: str
    version: str
    workers: int
    input_schema: str = ""
    output_schema: str = ""


class WorkerInfo(Struct, frozen=True):
    """A connected worker."""

    worker_id: str
    session_id: str
    namespace: str
    services: tuple[str, ...]
    slots: int
    active: int
    cached: int
    build_id: str = ""


class TaskOperation(StrEnum):
    """What can be done to tasks beside what `Control` does to all executions."""

    MOVE = "move"  # to `status`, by the table in `core.tasks`
    START = "start"  # assign and begin, in one
    PROGRESS = "progress"
    HEARTBEAT = "heartbeat"  # the lease begins anew
    RELEASE = "release"  # give it back to the queue
    RETRY = "retry"
    COMMENT = "comment"
    UPDATE = "update"  # priority, definition
    DEPEND = "depend"  # of any execution that has not begun
    UNDEPEND = "undepend"


class TaskRequest(Struct, frozen=True):
    """One operation on tasks; each has its own result.

    Args:
        token: of the claim that this is asked with; 0: by an operator, whoever has the task.
        worker: who asks; for `assigned` and `start`: who gets the task.
        message: reason, comment, current step.
        percent: of `progress`.
        result, failure: of `completed` and `failed`.
        input: of `retry`.
        at_ms: when what is moved to `scheduled` becomes queued.
        lease_ms: of `heartbeat`, None: as long as before.
    """

    namespace: str
    request_id: str
    operation: TaskOperation
    ids: tuple[str, ...]
    status: TaskStatus | None = None
    token: int = 0
    worker: WorkerRef | None = None
    message: str = ""
    percent: float | None = None
    result: Payload | None = None
    failure: Failure | None = None
    input: Payload | None = None
    priority: int | None = None
    definition: Payload | None = None
    at_ms: int | None = None
    lease_ms: int | None = None
    dependency: Dependency | None = None


class TaskResult(Struct, frozen=True):
    """What happened to one task; `before` is what it was."""

    id: str
    before: TaskStatus | None = None
    after: TaskStatus | None = None
    error_code: str = ""
    error_message: str = ""


class TaskReply(Struct, frozen=True):
    """One result per task, in order."""

    results: tuple[TaskResult, ...]


class ClaimRequest(Struct, frozen=True):
    """Take the next task of some queues, or a certain one.

    Args:
        queues: names of services; the task of the highest priority of all is next, then the oldest.
        worker: who gets it; tasks that are for another type of worker are left alone.
        lease_ms: without a sign of life for so long the task goes back to its queue; 0: it stays.
        begin: its work begins at once.
        wait_ms: how long to wait for one, None: until there is one.
        id: take this one, or nothing.
    """

    namespace: str
    request_id: str
    worker: WorkerRef
    queues: tuple[str, ...] = ()
    lease_ms: int = 30_000
    begin: bool = False
    wait_ms: int | None = 0
    id: str = ""


class ClaimReply(Struct, frozen=True):
    """A task and the token of its claim; an empty id: there was none."""

    id: str = ""
    token: int = 0
    target: Target | None = None
    input: Payload | None = None
    definition: Payload | None = None
    priority: int = 0
    starts: int = 0
    created_ms: int = 0
    metadata: dict[str, str] = {}
