"""Errors on the wire: the one table of error class and gRPC status code, and both ways across it.

An error travels as a status code, a short message, and the trailing metadata `perdure-error-bin`
with an `ErrorDetail`. gRPC itself is not imported: codes are its numbers and names. Does not decide
what is retried; callers see the class.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from perdure_proto.v1 import common_pb2
from perdure_runtime.core import errors
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.messages import Refused
from perdure_runtime.wire.v1.payload import wire_text

ERROR_METADATA: Final = "perdure-error-bin"
"""Key of the trailing metadata."""

# Metadata may take 8 KiB in all; base64 and percent encoding make these up to three times as long.
_STATUS_BYTES: Final = 800
_MESSAGE_BYTES: Final = 2_400
_FIELD_BYTES: Final = 300


class Code(IntEnum):
    """gRPC status codes; `grpc.StatusCode[code.name]` is the library's member."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


CODES: Final[dict[type[PerdureError], Code]] = {
    errors.PerdureError: Code.INTERNAL,
    errors.ApplicationError: Code.UNKNOWN,
    errors.NonRetryableError: Code.UNKNOWN,
    errors.CompensationError: Code.UNKNOWN,
    errors.RecordedError: Code.UNKNOWN,
    errors.StepError: Code.UNKNOWN,
    errors.StepInterrupted: Code.ABORTED,
    errors.CallError: Code.UNKNOWN,
    errors.ServiceUnavailableError: Code.UNAVAILABLE,
    errors.MethodNotFoundError: Code.UNIMPLEMENTED,
    errors.CallTimeoutError: Code.DEADLINE_EXCEEDED,
    errors.EventTimeoutError: Code.DEADLINE_EXCEEDED,
    errors.ExecutionFailed: Code.UNKNOWN,
    errors.ExecutionCancelledError: Code.CANCELLED,
    errors.ExecutionTimedOut: Code.DEADLINE_EXCEEDED,
    errors.InvalidArgumentError: Code.INVALID_ARGUMENT,
    errors.LimitExceededError: Code.INVALID_ARGUMENT,
    errors.AlreadyExistsError: Code.ALREADY_EXISTS,
    errors.NotFoundError: Code.NOT_FOUND,
    errors.AmbiguousTargetError: Code.INVALID_ARGUMENT,
    errors.InvalidTransitionError: Code.FAILED_PRECONDITION,
    errors.ClaimLostError: Code.FAILED_PRECONDITION,
    errors.ReentrancyError: Code.FAILED_PRECONDITION,
    errors.SharedMethodError: Code.FAILED_PRECONDITION,
    errors.DeadlockError: Code.ABORTED,
    errors.SerializationError: Code.INVALID_ARGUMENT,
    errors.JournalMismatchError: Code.FAILED_PRECONDITION,
    errors.NotDeterministicError: Code.FAILED_PRECONDITION,
    errors.NotInExecutionError: Code.FAILED_PRECONDITION,
    errors.AuthenticationError: Code.UNAUTHENTICATED,
    errors.DatabaseInUseError: Code.FAILED_PRECONDITION,
    errors.SchemaVersionError: Code.FAILED_PRECONDITION,
    errors.DataLossError: Code.DATA_LOSS,
    errors.CoordinatorUnavailableError: Code.UNAVAILABLE,
    errors.OverloadedError: Code.RESOURCE_EXHAUSTED,
    errors.ProtocolError: Code.FAILED_PRECONDITION,
}
"""A class that is not listed has the code of its nearest listed base."""

BARE_CODES: Final[dict[Code, type[PerdureError]]] = {
    Code.CANCELLED: errors.CoordinatorUnavailableError,
    Code.DEADLINE_EXCEEDED: errors.CoordinatorUnavailableError,
    Code.INVALID_ARGUMENT: errors.InvalidArgumentError,
    Code.NOT_FOUND: errors.NotFoundError,
    Code.ALREADY_EXISTS: errors.AlreadyExistsError,
    Code.RESOURCE_EXHAUSTED: errors.OverloadedError,
    Code.UNIMPLEMENTED: errors.ProtocolError,
    Code.UNAVAILABLE: errors.CoordinatorUnavailableError,
    Code.DATA_LOSS: errors.DataLossError,
    Code.PERMISSION_DENIED: errors.AuthenticationError,
    Code.UNAUTHENTICATED: errors.AuthenticationError,
}
"""What a status without our metadata means: it comes from gRPC or from a proxy on the way."""

