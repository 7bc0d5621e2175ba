"""Starts: create, schedule, attach (semantics, section 8)."""

from __future__ import annotations

import msgspec
import pytest

from perdure_runtime.core import requests
from perdure_runtime.core.client import IdPolicy
from perdure_runtime.core.effects import Enqueue
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import AlreadyExistsError
from perdure_runtime.core.ids import root_key_base
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_DUE_MS
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.rows import TimerKind
from tests.unit.core_history import FLOW, INPUT, KEY, TARGET, History


def test_a_start_is_queued_with_its_own_key_base() -> None:
    history = History()
    assert history.status is Status.QUEUED
    assert [Enqueue()] == history.last.effects
    assert history.execution.created is not None
    assert root_key_base(KEY, 1) == history.execution.created.key_base


def test_a_scheduled_start_waits_for_its_timer() -> None:
    history = History(start_at_ms=5_000)
    assert history.status is Status.SCHEDULED
    assert 4_000 == history.due_in(TimerKind.START)
    assert history.fire_next().status is Status.QUEUED


def test_a_start_time_in_the_past_is_now() -> None:
    assert History(start_at_ms=10).status is Status.QUEUED


def test_a_delay_counts_from_the_acceptance_on_the_coordinators_clock() -> None:
    history = History(delay_ms=700)
    assert (Status.SCHEDULED, 700) == (history.status, history.due_in(TimerKind.START))
    assert 1_700 == history.execution.row.due_ms
    assert History(delay_ms=0).status is Status.QUEUED
    assert History(delay_ms=-5).status is Status.QUEUED


def test_the_later_of_start_time_and_delay_holds() -> None:
    assert 4_000 == History(start_at_ms=5_000, delay_ms=700).due_in(TimerKind.START)
    assert 700 == History(start_at_ms=1_100, delay_ms=700).due_in(TimerKind.START)
    assert MAX_DUE_MS == History(delay_ms=2**63 - 1).execution.row.due_ms


def test_no_start_time_and_no_timeout_is_beyond_what_a_store_holds() -> None:
    history = History(start_at_ms=2**63 - 1, execution_timeout_ms=2**63 - 1)
    assert {timer.due_ms for timer in history.timers.values()} == {MAX_DUE_MS}


def test_the_execution_timeout_runs_from_the_start() -> None:
    history = History(execution_timeout_ms=50)
    assert 50 == history.due_in(TimerKind.EXECUTION)
    assert history.fire_next().status is Status.TIMED_OUT
    assert history.execution.ended is not None
    assert history.execution.ended.failure is not None
    assert "no worker took" in history.execution.ended.failure.message


def test_the_functions_own_execution_timeout_runs_from_its_first_attempt() -> None:
    spec = msgspec.structs.replace(FLOW, execution_timeout_ms=70)
    assert 70 == History().wait(500).grant(spec).due_in(TimerKind.EXECUTION)
    assert 50 == History(execution_timeout_ms=50).grant(spec).due_in(TimerKind.EXECUTION)


def test_the_same_target_and_input_attach() -> None:
    row = History().execution.row
    reply = requests.check_attach(row, TARGET, INPUT, IdPolicy.ATTACH)
    assert (reply.id, reply.created) == ("a", False)


@pytest.mark.parametrize("theirs", [Payload(b"1"), Payload(b"2"), INPUT])
def test_an_input_without_digest_compares_the_target_only(theirs: Payload) -> None:
    row = History().execution.row
    assert not requests.check_attach(row, TARGET, theirs, IdPolicy.ATTACH).created


@pytest.mark.parametrize(
    ("target", "input", "policy", "says"),
    [
        (TARGET, INPUT, IdPolicy.REJECT, "id_policy"),
        (Target("orders", "refund"), INPUT, IdPolicy.ATTACH, "runs orders/charge"),
        (TARGET, Payload(b"2", digest=b"e" * 16), IdPolicy.ATTACH, "another input"),
    ],
)
def test_another_start_of_the_same_id_is_refused(
    target: Target, input: Payload, policy: IdPolicy, says: str
) -> None:
    with pytest.raises(AlreadyExistsError, match=says):
        requests.check_attach(History().execution.row, target, input, policy)
