"""Targets, policies, options, links, progress and statuses, between core and protobuf.

Each pair of functions carries one small value; `payload` explains `fill_*` and `read_*`.
"""

from __future__ import annotations

from typing import Final, cast

from perdure_proto.v1 import common_pb2
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.ids import ExecutionKey, ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.retry import Retry
from perdure_runtime.wire.v1.payload import wire_text
from perdure_runtime.wire.v1.task_values import (
    fill_dependency,
    fill_task_options,
    read_dependency,
    read_task_options,
)

DEFAULT_NAMESPACE: Final = "default"
"""What an empty namespace on the wire means."""

STATUS_NUMBERS: Final = {
    status: cast("common_pb2.Status", common_pb2.Status.Value(f"STATUS_{status.name}"))
    for status in Status
}
_STATUSES: Final = {int(number): status for status, number in STATUS_NUMBERS.items()}


def read_status(number: int) -> Status:
    """The status with this number on the wire.

    Raises:
        ProtocolError: no status has it.
    """
    status = _STATUSES.get(number)
    if status is None:
        raise ProtocolError(f"unknown status number {number}")
    return status


def fill_target(message: common_pb2.Target, target: Target) -> None:
    """Write `target`."""
    message.service = target.service
    message.method = target.method
    if target.key:
        message.key = target.key


def read_target(message: common_pb2.Target) -> Target:
    """The target in `message`."""
    return Target(message.service, message.method, message.key)


def fill_retry(message: common_pb2.Retry, retry: Retry | None) -> None:
    """Write `retry`, or leave the field absent for None."""
    if retry is None:
        return
    message.SetInParent()
    message.max_retries = retry.max_retries
    message.delay_ms = retry.delay_ms
    message.factor = retry.factor
    message.max_delay_ms = retry.max_delay_ms
    message.delays_ms.extend(retry.delays_ms)


def read_retry(message: common_pb2.Retry) -> Retry:
    """The policy in `message`; callers ask `HasField` first."""
    return Retry(
        message.max_retries,
        message.delay_ms,
        message.factor,
        message.max_delay_ms,
        tuple(message.delays_ms),
    )


def fill_parent(message: common_pb2.ParentLink, parent: ParentLink) -> None:
    """Write the link to the call that made a child."""
    message.SetInParent()
    message.namespace, message.id = parent.key
    message.run = parent.run
    message.attempt = parent.attempt
    message.path = parent.path
    message.detached = parent.detached


def read_parent(message: common_pb2.ParentLink) -> ParentLink:
    """The link in `message`."""
    return ParentLink(
        ExecutionKey(message.namespace, message.id),
        message.run,
        message.attempt,
        message.path,
        message.detached,
    )


def fill_options(message: common_pb2.StartOptions, options: StartOptions) -> None:
    """Write start options; all of them at their defaults write nothing."""
    if options.priority:
        message.priority = options.priority
    if options.start_at_ms is not None:
        message.start_at_ms = options.start_at_ms
    if options.attempt_timeout_ms is not None:
        message.attempt_timeout_ms = options.attempt_timeout_ms
    if options.execution_timeout_ms is not None:
        message.execution_timeout_ms = options.execution_timeout_ms
    fill_retry(message.retry, options.retry)
    fill_retry(message.handler_retry, options.handler_retry)
    if options.metadata:
        message.metadata.update(options.metadata)
    if options.delay_ms:
        message.delay_ms = options.delay_ms
    if options.labels:
        message.labels.update(options.labels)
    fill_task_options(message.task, options.task)
    for dependency in options.after:
        fill_dependency(message.after.add(), dependency)


def read_options(message: common_pb2.StartOptions) -> StartOptions:
    """The options in `message`; absent ones are the defaults."""
    has = message.HasField
    return StartOptions(
        priority=message.priority,
        start_at_ms=message.start_at_ms if has("start_at_ms") else None,
        attempt_timeout_ms=message.attempt_timeout_ms if has("attempt_timeout_ms") else None,
        execution_timeout_ms=message.execution_timeout_ms if has("execution_timeout_ms") else None,
        retry=read_retry(message.retry) if has("retry") else None,
        handler_retry=read_retry(message.handler_retry) if has("handler_retry") else None,
        metadata=dict(message.metadata),
        delay_ms=message.delay_ms,
        labels=dict(message.labels),
        task=read_task_options(message.task) if has("task") else None,
        after=tuple(map(read_dependency, message.after)),
    )


def fill_progress(message: common_pb2.Progress, progress: Progress | None) -> None:
    """Write `progress`, or leave the field absent for None."""
    if progress is None:
        return
    message.SetInParent()
    message.done = progress.done
    if progress.total is not None:
        message.total = progress.total
    if progress.message:
        message.message = wire_text(progress.message)


def read_progress(message: common_pb2.Progress) -> Progress:
    """The progress in `message`; callers ask `HasField` first."""
    total = message.total if message.HasField("total") else None
    return Progress(message.done, total, message.message)