_CLASSES: Final = {error_class.__name__: error_class for error_class in CODES}
_OVERSIZE: Final = "larger than max"  # gRPC's words for a message over its limit, in every language


class WireStatus(NamedTuple):
    """An error as gRPC carries it; `detail` is the value of `ERROR_METADATA`."""

    code: Code
    message: str
    detail: bytes


def listed_class(error: BaseException) -> type[PerdureError]:
    """The nearest listed class of an error; `PerdureError` for what is not ours."""
    for base in type(error).__mro__:
        if base in CODES:
            return base
    return PerdureError


def to_status(error: BaseException) -> WireStatus:
    """The status that tells a peer of `error`. Errors that are not ours are internal ones."""
    detail = common_pb2.ErrorDetail()
    fill_error(detail, error)
    return WireStatus(
        CODES[listed_class(error)],
        _cut(_message_of(error), _STATUS_BYTES),
        detail.SerializeToString(),
    )


def from_status(code: int, message: str, detail: bytes | None = None) -> PerdureError:
    """The error that a peer's status tells of.

    Args:
        code: the number of the gRPC status.
        message: the status' text, used where the detail is absent.
        detail: value of the trailing metadata `ERROR_METADATA`, if any.
    """
    if detail:
        try:
            return read_error(common_pb2.ErrorDetail.FromString(detail))
        except DecodeError:
            pass  # not ours then: the bare status says what it can
    try:
        known = Code(code)
    except ValueError:
        return PerdureError(f"gRPC status {code}: {message}")
    if known is Code.RESOURCE_EXHAUSTED and _OVERSIZE in message:
        return errors.LimitExceededError(message)
    error_class = BARE_CODES.get(known)
    if error_class is None:
        return PerdureError(f"{known.name}: {message}")
    return error_class(message)


def fill_error(message: common_pb2.ErrorDetail, error: BaseException) -> None:
    """Write an error, for metadata and for batched replies."""
    message.name = listed_class(error).__name__
    message.message = _cut(_message_of(error), _MESSAGE_BYTES)
    retry_after = getattr(error, "retry_after", None)
    if isinstance(retry_after, int | float):
        message.retry_after_ms = round(retry_after * 1000)
    for field in ("execution_id", "type_name", "reason"):
        value = getattr(error, field, "")
        if isinstance(value, str) and value:
            setattr(message, field, _cut(value, _FIELD_BYTES))


def read_error(message: common_pb2.ErrorDetail) -> PerdureError:
    """The error in `message`; a class that is not known here becomes a `PerdureError`."""
    error_class = _CLASSES.get(message.name)
    if error_class is None:
        return PerdureError(f"{message.name}: {message.message}")
    error = error_class(message.message)
    if message.HasField("retry_after_ms") and hasattr(error, "retry_after"):
        error.retry_after = message.retry_after_ms / 1000
    for field in ("execution_id", "type_name", "reason"):
        value = getattr(message, field)
        if value and hasattr(error, field):
            setattr(error, field, value)
    return error


def error_from_name(name: str, message: str) -> PerdureError:
    """The error of a class name and text: `Refused`, `ControlResult.error_code`."""
    return read_error(common_pb2.ErrorDetail(name=name, message=message))


def refused(error: BaseException) -> Refused:
    """The last message of a session that cannot go on because of `error`."""
    return Refused(listed_class(error).__name__, _message_of(error))


def _message_of(error: BaseException) -> str:
    if isinstance(error, PerdureError):
        return str(error)
    return f"internal error: {type(error).__name__}: {error}"


def _cut(text: str, limit_bytes: int) -> str:
    encoded = wire_text(text).encode()
    if len(encoded) <= limit_bytes:
        return encoded.decode()
    return encoded[: limit_bytes - 3].decode("utf-8", "ignore") + "..."
