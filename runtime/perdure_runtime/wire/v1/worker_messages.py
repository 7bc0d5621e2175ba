"""What workers say, between core and protobuf: a pair of functions per kind of message.

`perdure_runtime.wire.v1.frames` has the table that these pairs stand in.
"""

from __future__ import annotations

from perdure_proto.v1 import worker_pb2
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import (
    Append,
    Cached,
    DrainWorker,
    Finish,
    Heartbeat,
    Hello,
    MethodSpec,
    Mismatch,
    Release,
)
from perdure_runtime.core.rates import Rate
from perdure_runtime.wire.v1.entries import fill_commands, read_commands
from perdure_runtime.wire.v1.options import (
    DEFAULT_NAMESPACE,
    fill_progress,
    fill_retry,
    read_progress,
    read_retry,
)
from perdure_runtime.wire.v1.payload import (
    fill_outcome,
    fill_payload,
    fill_writes,
    read_outcome,
    read_payload,
    read_writes,
    wire_text,
)


def fill_hello(message: worker_pb2.Hello, hello: Hello) -> None:
    """Write a `Hello`."""
    message.worker_id = hello.worker_id
    message.namespace = hello.namespace
    message.protocol_min = hello.protocol_min
    message.protocol_max = hello.protocol_max
    for method in hello.methods:
        fill_method(message.methods.add(), method)
    message.slots = hello.slots
    message.build_id = hello.build_id
    message.labels.update(hello.labels)
    message.encodings.extend(hello.encodings)
    for cached in hello.cached:
        fill_cached(message.cached.add(), cached)


def read_hello(message: worker_pb2.Hello) -> Hello:
    """The `Hello` in `message`."""
    return Hello(
        worker_id=message.worker_id,
        namespace=message.namespace or DEFAULT_NAMESPACE,
        methods=tuple(map(read_method, message.methods)),
        slots=message.slots,
        build_id=message.build_id,
        labels=dict(message.labels),
        encodings=tuple(message.encodings),
        cached=tuple(map(read_cached, message.cached)),
        protocol_min=message.protocol_min,
        protocol_max=message.protocol_max,
    )


def fill_method(message: worker_pb2.MethodSpec, method: MethodSpec) -> None:
    """Write one offered method."""
    message.service = method.service
    message.method = method.method
    message.kind = method.kind
    message.version = method.version
    fill_retry(message.retry, method.retry)
    if method.attempt_timeout_ms is not None:
        message.attempt_timeout_ms = method.attempt_timeout_ms
    if method.execution_timeout_ms is not None:
        message.execution_timeout_ms = method.execution_timeout_ms
    message.on_exhausted = method.on_exhausted
    message.input_schema = method.input_schema
    message.output_schema = method.output_schema
    message.shared = method.shared
    message.max_concurrency = method.max_concurrency
    if method.rate is not None:
        message.rate.per_second = method.rate.per_second
        message.rate.burst = method.rate.burst
    message.attempt_timeouts_ms.extend(method.attempt_timeouts_ms)


def read_method(message: worker_pb2.MethodSpec) -> MethodSpec:
    """The offered method in `message`."""
    has = message.HasField
    return MethodSpec(
        service=message.service,
        method=message.method,
        kind=message.kind,
        version=message.version,
        retry=read_retry(message.retry) if has("retry") else None,
        attempt_timeout_ms=message.attempt_timeout_ms if has("attempt_timeout_ms") else None,
        execution_timeout_ms=message.execution_timeout_ms if has("execution_timeout_ms") else None,
        on_exhausted=message.on_exhausted or "fail",
        input_schema=message.input_schema,
        output_schema=message.output_schema,
        shared=message.shared,
        max_concurrency=message.max_concurrency,
        rate=Rate(message.rate.per_second, message.rate.burst) if has("rate") else None,
        attempt_timeouts_ms=tuple(message.attempt_timeouts_ms),
    )


def fill_cached(message: worker_pb2.Cached, cached: Cached) -> None:
    """Write one cached execution."""
    message.namespace, message.id = cached.key
    message.run = cached.run
    message.attempt = cached.attempt
    message.epoch = cached.epoch
    message.last_index = cached.last_index
    message.acknowledged = cached.acknowledged
    message.first_time_ms = cached.first_time_ms
    message.last_time_ms = cached.last_time_ms


