"""Every error that Perdure raises, in one tree (semantics, section 10).

Each error says what happened, where and what to do. The gRPC status of each class
lives in `perdure_runtime.wire.v1.status`, not here: this module knows no transport.
"""

from __future__ import annotations

from typing import Any


class PerdureError(Exception):
    """Root of all errors raised by Perdure."""


class ApplicationError(PerdureError):
    """Raise it from your code to fail with a type name and details that every language can read.

    Args:
        message: what happened, for people.
        type_name: a name for programs; the class name when omitted.
        details: any encodable value, handed on unchanged.
        retry_after: seconds to wait before the next attempt, instead of the policy's delay.
    """

    def __init__(
        self,
        message: str = "",
        *,
        type_name: str | None = None,
        details: Any = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.type_name = type_name or type(self).__name__
        self.details = details
        self.retry_after = retry_after


class NonRetryableError(ApplicationError):
    """An application error that no policy retries (semantics, section 3)."""


class CompensationError(NonRetryableError):
    """Compensations of a saga failed: what they were to undo may still be in effect.

    Not retried: somebody has to look. `details` lists the failed ones; `__cause__` is why the saga
    had to be undone.
    """


class RecordedError(PerdureError):
    """A failure that came out of the journal: base of `StepError` and `CallError`."""

    def __init__(self, message: str = "", *, type_name: str = "", details: Any = None) -> None:
        super().__init__(message)
        self.type_name = type_name or type(self).__name__
        self.details = details


class StepError(RecordedError):
    """A step failed and its exception class could not be restored; see `type_name`."""


class StepInterrupted(StepError):
    """A step with `at_most_once=True` was interrupted by a crash; it is not run again."""


class CallError(RecordedError):
    """A called function, method or handler failed; see `type_name` and `__cause__`."""


class ServiceUnavailableError(CallError):
    """No worker offered the service before the call's timeout."""


class MethodNotFoundError(CallError):
    """The service is there and has never registered this method."""


class CallTimeoutError(CallError):
    """A call took longer than its timeout. Not a `TimeoutError` (semantics, section 5)."""


class EventTimeoutError(PerdureError, TimeoutError):
    """No event arrived within the timeout of `wait_for_event`."""


class ExecutionFailed(PerdureError):
    """The execution ended as `failed`; `__cause__` is the restored exception."""

    def __init__(
        self,
        message: str = "",
        *,
        execution_id: str = "",
        type_name: str = "",
        details: Any = None,
        traceback_text: str = "",
    ) -> None:
        super().__init__(message)
        self.execution_id = execution_id
        self.type_name = type_name
        self.details = details
        self.traceback_text = traceback_text


class ExecutionCancelledError(PerdureError):
    """The execution ended as `cancelled`."""

    def __init__(self, message: str = "", *, execution_id: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.execution_id = execution_id
        self.reason = reason


class ExecutionTimedOut(PerdureError):
    """The execution ended as `timed_out`."""

    def __init__(self, message: str = "", *, execution_id: str = "") -> None:
        super().__init__(message)
        self.execution_id = execution_id


class InvalidArgumentError(PerdureError, ValueError):
    """A value is outside what is allowed: a bad id, name, size or option."""


class LimitExceededError(InvalidArgumentError):
    """Something is larger than its limit; the message names the size and the limit."""


class AlreadyExistsError(PerdureError):
    """The id is taken by an execution with another function or another input."""


class NotFoundError(PerdureError):
    """No such execution (or worker, or schedule) in this namespace."""


class AmbiguousTargetError(PerdureError):
    """Several services offer the name; say which one with `service=`."""


class InvalidTransitionError(PerdureError):
    """The lifecycle does not allow this; the message names both states.

    Args:
        from_status: what a task is, "" where it did not come back with the error.
        to_status: what it cannot become.
    """

    def __init__(self, message: str = "", *, from_status: str = "", to_status: str = "") -> None:
        super().__init__(message)
        self.from_status = from_status
        self.to_status = to_status


class ClaimLostError(InvalidTransitionError):
    """A task is not, or no longer, held by the claim that this was asked with: do nothing more."""


class ReentrancyError(PerdureError):
    """A chain of calls came back to an object that it already holds.

    A chain is what one call made: calls, steps and what these start, as long as the method that
    holds the object runs. Who only attaches to an execution that exists already is not in its
    chain: should that one call back, both wait until a cancel. Put such a call into
    `asyncio.timeout`; its own `timeout` counts for nothing where it attaches.
    """


class DeadlockError(PerdureError):
    """Two chains of calls wait for each other's objects; safe to retry."""


class SharedMethodError(PerdureError):
    """A shared method changed an attribute of its object; nothing was saved (semantics, 6)."""


class SerializationError(PerdureError):
    """A value cannot be encoded or decoded; the message names the path and the type."""


class JournalMismatchError(PerdureError):
    """The code does not issue what the journal recorded (semantics, section 4)."""


class NotDeterministicError(PerdureError):
    """A body did something that a replay cannot repeat; the message says what to write."""


class NotInExecutionError(PerdureError):
    """This needs a running execution (or a context member that steps do not have)."""


class AuthenticationError(PerdureError):
    """The coordinator does not know the token that came with the call, or none came."""


class DatabaseInUseError(PerdureError):
    """Another process owns the database file; the message names its pid and the way out."""


class SchemaVersionError(PerdureError):
    """The database was written by a newer version of Perdure; nothing was changed."""


class DataLossError(PerdureError):
    """The store lost or damaged acknowledged data; nothing was written."""


class CoordinatorUnavailableError(PerdureError):
    """The coordinator cannot be reached, or went away."""


class OverloadedError(PerdureError):
    """The coordinator refuses new work; nothing was accepted, retry after `retry_after` seconds."""

    def __init__(self, message: str = "", *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProtocolError(PerdureError):
    """The other side speaks another protocol version, or broke the protocol."""


class NotDeterministicWarning(UserWarning):
    """A body names something whose value a replay cannot repeat (file and line in the message)."""


class PerdureWarning(UserWarning):
    """Something works but weaker than it could; the message says why and what to do."""
