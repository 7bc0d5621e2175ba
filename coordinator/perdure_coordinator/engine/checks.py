"""Checks of what comes from outside about events, promises and tasks, before it is recorded."""

from __future__ import annotations

from typing import Final

from perdure_runtime.core.client import (
    ClaimRequest,
    SendEventRequest,
    SettlePromiseRequest,
    TaskRequest,
)
from perdure_runtime.core.dependencies import Dependency
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import MAX_REASON_CHARS, check_name, check_payload_bytes
from perdure_runtime.core.tasks import TaskOptions, WorkerRef
from perdure_runtime.core.tokens import PromiseAddress, read_token

MAX_DEPENDENCIES: Final = 1_000
MAX_TASKS: Final = 1_000
MAX_QUEUES: Final = 100
MAX_PRIORITY: Final = 2**31 - 1


def check_send_event(request: SendEventRequest) -> None:
    """Raises InvalidArgumentError or LimitExceededError."""
    check_name("namespace", request.namespace)
    check_name("request id", request.request_id)
    check_name("event id", request.event_id)
    if request.execution_id:
        check_name("execution id", request.execution_id)
    if request.dedupe_id:
        check_name("dedupe id", request.dedupe_id)
    check_payload_bytes(f"the event {request.event_id!r}", len(request.payload.data))


def check_settle(request: SettlePromiseRequest) -> PromiseAddress:
    """The address in a token. Raises InvalidArgumentError or LimitExceededError."""
    check_name("namespace", request.namespace)
    check_name("request id", request.request_id)
    address = read_token(request.token)
    if address.key.namespace != request.namespace:
        raise InvalidArgumentError(
            f"the token is of namespace {address.key.namespace!r}, this client of "
            f"{request.namespace!r}"
        )
    if request.result is not None:
        check_payload_bytes("the result of the promise", len(request.result.data))
    return address


def check_dependencies(dependencies: tuple[Dependency, ...]) -> None:
    """Raises InvalidArgumentError or LimitExceededError."""
    if len(dependencies) > MAX_DEPENDENCIES:
        raise InvalidArgumentError(
            f"{len(dependencies)} executions to wait for; the limit is {MAX_DEPENDENCIES}"
        )
    for dependency in dependencies:
        check_name("id of a dependency", dependency.id)


def check_task_options(task: TaskOptions) -> None:
    """Raises InvalidArgumentError or LimitExceededError."""
    if task.allowed:
        check_name("type of worker", task.allowed)
    if task.definition is not None:
        check_payload_bytes("the definition of the task", len(task.definition.data))


def check_task_request(request: TaskRequest) -> None:
    """Raises InvalidArgumentError or LimitExceededError."""
    check_name("namespace", request.namespace)
    check_name("request id", request.request_id)
    if not 1 <= len(request.ids) <= MAX_TASKS:
        raise InvalidArgumentError(f"{len(request.ids)} ids in one request; give 1 to {MAX_TASKS}")
    if len(request.message) > MAX_REASON_CHARS:
        raise InvalidArgumentError(f"the message is longer than {MAX_REASON_CHARS} characters")
    if request.priority is not None and abs(request.priority) > MAX_PRIORITY:
        raise InvalidArgumentError(f"the priority is beyond {MAX_PRIORITY}")
    _check_worker(request.worker)
    for what in ("result", "input", "definition"):
        payload = getattr(request, what)
        if payload is not None:
            check_payload_bytes(f"the {what} of the task", len(payload.data))
    if request.dependency is not None:
        check_dependencies((request.dependency,))


def check_claim_request(request: ClaimRequest) -> None:
    """Raises InvalidArgumentError or LimitExceededError."""
    check_name("namespace", request.namespace)
    check_name("request id", request.request_id)
    _check_worker(request.worker)
    if bool(request.id) == bool(request.queues):
        raise InvalidArgumentError("claim from queues or give an id, one of them")
    if len(request.queues) > MAX_QUEUES:
        raise InvalidArgumentError(f"{len(request.queues)} queues; the limit is {MAX_QUEUES}")
    for queue in request.queues:
        check_name("queue", queue)
    if request.lease_ms < 0:
        raise InvalidArgumentError("a lease is not negative")


def _check_worker(worker: WorkerRef | None) -> None:
    if worker is None:
        return
    check_name("worker id", worker.id)
    check_name("type of worker", worker.type)
    if worker.name:
        check_name("name of the worker", worker.name)