def read_cached(message: worker_pb2.Cached) -> Cached:
    """The cached execution in `message`."""
    return Cached(
        ExecutionKey(message.namespace or DEFAULT_NAMESPACE, message.id),
        message.run,
        message.attempt,
        message.epoch,
        message.last_index,
        message.acknowledged,
        message.first_time_ms,
        message.last_time_ms,
    )


def fill_append(message: worker_pb2.Append, append: Append) -> None:
    """Write an `Append`."""
    message.epoch = append.epoch
    message.base = append.base
    message.consumed = append.consumed
    fill_commands(message.commands, append.commands)
    if append.cancel_calls:
        message.cancel_calls.extend(append.cancel_calls)
    if append.cancel_timers:
        message.cancel_timers.extend(append.cancel_timers)
    if append.idle:
        message.idle = True
    if append.progress is not None:
        fill_progress(message.progress, append.progress)


def read_append(message: worker_pb2.Append) -> Append:
    """The `Append` in `message`."""
    return Append(
        message.epoch,
        message.base,
        message.consumed,
        read_commands(message.commands),
        tuple(message.cancel_calls),
        tuple(message.cancel_timers),
        message.idle,
        read_progress(message.progress) if message.HasField("progress") else None,
    )


def fill_finish(message: worker_pb2.Finish, finish: Finish) -> None:
    """Write a `Finish`."""
    message.epoch = finish.epoch
    message.base = finish.base
    message.consumed = finish.consumed
    fill_outcome(message, finish.result, finish.failure)
    if finish.cancelled:
        message.cancelled = True
    if finish.timed_out:
        message.timed_out = True
    fill_writes(message.writes, finish.writes)
    fill_progress(message.progress, finish.progress)
    if finish.object_state is not None:
        fill_payload(message.object_state, finish.object_state)
    message.unclaimed_events.extend(finish.unclaimed_events)
    if finish.continue_input is not None:
        fill_payload(message.continue_input, finish.continue_input)
    fill_writes(message.state, finish.state)


def read_finish(message: worker_pb2.Finish) -> Finish:
    """The `Finish` in `message`."""
    result, failure = read_outcome(message)
    return Finish(
        message.epoch,
        message.base,
        message.consumed,
        result,
        failure,
        message.cancelled,
        message.timed_out,
        read_writes(message.writes),
        read_progress(message.progress) if message.HasField("progress") else None,
        read_payload(message.object_state) if message.HasField("object_state") else None,
        tuple(message.unclaimed_events),
        read_payload(message.continue_input) if message.HasField("continue_input") else None,
        read_writes(message.state),
    )


def fill_mismatch(message: worker_pb2.Mismatch, mismatch: Mismatch) -> None:
    """Write a `Mismatch`."""
    message.epoch = mismatch.epoch
    message.diff = wire_text(mismatch.diff)


def read_mismatch(message: worker_pb2.Mismatch) -> Mismatch:
    """The `Mismatch` in `message`."""
    return Mismatch(message.epoch, message.diff)


def fill_release(message: worker_pb2.Release, release: Release) -> None:
    """Write a `Release`."""
    message.epoch = release.epoch
    message.reason = wire_text(release.reason)


def read_release(message: worker_pb2.Release) -> Release:
    """The `Release` in `message`."""
    return Release(message.epoch, message.reason)


def fill_heartbeat(message: worker_pb2.Heartbeat, heartbeat: Heartbeat) -> None:
    """Write a `Heartbeat`: its presence is all."""


def read_heartbeat(message: worker_pb2.Heartbeat) -> Heartbeat:
    """The `Heartbeat` in `message`."""
    return Heartbeat()


def fill_drain_worker(message: worker_pb2.DrainWorker, drain: DrainWorker) -> None:
    """Write a `DrainWorker`: its presence is all."""


def read_drain_worker(message: worker_pb2.DrainWorker) -> DrainWorker:
    """The `DrainWorker` in `message`."""
    return DrainWorker()
