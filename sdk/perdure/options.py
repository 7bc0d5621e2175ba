"""What a user may set on a definition or a call, checked once (semantics, section 3).

Users write seconds; the wire and the journal hold milliseconds. Nothing here knows how an option
takes effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from perdure.option_checks import (
    Errors,
    OnExhausted,
    StateScope,
    check_count,
    check_factor,
    check_number,
    check_seconds,
    dependencies,
    error_classes,
    milliseconds,
    optional_milliseconds,
    start_at_ms,
)
from perdure_runtime.core.client import IdPolicy
from perdure_runtime.core.errors import InvalidArgumentError, NonRetryableError
from perdure_runtime.core.limits import check_execution_id, check_labels, check_name
from perdure_runtime.core.rates import Rate, check_limits
from perdure_runtime.core.retry import Retry


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast something is tried again (semantics, section 3).

    Args:
        max_retries: tries after the first one.
        delay: seconds before the first retry.
        factor: what the delay is multiplied with from retry to retry; at least 1.
        max_delay: seconds; the delay never grows beyond it.
        retry_on: only these exceptions are retried; all when empty.
        non_retryable: these are never retried.

    Raises:
        InvalidArgumentError: a value is negative, NaN or of another type.
    """

    max_retries: int = 3
    delay: float = 1.0
    factor: float = 2.0
    max_delay: float = 60.0
    retry_on: Errors = ()
    non_retryable: Errors = ()

    def __post_init__(self) -> None:
        check_count("RetryPolicy", "max_retries", self.max_retries, minimum=0)
        check_seconds("RetryPolicy", "delay", self.delay, zero=True)
        check_seconds("RetryPolicy", "max_delay", self.max_delay, zero=True)
        check_factor("RetryPolicy", "factor", self.factor)
        for name in ("retry_on", "non_retryable"):
            value = error_classes("RetryPolicy", name, getattr(self, name))
            object.__setattr__(self, name, value)

    def retries(self, error: BaseException) -> bool:
        """Whether this policy tries again after `error`; `NonRetryableError` never is."""
        if isinstance(error, (NonRetryableError, *self.non_retryable)):
            return False
        return not self.retry_on or isinstance(error, self.retry_on)

    def core(self) -> Retry:
        """The part that the coordinator keeps, in milliseconds."""
        return Retry(
            max_retries=self.max_retries,
            delay_ms=milliseconds(self.delay),
            factor=float(self.factor),
            max_delay_ms=milliseconds(self.max_delay),
        )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many executions of a name begin, in all workers together (semantics, section 3).

    Args:
        per_second: on average; less than one is fine.
        burst: at once, after a pause.

    Raises:
        InvalidArgumentError: a value is not allowed.
    """

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        check_number("RateLimit", "per_second", self.per_second)
        check_count("RateLimit", "burst", self.burst, minimum=1)
        check_limits("RateLimit", 0, self.core())

    def core(self) -> Rate:
        """As the coordinator keeps it."""
        return Rate(float(self.per_second), self.burst)


DEFAULT_RETRY: Final = RetryPolicy()
NO_RETRIES: Final = RetryPolicy(max_retries=0)


@dataclass(frozen=True, slots=True)
class Options:
    """The checked options of one definition; what a kind does not take keeps its default.

    Args:
        retry: of an execution of the definition; None: of whoever starts or calls it.
        attempt_timeout_ms: of one attempt of a function; of one try of a step.
        attempt_timeouts_ms: of attempt 1, 2, ... instead; the last one holds for the rest.
        execution_timeout_ms: of all attempts together.
        step_retry: of the steps and plain handlers that the body runs.
        step_timeout_ms: of each step or call that the body makes.
        state_scope: whether `ctx.state` belongs to an execution or to all of the function.
        max_concurrent_steps: None for no limit.
        raises: classes that callers get back as they are.
        id_from: makes the id of a direct call from its input.
        max_concurrency: executions that are under way at a time; None for no limit.
        rate_limit: how many of them begin.
    """

    retry: RetryPolicy | None = None
    attempt_timeout_ms: int | None = None
    execution_timeout_ms: int | None = None
    step_retry: RetryPolicy | None = None
    step_timeout_ms: int | None = None
    on_exhausted: OnExhausted = "fail"
    deterministic: bool = True
    state_scope: StateScope = "execution"
    checkpoint_interval: int = 1
    max_concurrent_steps: int | None = None
    reuse_on_retry: bool = True
    at_most_once: bool = False
    raises: Errors = ()
    id_from: Callable[..., str] | None = None
    max_concurrency: int | None = None
    rate_limit: RateLimit | None = None
    attempt_timeouts_ms: tuple[int, ...] = ()


DEFAULT_OPTIONS: Final = Options()


OnFailed = Literal["block", "fail", "ignore"]
OnCancelled = Literal["block", "cancel", "ignore"]


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What one start or call may say beside its input; None leaves it to the definition.

    Args:
        id: of the execution; made up when None.
        id_policy: "attach" or "reject", when the id exists.
        priority: higher runs earlier.
        start_at: an aware datetime, or seconds since the epoch.
        delay: seconds from now; not together with `start_at`.
        timeout: seconds for the whole execution, all attempts included.
        retry: instead of the definition's policy.
        service: instead of the service that the definition belongs to.
        metadata: small strings that stay with the execution.
        labels: what `client.list(labels=)` and the bulk operations find it by; they never change.
        after: ids of executions that have to complete before this one begins.
        on_dependency_failed: when one of them fails or times out: "block" (wait on, it may be
            retried), "fail" or "ignore" (as if it had completed).
        on_dependency_cancelled: when one is cancelled: "block", "cancel" or "ignore".

    Raises:
        InvalidArgumentError: a value is not allowed.
    """

    id: str | None = None
    id_policy: Literal["attach", "reject"] = "attach"
    priority: int = 0
    start_at: datetime | float | None = None
    delay: float | None = None
    timeout: float | None = None
    retry: RetryPolicy | int | None = None
    service: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    after: Sequence[str] = ()
    on_dependency_failed: OnFailed = "block"
    on_dependency_cancelled: OnCancelled = "block"

    def __post_init__(self) -> None:
        where = "options"
        if self.id is not None:
            check_execution_id(self.id)
        if self.id_policy not in tuple(IdPolicy):
            raise InvalidArgumentError(
                f"{where}: id_policy must be 'attach' or 'reject', not {self.id_policy!r}"
            )
        if isinstance(self.priority, bool) or not isinstance(self.priority, int):
            raise InvalidArgumentError(f"{where}: priority must be an int, not {self.priority!r}")
        if not -(2**31) <= self.priority < 2**31:
            raise InvalidArgumentError(f"{where}: priority {self.priority} does not fit 32 bits")
        optional_milliseconds(where, "timeout", self.timeout)
        if self.delay is not None:
            check_seconds(where, "delay", self.delay, zero=True)
        if self.delay is not None and self.start_at is not None:
            raise InvalidArgumentError(f"{where}: give start_at or delay, not both")
        start_at_ms(self.start_at)
        retry = retry_policy(where, self.retry)
        if retry is not None and (retry.retry_on or retry.non_retryable):
            raise InvalidArgumentError(
                f"{where}: retry_on and non_retryable belong to a definition; a single start or "
                "call takes numbers and delays only"
            )
        if self.service is not None:
            check_name("service", self.service)
        for key, value in self.metadata.items():
            check_name("metadata key", key)
            if not isinstance(value, str):
                raise InvalidArgumentError(
                    f"{where}: metadata[{key!r}] must be a string, not {type(value).__name__}"
                )
        check_labels(self.labels)
        dependencies(self.after, self.on_dependency_failed, self.on_dependency_cancelled)

    def merged(self, changes: Mapping[str, Any]) -> CallOptions:
        """A copy with the given options; those that are None change nothing."""
        return replace(
            self, **{name: value for name, value in changes.items() if value is not None}
        )


