"""Leases: grants, replays, crashes, releases, adoption (semantics, sections 2 and 8)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from perdure_runtime.core import requests
from perdure_runtime.core.effects import EndLease, Enqueue
from perdure_runtime.core.entries import AttemptStarted, Paused
from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.retry import Retry
from tests.unit.core_history import FLOW, RETRIED, History, call, step


def crash(history: History, times: int) -> History:
    for _ in range(times):
        history.grant(RETRIED).lose_worker(max_crashes=3)
    return history


def test_a_grant_starts_the_first_attempt_and_fixes_its_policies() -> None:
    history = History().grant(RETRIED)
    assert RETRIED.retry is not None
    assert [AttemptStarted(1, RETRIED.retry, None, "b1", "fail")] == history.new
    row = history.execution.row
    assert (row.status, row.attempt, row.kind, row.build_id) == (Status.RUNNING, 1, "flow", "b1")


def test_attempts_may_have_timeouts_of_their_own() -> None:
    spec = msgspec.structs.replace(
        FLOW,
        retry=Retry(2, delays_ms=(0,)),
        attempt_timeout_ms=9,
        attempt_timeouts_ms=(10, 20),
    )
    history = History()
    for attempt, timeout_ms in enumerate((10, 20, 20), 1):
        (started,) = history.grant(spec).new
        assert isinstance(started, AttemptStarted)
        assert (attempt, timeout_ms) == (started.attempt, started.timeout_ms)
        history.lose_worker()
        assert [] == history.grant(spec).new  # a crash is not a retry
        history.fail()
    assert history.status is Status.FAILED


def test_a_crash_is_not_a_retry() -> None:
    history = History().grant().append(step("0:1")).lose_worker()
    assert [Enqueue()] == history.effects(Enqueue)
    assert [] == history.grant().new
    assert (history.execution.attempt, history.execution.commands) == (1, 1)


def test_only_work_in_progress_crashes_with_its_worker() -> None:
    history = History().grant().append(call("0:1"), idle=True).lose_worker()
    assert (history.status, history.execution.row.crash_count) == (Status.SUSPENDED, 0)


def test_news_that_a_lost_worker_never_consumed_queue_the_execution() -> None:
    history = History().grant().append(call("0:1"), idle=True).complete_call("0:1").lose_worker()
    assert history.status is Status.QUEUED


def test_crashing_at_the_same_place_parks_the_execution() -> None:
    history = crash(History(), 3)
    assert isinstance(history.new[0], Paused)
    assert history.status is Status.PAUSED
    assert "poisonous" in history.execution.row.detail


def test_progress_between_crashes_counts_them_anew() -> None:
    history = crash(History(), 2).grant().append(step("0:1")).lose_worker(max_crashes=3)
    assert (history.status, history.execution.row.crash_count) == (Status.QUEUED, 1)


@pytest.mark.parametrize("again", [History.resume, History.retry])
def test_a_poisonous_execution_that_goes_on_has_all_its_crashes_again(
    again: Callable[[History], History],
) -> None:
    assert crash(again(crash(History(), 3)), 2).status is Status.QUEUED


def test_a_poisonous_execution_that_is_being_cancelled_ends() -> None:
    history = History().grant().cancel().lose_worker(max_crashes=1)
    assert history.status is Status.CANCELLED


def test_a_worker_that_gives_back_a_running_execution_did_not_crash() -> None:
    history = History().grant().release()
    assert [EndLease(1, "released")] == history.effects(EndLease)
    assert (history.status, history.execution.row.crash_count) == (Status.QUEUED, 0)


def test_a_worker_that_drops_an_idle_execution_leaves_it_suspended() -> None:
    assert History().grant().append(idle=True).release().status is Status.SUSPENDED


def test_a_reconnected_worker_keeps_what_it_holds() -> None:
    history = History().grant().lose_worker()
    assert history.did(requests.adopt(history.execution)).status is Status.RUNNING
    history.append(idle=True)
    assert history.did(requests.adopt(history.execution)).status is Status.SUSPENDED


def test_a_mismatch_blocks_and_writes_nothing() -> None:
    history = History(execution_timeout_ms=500).grant().mismatch("step 'a' is now 'b' \ud800")
    assert ([], Status.BLOCKED, {}) == (history.new, history.status, history.timers)
    assert history.execution.row.detail == "step 'a' is now 'b' \\ud800", "every store takes it"


def test_what_has_ended_cannot_be_granted() -> None:
    with pytest.raises(InvalidTransitionError):
        History().cancel().grant(FLOW)
