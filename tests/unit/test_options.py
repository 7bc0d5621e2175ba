"""What a user may set: bounds, messages, and the units of the core."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from perdure.client.start_options import start_options
from perdure.errors import InvalidArgumentError, LimitExceededError, NonRetryableError
from perdure.option_checks import milliseconds, optional_milliseconds
from perdure.options import CallOptions, RetryPolicy, choose_retry, retry_policy
from perdure_runtime.core.entries import StartOptions
from perdure_runtime.core.retry import Retry


def test_a_policy_in_seconds_is_a_core_policy_in_milliseconds() -> None:
    policy = RetryPolicy(max_retries=5, delay=0.5, factor=3, max_delay=9)
    assert Retry(max_retries=5, delay_ms=500, factor=3.0, max_delay_ms=9_000) == policy.core()
    assert Retry() == RetryPolicy().core()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RetryPolicy(max_retries=-1), "max_retries must be 0"),
        (lambda: RetryPolicy(max_retries=True), "max_retries must be an int, not True"),
        (lambda: RetryPolicy(max_retries=1.5), "max_retries must be an int"),  # type: ignore[arg-type] # the point
        (lambda: RetryPolicy(delay=-1), "delay must be 0 or more seconds, not -1"),
        (lambda: RetryPolicy(delay=math.nan), "delay must be 0 or more seconds, not nan"),
        (lambda: RetryPolicy(delay=math.inf), "delay must be 0 or more seconds, not inf"),
        (lambda: RetryPolicy(factor=0.5), "factor must be 1"),
        (lambda: RetryPolicy(factor=math.nan), "factor must be 1"),
        (lambda: RetryPolicy(retry_on=("x",)), "retry_on takes exception classes"),  # type: ignore[arg-type] # the point
        (lambda: CallOptions(timeout=0), "timeout must be more than 0 seconds, not 0"),
        (lambda: CallOptions(timeout=1e12), "over 100 years"),
        (lambda: CallOptions(delay=-0.1), "delay must be 0 or more"),
        (lambda: CallOptions(delay=1, start_at=2.0), "start_at or delay, not both"),
        (lambda: CallOptions(start_at=datetime(2030, 1, 1)), "no time zone"),  # noqa: DTZ001 - the point
        (lambda: CallOptions(priority=2**40), "does not fit 32 bits"),
        (lambda: CallOptions(id=""), "execution id is empty"),
        (lambda: CallOptions(id="~mine"), "made by Perdure"),
        (lambda: CallOptions(id_policy="replace"), "'attach' or 'reject'"),  # type: ignore[arg-type] # the point
        (lambda: CallOptions(labels={"a": ""}), "value of label 'a' is empty"),
        (lambda: CallOptions(labels={str(n): "x" for n in range(33)}), "33 labels.*limit is 32"),
        (lambda: CallOptions(metadata={"a": 1}), r"metadata\['a'\] must be a string"),  # type: ignore[dict-item] # the point
        (lambda: CallOptions(retry=RetryPolicy(retry_on=(OSError,))), "belong to a definition"),
    ],
)
def test_what_is_not_allowed_is_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        make()


def test_an_id_has_a_limit() -> None:
    CallOptions(id="x" * 255)
    with pytest.raises(LimitExceededError, match="256 characters"):
        CallOptions(id="x" * 256)


@pytest.mark.parametrize(
    ("expected", "policy", "error"),
    [
        (True, RetryPolicy(), ValueError()),
        (False, RetryPolicy(), NonRetryableError()),
        (False, RetryPolicy(non_retryable=(ValueError,)), ValueError()),
        (True, RetryPolicy(non_retryable=(ValueError,)), KeyError()),
        (False, RetryPolicy(retry_on=(OSError,)), ValueError()),
        (True, RetryPolicy(retry_on=(OSError,)), TimeoutError()),
        (False, RetryPolicy(retry_on=(OSError,), non_retryable=(TimeoutError,)), TimeoutError()),
    ],
)
def test_a_policy_says_what_it_retries(
    expected: bool, policy: RetryPolicy, error: Exception
) -> None:
    assert expected is policy.retries(error)


def test_a_number_is_a_policy_with_the_default_delays() -> None:
    assert RetryPolicy(max_retries=7) == retry_policy("x", 7)
    assert retry_policy("x", None) is None


def test_retry_and_its_short_forms_exclude_each_other() -> None:
    with pytest.raises(InvalidArgumentError, match="@x: give retry or max_retries, not both"):
        choose_retry("@x", retry=1, max_retries=2, retry_delay=None)


def test_a_long_retry_delay_raises_the_cap() -> None:
    policy = choose_retry("@x", retry=None, max_retries=None, retry_delay=120)
    assert RetryPolicy(delay=120, max_delay=120) == policy


@pytest.mark.parametrize(
    ("expected", "seconds"), [(0, 0.0), (1, 0.001), (1, 0.0001), (300, 0.3), (1_100, 1.1)]
)
def test_milliseconds_are_never_less_than_asked_for(expected: int, seconds: float) -> None:
    assert expected == milliseconds(seconds)


def test_the_shortest_timeout_is_a_millisecond() -> None:
    assert optional_milliseconds("x", "timeout", 1e-9) == 1


def test_options_travel_in_milliseconds() -> None:
    options = CallOptions(
        priority=5,
        start_at=datetime(2030, 1, 1, tzinfo=UTC),
        timeout=1.5,
        retry=2,
        metadata={"tenant": "a"},
        labels={"team": "b"},
    )
    assert StartOptions(
        priority=5,
        start_at_ms=1_893_456_000_000,
        execution_timeout_ms=1_500,
        retry=Retry(max_retries=2),
        handler_retry=Retry(),
        metadata={"tenant": "a"},
        labels={"team": "b"},
    ) == start_options(options)


def test_merging_keeps_what_is_not_given() -> None:
    options = CallOptions(id="a", priority=1).merged({"priority": 2, "timeout": None})
    assert CallOptions(id="a", priority=2) == options
