"""Options of tasks, checked when a task is made: ids, timeouts and delays by attempt, retries.

Times are whole milliseconds, as in the system that this package takes after. A callable is asked
once for each of the first `MAX_TABLE` attempts, so that the coordinator can keep the times itself;
what it says of the last of them holds for all later ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from perdure.executor.errors import may_retry, refusal
from perdure.option_checks import MAX_COUNT, MAX_SECONDS
from perdure.options import RetryPolicy
from perdure_runtime.core.retry import Retry

Milliseconds = int | Callable[[int], int]
MAX_TABLE: Final = 100
MAX_MS: Final = int(MAX_SECONDS * 1000)
_ID: Final = re.compile(r"\w+", re.ASCII)


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """Back-off by numbers: delay of retry k = min(base * multiplier ** (k - 1), max).

    Args:
        max_attempts: tries after the first one.
    """

    max_attempts: int = 0
    base_delay_ms: int = 0
    delay_multiplier: float = 1.0
    max_delay_ms: int | None = None

    def delay_ms(self, attempt: int) -> int:
        """Before an attempt (0 = the first, which waits for nothing)."""
        if attempt == 0:
            return 0
        try:
            delay = int(self.base_delay_ms * self.delay_multiplier ** (attempt - 1))
        except OverflowError:
            delay = MAX_MS
        return min(delay, MAX_MS if self.max_delay_ms is None else self.max_delay_ms)


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """A task as a finalizer names it; `executor.task` takes the same as keywords.

    Args:
        id: 1 to 255 letters, digits and underscores; unique in the executor.
        run: `(ctx, input)`, async or sync (in a thread); `(ctx)` where there is no input.
        timeout_ms: of one attempt, at least 1; or by attempt (0 = the first). No limit when None.
        max_retry_attempts: tries after the first one.
        sleep_ms_before_attempt: before each attempt, the first included; or by attempt.
        retry_options: instead of the two above.
    """

    id: str
    run: Callable[..., Any]
    timeout_ms: Milliseconds | None = None
    max_retry_attempts: int = 0
    sleep_ms_before_attempt: Milliseconds = 0
    retry_options: RetryOptions | Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ParentTaskOptions:
    """A parent task as a finalizer names it; `executor.parent_task` takes the same as keywords."""

    id: str
    run_parent: Callable[..., Any]
    timeout_ms: Milliseconds | None = None
    max_retry_attempts: int = 0
    sleep_ms_before_attempt: Milliseconds = 0
    retry_options: RetryOptions | Mapping[str, Any] | None = None
    on_run_and_children_complete: TaskOptions | ParentTaskOptions | Mapping[str, Any] | None = None
    finalize: TaskOptions | ParentTaskOptions | Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TaskRetry(RetryPolicy):
    """The engine's policy with delays by attempt, which heeds `is_retryable`."""

    delays_ms: tuple[int, ...] = ()

    def retries(self, error: BaseException) -> bool:
        """See `RetryPolicy`."""
        return may_retry(error) and RetryPolicy.retries(self, error)

    def core(self) -> Retry:
        """See `RetryPolicy`."""
        return Retry(max_retries=self.max_retries, delays_ms=self.delays_ms)


@dataclass(frozen=True, slots=True)
class Attempts:
    """When a task's attempts begin and how long they may take, as tables for the engine."""

    retry: TaskRetry
    timeouts_ms: tuple[int, ...]
    first_delay_ms: int


def finalizer_options(where: str, given: object) -> TaskOptions | ParentTaskOptions:
    """What names a finalizer: options, or a mapping of them. Raises `DurableTaskError`."""
    if isinstance(given, (TaskOptions, ParentTaskOptions)):
        return given
    if not isinstance(given, Mapping):
        raise refusal(
            f"{where} takes TaskOptions, ParentTaskOptions or a dict of them, not {given!r}"
        )
    kind = ParentTaskOptions if "run_parent" in given else TaskOptions
    unknown = given.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise refusal(f"{where} has no option {', '.join(sorted(unknown))}")
    missing = {"id", "run" if kind is TaskOptions else "run_parent"} - given.keys()
    if missing:
        raise refusal(f"{where} lacks {', '.join(sorted(missing))}")
    return kind(**given)


def check_task_id(id: object) -> str:
    """Return `id` if it can name a task. Raises `DurableTaskError`."""
    if not isinstance(id, str) or not id:
        raise refusal("Id cannot be empty")
    if len(id) > 255:
        raise refusal("Id cannot be longer than 255 characters")
    if not _ID.fullmatch(id):
        raise refusal(f"Id can only contain alphanumeric characters and underscores: {id!r}")
    return id


def attempts(options: TaskOptions | ParentTaskOptions) -> Attempts:
    """The tables of a task. Raises `DurableTaskError` that names task, option and attempt."""
    where = f"task {options.id}"
    sleep = options.sleep_ms_before_attempt
    retries: object = options.max_retry_attempts
    backoff = options.retry_options
    if backoff is not None:
        if retries or sleep:
            raise refusal(
                f"{where}: give retry_options, or max_retry_attempts and "
                "sleep_ms_before_attempt, not both"
            )
        backoff = _retry_options(where, backoff)
        retries, sleep = backoff.max_attempts, backoff.delay_ms
    if isinstance(retries, bool) or not isinstance(retries, int) or retries > MAX_COUNT:
        raise refusal(f"{where}: max_retry_attempts must be 0 to {MAX_COUNT}, not {retries!r}")
    retries = max(0, retries)
    delays = _table(f"{where}: sleep_ms_before_attempt", sleep, retries, minimum=0)
    timeouts: tuple[int, ...] = ()
    if options.timeout_ms is not None:
        timeouts = _table(f"{where}: timeout_ms", options.timeout_ms, retries, minimum=1)
    return Attempts(
        TaskRetry(max_retries=retries, delays_ms=_short(delays[1:] or (0,))),
        _short(timeouts),
        delays[0],
    )


def _retry_options(where: str, given: RetryOptions | Mapping[str, Any]) -> RetryOptions:
    try:
        found = given if isinstance(given, RetryOptions) else RetryOptions(**given)
    except TypeError as error:
        raise refusal(f"{where}: retry_options: {error}") from None
    numbers: tuple[object, ...] = (
        found.base_delay_ms,
        found.delay_multiplier,
        found.max_delay_ms or 0,
    )
    if not all(isinstance(each, (int, float)) and each >= 0 for each in numbers):
        raise refusal(f"{where}: retry_options must be numbers of 0 or more: {found}")
    return found


def _table(where: str, value: Milliseconds, retries: int, *, minimum: int) -> tuple[int, ...]:
    if not callable(value):
        return (_checked(where, value, minimum),) * (1 if retries == 0 else 2)
    table = []
    for attempt in range(min(retries + 1, MAX_TABLE)):
        try:
            found: object = value(attempt)
        except Exception as error:
            raise refusal(f"{where}({attempt}) raised {type(error).__name__}: {error}") from error
        table.append(_checked(f"{where}({attempt})", found, minimum))
    return tuple(table)


def _checked(where: str, value: object, minimum: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= MAX_MS:
        return value
    raise refusal(f"{where} must be {minimum} ms or more, as an int, not {value!r}")


def _short(table: tuple[int, ...]) -> tuple[int, ...]:
    """Without a tail that repeats: the engine lets the last entry hold."""
    end = len(table)
    while end > 1 and table[end - 1] == table[end - 2]:
        end -= 1
    return table[:end]
