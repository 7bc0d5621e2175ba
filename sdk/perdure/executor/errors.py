"""Errors of the executor, and how an execution's record tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perdure_runtime.core.errors import ApplicationError
from perdure_runtime.core.payload import Failure, FailureCode

ErrorType = Literal["generic", "timed_out", "cancelled"]


class DurableTaskError(ApplicationError):
    """What tasks raise to say whether another attempt makes sense, and what the executor raises.

    Args:
        message: what happened, for people.
        is_retryable: whether the task's retries apply.
        retry_after: seconds before the next attempt, instead of `sleep_ms_before_attempt`.
    """

    def __init__(
        self, message: str = "", is_retryable: bool = True, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message, type_name=type(self).__name__, retry_after=retry_after)
        self.is_retryable = is_retryable


class DurableTaskTimedOutError(DurableTaskError):
    """The task took too long. Retried unless told otherwise; the last one gives `timed_out`."""

    def __init__(self, message: str = "Task timed out", is_retryable: bool = True) -> None:
        super().__init__(message, is_retryable)


class DurableTaskCancelledError(DurableTaskError):
    """The task gives itself up: it is never retried and ends as `cancelled`."""

    def __init__(self, message: str = "Task cancelled") -> None:
        super().__init__(message, is_retryable=False)


@dataclass(frozen=True, slots=True)
class TaskError:
    """An error as it was recorded.

    Args:
        error_type: `generic`, `timed_out` or `cancelled`.
        type_name: the class of the exception.
    """

    error_type: ErrorType
    message: str
    is_retryable: bool
    type_name: str = ""


def refusal(message: str) -> DurableTaskError:
    """An error of the executor's own: trying again does not help."""
    return DurableTaskError(message, is_retryable=False)


def may_retry(error: BaseException) -> bool:
    """Whether an exception of a task's body leaves its retries in force."""
    return not isinstance(error, DurableTaskError) or error.is_retryable


def task_error(failure: Failure) -> TaskError:
    """A recorded failure as users read it."""
    kind: ErrorType = "generic"
    if (
        failure.code is FailureCode.TIMEOUT
        or failure.type_name == DurableTaskTimedOutError.__name__
    ):
        kind = "timed_out"
    elif (
        failure.code is FailureCode.CANCELLED
        or failure.type_name == DurableTaskCancelledError.__name__
    ):
        kind = "cancelled"
    return TaskError(kind, failure.message, failure.retryable, failure.type_name)