def checked_limits(
    where: str, max_concurrency: object, rate_limit: object
) -> tuple[int | None, RateLimit | None]:
    """The limits that a decorator or registration names. Raises `InvalidArgumentError`."""
    most = None
    if max_concurrency is not None:
        most = check_count(where, "max_concurrency", max_concurrency, minimum=1)
    if rate_limit is not None and not isinstance(rate_limit, RateLimit):
        raise InvalidArgumentError(f"{where}: rate_limit must be a RateLimit, not {rate_limit!r}")
    return most, rate_limit


def retry_policy(where: str, retry: RetryPolicy | int | None) -> RetryPolicy | None:
    """What `retry=` takes, a policy or a number of retries, as a policy."""
    if retry is None or isinstance(retry, RetryPolicy):
        return retry
    check_count(where, "retry", retry, minimum=0)
    return RetryPolicy(max_retries=retry)


def choose_retry(
    where: str,
    *,
    retry: RetryPolicy | int | None,
    max_retries: int | None,
    retry_delay: float | None,
    retry_on: Errors = (),
    non_retryable: Errors = (),
) -> RetryPolicy | None:
    """The policy that a decorator's options name; None when they name none.

    Raises:
        InvalidArgumentError: `retry` and one of the others are both given.
    """
    short = {
        "max_retries": max_retries,
        "retry_delay": retry_delay,
        "retry_on": retry_on or None,
        "non_retryable": non_retryable or None,
    }
    given = [name for name, value in short.items() if value is not None]
    if retry is not None and given:
        raise InvalidArgumentError(f"{where}: give retry or {', '.join(given)}, not both")
    if retry is not None or not given:
        return retry_policy(where, retry)
    delay = DEFAULT_RETRY.delay
    if retry_delay is not None:
        delay = check_seconds(where, "retry_delay", retry_delay, zero=True)
    retries = DEFAULT_RETRY.max_retries
    if max_retries is not None:
        retries = check_count(where, "max_retries", max_retries, minimum=0)
    return RetryPolicy(
        max_retries=retries,
        delay=delay,
        max_delay=max(DEFAULT_RETRY.max_delay, delay),
        retry_on=retry_on,
        non_retryable=non_retryable,
    )


NO_CALL_OPTIONS: Final = CallOptions()
