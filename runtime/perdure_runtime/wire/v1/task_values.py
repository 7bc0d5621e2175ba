"""Small values of tasks and dependencies, between core and protobuf: start options, rows and
entries are made of them. `perdure_runtime.wire.v1.tasks` has the whole messages."""

from __future__ import annotations

from typing import Final, cast

from perdure_proto.v1 import common_pb2
from perdure_runtime.core.dependencies import Dependency, OnDependency
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.tasks import ANYONE, TaskOptions, TaskState, TaskStatus, WorkerRef
from perdure_runtime.wire.v1.payload import fill_payload, read_payload

TASK_STATUS_NUMBERS: Final = {
    status: cast("common_pb2.TaskStatus", common_pb2.TaskStatus.Value(f"TASK_STATUS_{status.name}"))
    for status in TaskStatus
}
_STATUSES: Final = {int(number): status for status, number in TASK_STATUS_NUMBERS.items()}
_POLICY_NUMBERS: Final = {
    policy: cast(
        "common_pb2.OnDependency", common_pb2.OnDependency.Value(f"ON_DEPENDENCY_{policy.name}")
    )
    for policy in OnDependency
}
_POLICIES: Final = {int(number): policy for policy, number in _POLICY_NUMBERS.items()} | {
    int(common_pb2.ON_DEPENDENCY_UNSPECIFIED): OnDependency.BLOCK
}


def read_task_status(number: int) -> TaskStatus:
    """The status of a task with this number on the wire.

    Raises:
        ProtocolError: no status has it.
    """
    status = _STATUSES.get(number)
    if status is None:
        raise ProtocolError(f"unknown task status number {number}")
    return status


def fill_worker(message: common_pb2.WorkerRef, worker: WorkerRef | None) -> None:
    """Write `worker`, or leave the field absent for None."""
    if worker is None:
        return
    message.SetInParent()
    message.id = worker.id
    if worker.type != ANYONE:
        message.type = worker.type
    message.name = worker.name


def read_worker(message: common_pb2.WorkerRef) -> WorkerRef:
    """The worker in `message`; callers ask `HasField` first."""
    return WorkerRef(message.id, message.type or ANYONE, message.name)


def fill_dependency(message: common_pb2.Dependency, dependency: Dependency) -> None:
    """Write `dependency`."""
    message.SetInParent()
    message.id = dependency.id
    message.on_failed = _POLICY_NUMBERS[dependency.on_failed]
    message.on_cancelled = _POLICY_NUMBERS[dependency.on_cancelled]


def read_dependency(message: common_pb2.Dependency) -> Dependency:
    """The dependency in `message`."""
    return Dependency(message.id, _policy(message.on_failed), _policy(message.on_cancelled))


def _policy(number: int) -> OnDependency:
    policy = _POLICIES.get(number)
    if policy is None:
        raise ProtocolError(f"unknown policy {number} of a dependency; upgrade Perdure")
    return policy


def fill_task_options(message: common_pb2.TaskOptions, task: TaskOptions | None) -> None:
    """Write what makes an execution a task, or leave the field absent for None."""
    if task is None:
        return
    message.SetInParent()
    message.hold = task.hold
    message.allowed = task.allowed
    if task.definition is not None:
        fill_payload(message.definition, task.definition)


def read_task_options(message: common_pb2.TaskOptions) -> TaskOptions:
    """The options in `message`; callers ask `HasField` first."""
    definition = read_payload(message.definition) if message.HasField("definition") else None
    return TaskOptions(message.hold, message.allowed, definition)


def fill_task_state(message: common_pb2.TaskState, task: TaskState | None) -> None:
    """Write what is known of a task, or leave the field absent for None."""
    if task is None:
        return
    message.SetInParent()
    fill_worker(message.worker, task.worker)
    for field in _PLAIN:
        setattr(message, field, getattr(task, field))


def read_task_state(message: common_pb2.TaskState) -> TaskState:
    """What is known of the task in `message`; callers ask `HasField` first."""
    worker = read_worker(message.worker) if message.HasField("worker") else None
    return TaskState(worker=worker, **{field: getattr(message, field) for field in _PLAIN})


_PLAIN: Final = tuple(field for field in TaskState.__struct_fields__ if field != "worker")
