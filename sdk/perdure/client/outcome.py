"""Outcomes as the caller sees them: a value, or one of three exceptions (semantics, section 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from perdure.option_checks import Errors
from perdure_runtime.core.client import Outcome
from perdure_runtime.core.errors import (
    ExecutionCancelledError,
    ExecutionFailed,
    ExecutionTimedOut,
    ProtocolError,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import NULL, Failure, Payload
from perdure_runtime.serde import Serializer, annotate, restore_details, restore_exception

T = TypeVar("T")

_UNRECORDED = Failure("Error", "no reason was recorded")


def value_of(
    outcome: Outcome, *, decode: Callable[[Payload], T], raises: Errors, serializer: Serializer
) -> T:
    """The result of an execution that completed.

    `str()` of what is raised is the user's text; the execution is named in a note.

    Args:
        raises: classes that may be restored as the cause, beside the builtin ones.

    Raises:
        ExecutionFailed: `__cause__` is the restored exception, if it can be restored.
        ExecutionCancelledError, ExecutionTimedOut: it ended otherwise.
        SerializationError: the result does not fit the return hint.
    """
    error: ExecutionFailed | ExecutionCancelledError | ExecutionTimedOut
    match outcome.status:
        case Status.COMPLETED:
            return decode(outcome.result or NULL)
        case Status.FAILED:
            error = _failed(outcome.id, outcome.failure or _UNRECORDED, raises, serializer)
        case Status.CANCELLED:
            text = f"cancelled: {outcome.reason}" if outcome.reason else "cancelled"
            error = ExecutionCancelledError(text, execution_id=outcome.id, reason=outcome.reason)
        case Status.TIMED_OUT:
            text = outcome.failure.message if outcome.failure else outcome.reason
            error = ExecutionTimedOut(text or "timed out", execution_id=outcome.id)
        case status:
            raise ProtocolError(f"execution {outcome.id} has an outcome but is {status}")
    annotate(error, execution_id=outcome.id)
    raise error


def _failed(id: str, failure: Failure, raises: Errors, serializer: Serializer) -> ExecutionFailed:
    error = ExecutionFailed(
        failure.message,
        execution_id=id,
        type_name=failure.type_name,
        details=restore_details(failure, serializer),
        traceback_text=failure.traceback_text,
    )
    error.__cause__ = restore_exception(failure, allowed=raises, serializer=serializer)
    return error
