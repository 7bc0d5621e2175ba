"""Calls: completions and the addresses they carry (semantics, section 1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from perdure_runtime.core import requests
from perdure_runtime.core.effects import CancelChild, Deliver, Enqueue
from perdure_runtime.core.entries import CallCompleted
from perdure_runtime.core.ids import ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Payload
from tests.unit.core_history import BOOM, RETRIED, History, address, call


def waiting() -> History:
    return History().grant(RETRIED).append(call("0:1"), idle=True)


def test_a_completion_wakes_the_worker_that_waits_for_it() -> None:
    history = waiting().complete_call("0:1")
    assert [CallCompleted("0:1", 1, Payload(b"2"))] == history.new
    assert [Deliver(0)] == history.last.effects
    assert history.status is Status.RUNNING


def test_a_completion_queues_an_execution_that_no_worker_holds() -> None:
    history = waiting().release().complete_call("0:1")
    assert [Enqueue()] == history.last.effects
    assert history.status is Status.QUEUED


def test_a_failure_of_the_callee_is_a_completion_too() -> None:
    assert [CallCompleted("0:1", 1, None, BOOM)] == waiting().complete_call("0:1", failure=BOOM).new


def test_the_same_completion_twice_is_recorded_once() -> None:
    assert [] == waiting().complete_call("0:1").complete_call("0:1").new


@pytest.mark.parametrize(
    "elsewhere",
    [address("0:2"), address("0:1", attempt=2), address("0:1")._replace(run=2)],
)
def test_what_matches_no_open_call_is_dropped(elsewhere: ParentLink) -> None:
    history = waiting()
    decision = requests.call_completed(history.execution, elsewhere, None, BOOM, history.now_ms)
    assert ([], [], {}) == (decision.entries, decision.effects, decision.changes)


def test_a_completion_after_the_end_is_dropped() -> None:
    assert (
        [] == waiting().complete_call("0:1").append(call("0:2")).finish().complete_call("0:2").new
    )


@pytest.mark.parametrize("park", [History.pause, History.mismatch])
def test_completions_are_recorded_while_parked(park: Callable[[History], History]) -> None:
    history = park(waiting())
    before = history.status
    assert [CallCompleted("0:1", 1, Payload(b"2"))] == history.complete_call("0:1").new
    assert history.status is before
    assert history.resume().status is Status.QUEUED


def test_a_completion_of_an_earlier_attempt_carries_its_number() -> None:
    history = waiting().fail().complete_call("0:1")
    assert [CallCompleted("0:1", 1, Payload(b"2"))] == history.new
    assert history.status is Status.SCHEDULED


def test_a_retry_cancels_what_is_open_and_waits_for_it() -> None:
    history = waiting().pause().retry()
    assert [address("0:1")] == [effect.parent for effect in history.effects(CancelChild)]
    assert history.status is Status.SCHEDULED
    assert history.complete_call("0:1").status is Status.QUEUED


def test_a_retry_of_a_failed_execution_asks_again_for_what_it_never_learned() -> None:
    history = History().grant().append(call("0:1")).fail()
    assert history.status is Status.FAILED
    assert [] == history.complete_call("0:1").new, "an outcome is the last entry"
    assert [address("0:1")] == [effect.parent for effect in history.retry().effects(CancelChild)]
    assert history.complete_call("0:1").status is Status.QUEUED
