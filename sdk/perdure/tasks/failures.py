"""What tells of a failed task, as it travels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perdure.tasks.values import TaskError
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.payload import Failure
from perdure_runtime.serde import Serializers
from perdure_runtime.serde.failures import encode_exception

CODE: Final = "TASK_FAILED"
_NAMES: Final = {"retryAfter": "retry_after_ms"}


def failure_of(error: object, serializers: Serializers) -> Failure:
    """A text, a mapping, a `TaskError` or an exception.

    Raises:
        InvalidArgumentError: it is none of these, or has a field that errors of tasks do not have.
    """
    if isinstance(error, str):
        error = TaskError(CODE, error)
    elif isinstance(error, Mapping):
        error = _task_error(error)
    if isinstance(error, TaskError):
        details = error.details
        return Failure(
            error.code,
            error.message,
            details=None if details is None else serializers.encode(details, what="details"),
            retry_after_ms=error.retry_after_ms,
        )
    if isinstance(error, Exception):
        return encode_exception(error, serializers)
    raise InvalidArgumentError(
        f"{error!r} does not tell of a failure: give a text, a mapping with code and message, a "
        "TaskError or an exception"
    )


def _task_error(fields: Mapping[Any, Any]) -> TaskError:
    named = {_NAMES.get(name, name): value for name, value in fields.items()}
    try:
        return TaskError(**({"code": CODE} | named))
    except TypeError:
        raise InvalidArgumentError(
            "an error of a task has a message, and maybe code, details and retry_after_ms; not "
            f"{', '.join(map(str, fields))}"
        ) from None
