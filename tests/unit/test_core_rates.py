"""The token bucket: how many begin within any stretch of time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.rates import Bucket, Rate, check_limits

rates = st.builds(Rate, st.floats(0.01, 1000), st.integers(1, 20))
# (milliseconds until somebody wants to begin; whether the coordinator dies before that)
turns = st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=60)


@given(rate=rates, turns=turns, full=st.booleans())
def test_no_stretch_of_time_sees_more_starts_than_the_rate_allows_even_over_crashes(
    rate: Rate, turns: list[tuple[int, bool]], full: bool
) -> None:
    now_ms, bucket = 0, Bucket(rate, 0, full=full)
    begun_ms: list[int] = []
    for wait_ms, dies in turns:
        now_ms += wait_ms
        if dies:
            bucket = Bucket(rate, now_ms, full=False)
        if bucket.has(1, now_ms):
            bucket.take(now_ms)
            begun_ms.append(now_ms)
    for first, start_ms in enumerate(begun_ms):
        for last, end_ms in enumerate(begun_ms[first:], first):
            allowed = rate.burst + rate.per_second * (end_ms - start_ms) / 1000
            assert last - first + 1 <= allowed + 1e-6


@given(rate=rates, wait_ms=st.integers(0, 2000))
def test_the_time_that_is_named_is_early_enough_and_not_too_early(rate: Rate, wait_ms: int) -> None:
    bucket = Bucket(rate, 0, full=True)
    while bucket.has(1, wait_ms):
        bucket.take(wait_ms)
    due_ms = bucket.due_ms(1, wait_ms)
    assert bucket.has(1, due_ms)
    assert due_ms - wait_ms <= math.ceil(1000 / rate.per_second) + 1


def test_a_rate_that_changes_keeps_what_has_gathered_up_to_the_new_burst() -> None:
    bucket = Bucket(Rate(1, 10), 0, full=True)
    bucket.change(Rate(1, 2), 0)
    assert bucket.has(2, 0)
    assert not bucket.has(3, 0)
    bucket.take(0)
    bucket.change(Rate(1, 10), 0)
    assert not bucket.has(2, 0)


@pytest.mark.parametrize(
    ("most", "rate"),
    [
        (-1, None),
        (1_000_001, None),
        (0, Rate(0.0)),
        (0, Rate(-1.0)),
        (0, Rate(math.nan)),
        (0, Rate(math.inf)),
        (0, Rate(1.0, 0)),
        (0, Rate(1.0, 1_000_001)),
    ],
)
def test_limits_that_cannot_be(most: int, rate: Rate | None) -> None:
    with pytest.raises(InvalidArgumentError, match="s/m"):
        check_limits("s/m", most, rate)
