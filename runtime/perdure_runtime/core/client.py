"""What clients ask of the coordinator and what it answers, as plain values.

The unary and streaming RPCs of `ClientService` and the embedded link both carry exactly these.
Every mutating request has a `request_id`, remembered with its answer for 24 h, so that a lost
answer never doubles anything (architecture, section 3).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import Failure, Payload


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
