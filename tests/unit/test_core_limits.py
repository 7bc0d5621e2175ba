"""Limits, protocol versions and the delays of retries."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure_runtime.core.errors import InvalidArgumentError, LimitExceededError, ProtocolError
from perdure_runtime.core.limits import (
    MAX_DUE_MS,
    MAX_PAYLOAD_BYTES,
    check_execution_id,
    check_name,
    check_payload_bytes,
    due_after,
)
from perdure_runtime.core.retry import JITTER, Retry, retry_delay_ms
from perdure_runtime.core.version import (
    JOURNAL_VERSION,
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    check_journal_version,
    negotiate,
)


@pytest.mark.parametrize("name", ["a", "x" * 255, "größe", "名前", "a b/c:d", "😀"])
def test_a_name_is_any_text(name: str) -> None:
    assert check_name("name", name) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        ("x" * 256, "256 characters; the limit is 255"),
        ("x" * 10**6, "1000000 characters"),
        ("a\nb", r"U\+000A at position 1"),
        ("\0", r"U\+0000"),
        ("a\x7f", r"U\+007F"),
        ("a\x85", r"U\+0085"),
        ("\ud800", r"U\+D800"),
        (b"a", "must be a string, not bytes"),
        (None, "not NoneType"),
    ],
)
def test_what_is_no_name_is_refused(name: str, says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        check_name("name", name)


def test_ids_that_perdure_makes_cannot_be_chosen() -> None:
    with pytest.raises(InvalidArgumentError, match="made by Perdure"):
        check_execution_id("~abc")


def test_a_payload_beyond_the_limit_is_refused_with_both_numbers() -> None:
    check_payload_bytes("the input", MAX_PAYLOAD_BYTES)
    with pytest.raises(LimitExceededError, match=f"{MAX_PAYLOAD_BYTES + 1}.*{MAX_PAYLOAD_BYTES}"):
        check_payload_bytes("the input", MAX_PAYLOAD_BYTES + 1)


@given(st.integers(0, MAX_DUE_MS), st.integers(-(2**63), 2**63 - 1))
def test_a_due_time_is_not_before_now_and_fits_every_store(now_ms: int, delay_ms: int) -> None:
    assert now_ms <= due_after(now_ms, delay_ms) <= MAX_DUE_MS


def test_the_highest_common_version_is_chosen() -> None:
    assert negotiate(PROTOCOL_MIN, PROTOCOL_MAX + 5) == PROTOCOL_MAX


@pytest.mark.parametrize(
    ("theirs", "who"),
    [
        ((PROTOCOL_MAX + 1, PROTOCOL_MAX + 2), "upgrade the coordinator"),
        ((PROTOCOL_MIN - 1, PROTOCOL_MIN - 1), "upgrade the client or worker"),
    ],
)
def test_no_common_version_names_who_should_upgrade(theirs: tuple[int, int], who: str) -> None:
    with pytest.raises(ProtocolError, match=who):
        negotiate(*theirs)


@pytest.mark.parametrize("version", [0, JOURNAL_VERSION + 1])
def test_a_journal_of_another_format_is_refused(version: int) -> None:
    check_journal_version(JOURNAL_VERSION)
    with pytest.raises(ProtocolError, match="upgrade Perdure"):
        check_journal_version(version)


def test_delays_grow_by_the_factor_up_to_the_cap() -> None:
    policy = Retry(10, delay_ms=1_000, factor=2.0, max_delay_ms=60_000)
    delays = [retry_delay_ms(policy, retry, draw=0.0) for retry in range(1, 9)]
    assert delays == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]


def test_delays_may_be_a_table_and_are_then_exact() -> None:
    policy = Retry(10, delays_ms=(0, 30, 20))
    delays = [retry_delay_ms(policy, retry, draw=0.9) for retry in range(1, 6)]
    assert delays == [0, 30, 20, 20, 20]
    assert retry_delay_ms(policy, 1, 0.9, retry_after_ms=7) == 7


def test_a_failure_may_name_its_own_delay() -> None:
    assert retry_delay_ms(Retry(), 5, 0.9, retry_after_ms=7) == 7
    assert retry_delay_ms(Retry(), 5, 0.9, retry_after_ms=-7) == 0


POLICIES = st.builds(
    Retry,
    delay_ms=st.integers(0, 10**9),
    factor=st.floats(1, 10),
    max_delay_ms=st.integers(0, 10**9),
)
DRAWS = st.floats(0, 1, exclude_max=True)


@given(POLICIES, st.integers(1, 10**6), DRAWS)
def test_jitter_only_lengthens_a_delay_and_by_a_fifth_at_most(
    policy: Retry, retry: int, draw: float
) -> None:
    plain = retry_delay_ms(policy, retry, 0.0)
    assert plain <= retry_delay_ms(policy, retry, draw) <= plain * (1 + JITTER) + 1
    assert plain <= policy.max_delay_ms


@pytest.mark.parametrize("factor", [math.inf, -math.inf, math.nan, 1e300, 0.0, -2.0])
def test_a_wild_factor_still_gives_a_delay(factor: float) -> None:
    for retry in (1, 2, 3, 1_000_000):
        delay_ms = retry_delay_ms(Retry(factor=factor, delay_ms=0), retry, 0.5)
        assert 0 <= delay_ms <= 72_000
        delay_ms = retry_delay_ms(Retry(factor=factor), retry, 0.5)
        assert 0 <= delay_ms <= 72_000
