"""Payloads, failures, outcomes and state writes, between `perdure_runtime.core` and protobuf.

`fill_*` writes a value into a message that exists already: building through keyword arguments
copies every nested message once more and costs twice the time. `read_*` makes the value. A payload
of plain JSON (no digest, no metadata) has a short form, a bytes field beside the `Payload` field.

Does not encode or decode what users put into payloads; that is `perdure_runtime.serde`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from perdure_proto.v1 import client_pb2, common_pb2, journal_pb2, worker_pb2
from perdure_runtime.core.entries import StateWrite
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.payload import JSON, Failure, FailureCode, Payload

OutcomeMessage = (
    journal_pb2.StepCompleted
    | journal_pb2.BranchCompleted
    | journal_pb2.CallCompleted
    | journal_pb2.PromiseSettled
    | journal_pb2.ExecutionEnded
    | worker_pb2.Finish
    | client_pb2.Outcome
    | client_pb2.SettlePromiseRequest
)
"""Messages with the oneof `outcome` of `result_json`, `result` and `failure`."""

_CODE_NUMBERS: Final = {
    code: cast("common_pb2.FailureCode", common_pb2.FailureCode.Value(f"FAILURE_CODE_{code.name}"))
    for code in FailureCode
}
_CODES: Final = {int(number): code for code, number in _CODE_NUMBERS.items()} | {
    int(common_pb2.FAILURE_CODE_UNSPECIFIED): FailureCode.APPLICATION
}


def wire_text(text: str) -> str:
    r"""The text itself, or with lone surrogates as `\udcXX` where it has no UTF-8 form.

    For texts that people read: an odd character in an error message must not stop its execution.
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def fill_payload(message: common_pb2.Payload, payload: Payload) -> None:
    """Write `payload` into `message`; it is present even when everything in it is empty."""
    message.SetInParent()
    message.data = payload.data
    if payload.encoding != JSON:
        message.encoding = payload.encoding
    if payload.digest:
        message.digest = payload.digest
    if payload.metadata:
        message.metadata.update(payload.metadata)


def read_payload(message: common_pb2.Payload) -> Payload:
    """The payload in `message`."""
    return Payload(message.data, message.encoding or JSON, message.digest, dict(message.metadata))


def is_short(payload: Payload) -> bool:
    """Whether the payload is nothing but JSON text, so that the short form carries it whole."""
    return payload.encoding == JSON and not payload.digest and not payload.metadata


def fill_failure(message: common_pb2.Failure, failure: Failure) -> None:
    """Write `failure` with its causes: a flat list on the wire, so there is no limit of depth."""
    _fill_one_failure(message, failure)
    cause = failure.cause
    while cause is not None:
        _fill_one_failure(message.causes.add(), cause)
        cause = cause.cause


def _fill_one_failure(message: common_pb2.Failure, failure: Failure) -> None:
    message.SetInParent()
    message.type_name = wire_text(failure.type_name)
    message.message = wire_text(failure.message)
    message.code = _CODE_NUMBERS[failure.code]
    message.module = wire_text(failure.module)
    message.qualname = wire_text(failure.qualname)
    message.traceback_text = wire_text(failure.traceback_text)
    message.not_retryable = not failure.retryable
    if failure.args is not None:
        fill_payload(message.args, failure.args)
    if failure.details is not None:
        fill_payload(message.details, failure.details)
    if failure.retry_after_ms is not None:
        message.retry_after_ms = failure.retry_after_ms


def read_failure(message: common_pb2.Failure) -> Failure:
    """The failure in `message`, with its chain of causes."""
    cause: Failure | None = None
    for part in reversed(message.causes):
        if part.causes:
            raise ProtocolError("a member of Failure.causes has causes itself; make the list flat")
        cause = _read_one_failure(part, cause)
    return _read_one_failure(message, cause)


def _read_one_failure(message: common_pb2.Failure, cause: Failure | None) -> Failure:
    code = _CODES.get(message.code)
    if code is None:
        raise ProtocolError(f"unknown failure code {message.code}; upgrade Perdure")
    return Failure(
        type_name=message.type_name,
        message=message.message,
        code=code,
        module=message.module,
        qualname=message.qualname,
        args=read_payload(message.args) if message.HasField("args") else None,
        details=read_payload(message.details) if message.HasField("details") else None,
        traceback_text=message.traceback_text,
        cause=cause,
        retryable=not message.not_retryable,
        retry_after_ms=message.retry_after_ms if message.HasField("retry_after_ms") else None,
    )


def fill_outcome(message: OutcomeMessage, result: Payload | None, failure: Failure | None) -> None:
    """Write at most one of `result` and `failure`.

    Raises:
        ProtocolError: both are given; one of them would be lost.
    """
    if failure is not None:
        if result is not None:
            raise ProtocolError(f"{type(message).__name__} has a result and a failure; send one")
        fill_failure(message.failure, failure)
    elif result is not None:
        if is_short(result):
            message.result_json = result.data
        else:
            fill_payload(message.result, result)


def read_outcome(message: OutcomeMessage) -> tuple[Payload | None, Failure | None]:
    """The result, or the failure, or neither."""
    which = message.WhichOneof("outcome")
    if which == "result_json":
        return Payload(message.result_json), None
    if which == "failure":
        return None, read_failure(message.failure)
    if which == "result":
        return read_payload(message.result), None
    return None, None


def require_outcome(message: OutcomeMessage) -> tuple[Payload | None, Failure | None]:
    """The result or the failure; for entries that record one.

    Raises:
        ProtocolError: neither is set.
    """
    result, failure = read_outcome(message)
    if result is None and failure is None:
        raise ProtocolError(f"{type(message).__name__} has neither a result nor a failure")
    return result, failure


def fill_writes(
    messages: RepeatedCompositeFieldContainer[journal_pb2.StateWrite], writes: Iterable[StateWrite]
) -> None:
    """Append state writes in order."""
    for write in writes:
        message = messages.add()
        message.key = write.key
        if write.value is None:
            continue
        if is_short(write.value):
            message.json = write.value.data
        else:
            fill_payload(message.payload, write.value)


def read_writes(
    messages: RepeatedCompositeFieldContainer[journal_pb2.StateWrite],
) -> tuple[StateWrite, ...]:
    """The state writes in order."""
    if not messages:
        return ()
    return tuple(StateWrite(message.key, _read_value(message)) for message in messages)


def _read_value(message: journal_pb2.StateWrite) -> Payload | None:
    which = message.WhichOneof("value")
    if which == "json":
        return Payload(message.json)
    return read_payload(message.payload) if which == "payload" else None
