"""Recorded failures as the exceptions that bodies see (semantics, section 5).

The first run sees the same as a replay: what was encoded, recorded and restored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from perdure.option_checks import Errors
from perdure_runtime.core.errors import (
    CallError,
    CallTimeoutError,
    MethodNotFoundError,
    RecordedError,
    ServiceUnavailableError,
    StepError,
    StepInterrupted,
)
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.serde import OWN, Serializer, restore_details, restore_exception

_CALL_ERRORS: Final[Mapping[FailureCode, type[CallError]]] = {
    FailureCode.TIMEOUT: CallTimeoutError,
    FailureCode.UNAVAILABLE: ServiceUnavailableError,
    FailureCode.METHOD_NOT_FOUND: MethodNotFoundError,
    FailureCode.CANCELLED: CallError,
}


def step_error(failure: Failure, serializer: Serializer, path: str) -> Exception:
    """What a failed step or branch raises: its own class if it can be restored."""
    kind = StepInterrupted if failure.code is FailureCode.INTERRUPTED else StepError
    recorded = _recorded(kind, failure, serializer)
    if kind is StepInterrupted:
        return _noted(recorded, path)
    restored = restore_exception(failure, allowed=OWN, serializer=serializer)
    return _noted(_joined(restored, recorded, failure, serializer), path)


def call_error(
    failure: Failure, serializer: Serializer, path: str, callee: str, raises: Errors = ()
) -> Exception:
    """What a failed call raises.

    Args:
        callee: the id of the execution that failed.
        raises: classes, beside the builtin ones, that come back as they are.
    """
    kind = _CALL_ERRORS.get(failure.code)
    if kind is not None:
        error: Exception = _recorded(kind, failure, serializer)
    else:
        recorded = _recorded(CallError, failure, serializer)
        restored = restore_exception(failure, allowed=raises, serializer=serializer)
        error = _joined(restored, recorded, failure, serializer)
    if callee:
        error.add_note(f"raised in execution {callee}")
    return _noted(error, path)


def _recorded(kind: type[RecordedError], failure: Failure, serializer: Serializer) -> RecordedError:
    return kind(
        failure.message,
        type_name=failure.type_name,
        details=restore_details(failure, serializer),
    )


def _joined(
    restored: Exception | None, recorded: RecordedError, failure: Failure, serializer: Serializer
) -> Exception:
    """The restored error above the record of it, above the causes of both."""
    if restored is None:
        if failure.cause is not None:
            recorded.__cause__ = restore_exception(failure.cause, allowed=(), serializer=serializer)
        return recorded
    recorded.__cause__ = restored.__cause__
    restored.__cause__ = recorded
    return restored


def _noted(error: Exception, path: str) -> Exception:
    error.add_note(f"at command {path}")
    return error
