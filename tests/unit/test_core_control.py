"""Cancel, pause, resume, retry (semantics, section 8)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from perdure_runtime.core.effects import CancelChild, Deliver, EndLease, Enqueue
from perdure_runtime.core.entries import (
    CancelRequested,
    ExecutionEnded,
    ExecutionRetried,
    Paused,
    Resumed,
    TimerStarted,
)
from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import FailureCode, Payload
from perdure_runtime.core.rows import TimerKind
from tests.unit.core_history import BOOM, FLOW, GRACE_MS, RETRIED, History, call

TIMED = msgspec.structs.replace(RETRIED, attempt_timeout_ms=300)


def running() -> History:
    return History().grant(RETRIED)


def suspended() -> History:
    return running().append(call("0:1"), idle=True)


def evicted() -> History:
    return suspended().release()


def requeued() -> History:
    return running().append(call("0:1")).lose_worker()


def backing_off() -> History:
    return running().append(call("0:1")).fail()


def paused() -> History:
    return suspended().pause()


def blocked() -> History:
    return suspended().mismatch()


def scheduled() -> History:
    return History(start_at_ms=9_000)


# --- cancel --------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [History, scheduled, backing_off, paused, blocked])
def test_a_cancel_ends_what_no_body_runs_at_once(made: Callable[[], History]) -> None:
    history = made()
    open_calls = len(history.execution.calls)
    history.cancel()
    assert [CancelRequested, ExecutionEnded] == [type(entry) for entry in history.new]
    assert (history.last.reply, history.status) == (True, Status.CANCELLED)
    assert open_calls == len(history.effects(CancelChild)), "its calls are cancelled with it"


@pytest.mark.parametrize("made", [running, suspended, evicted, requeued])
def test_a_cancel_in_the_middle_of_an_attempt_reaches_the_body(
    made: Callable[[], History],
) -> None:
    history = made()
    held = bool(history.execution.epoch)
    history.cancel()
    assert [CancelRequested("why")] == history.new
    assert history.status is (Status.RUNNING if held else Status.QUEUED)
    assert held == bool(history.effects(Deliver))
    assert GRACE_MS == history.due_in(TimerKind.GRACE)


def test_a_cancel_wakes_a_suspended_execution_that_no_worker_holds() -> None:
    assert [Enqueue()] == evicted().cancel().effects(Enqueue)


def test_the_grace_ends_a_cancelled_execution_that_no_worker_takes() -> None:
    history = requeued().cancel().fire_next()
    assert history.status is Status.CANCELLED
    assert 1 == len(history.effects(CancelChild))


def test_a_second_cancel_changes_nothing() -> None:
    history = running().cancel().wait(5)
    assert (True, []) == (history.cancel("again").last.reply, history.new)
    assert GRACE_MS - 5 == history.due_in(TimerKind.GRACE)


def test_a_cancel_of_what_has_ended_has_no_effect() -> None:
    history = running().finish().cancel()
    assert (False, []) == (history.last.reply, history.new)


def test_an_outcome_made_before_the_cancel_was_seen_wins() -> None:
    history = running()
    before = history.execution.length - 1
    assert history.cancel().finish(Payload(b"1"), consumed=before).status is Status.COMPLETED
    history = History().grant(FLOW)
    before = history.execution.length - 1
    assert history.cancel().finish(failure=BOOM, consumed=before).status is Status.FAILED


def test_an_outcome_made_after_the_cancel_was_seen_is_cancelled() -> None:
    assert running().cancel().finish(Payload(b"1")).status is Status.CANCELLED
    assert running().cancel().fail().status is Status.CANCELLED
    assert running().cancel().finish(cancelled=True).status is Status.CANCELLED


def test_an_attempt_that_failed_before_the_cancel_was_seen_is_not_retried() -> None:
    history = running()
    before = history.execution.length - 1
    assert history.cancel().finish(failure=BOOM, consumed=before).status is Status.CANCELLED


def test_a_body_that_cancels_itself_is_cancelled() -> None:
    history = running().finish(cancelled=True)
    assert history.status is Status.CANCELLED
    assert ["ExecutionCreated", "AttemptStarted", "ExecutionEnded"] == history.kinds


def test_the_execution_timeout_cancels_and_ends_timed_out() -> None:
    history = History(execution_timeout_ms=100).grant().fire_next()
    assert [CancelRequested("execution timeout", timed_out=True)] == history.new
    history.finish(cancelled=True)
    ended = history.new[0]
    assert isinstance(ended, ExecutionEnded)
    assert ended.failure is not None
    assert (ended.status, ended.failure.code) == (Status.TIMED_OUT, FailureCode.TIMEOUT)


# --- pause and resume ----------------------------------------------------------------------------


@pytest.mark.parametrize("made", [History, scheduled, running, suspended, requeued, backing_off])
def test_a_pause_takes_the_execution_from_its_worker(made: Callable[[], History]) -> None:
    history = made()
    held = bool(history.execution.epoch)
    history.pause()
    assert [Paused("lunch")] == history.new
    assert held == bool(history.effects(EndLease))
    assert [] == history.pause().new, "twice is once"


def test_timeouts_stand_still_while_parked() -> None:
    history = History(execution_timeout_ms=1_000).grant(TIMED).wait(100).pause().wait(5_000)
    assert {} == history.timers
    history.resume()
    assert 200 == history.due_in(TimerKind.ATTEMPT)
    assert 900 == history.due_in(TimerKind.EXECUTION)


def test_pausing_a_blocked_execution_keeps_what_is_left_of_its_timeouts() -> None:
    history = History(execution_timeout_ms=1_000).grant().mismatch().wait(50).pause().resume()
    assert 1_000 == history.due_in(TimerKind.EXECUTION)


def test_the_grace_of_a_timed_out_attempt_goes_on_after_a_pause() -> None:
    history = running_timed_out().wait(GRACE_MS - 7).pause().wait(99_999).resume()
    assert 7 == history.due_in(TimerKind.GRACE)
    assert history.fire_next().status is Status.SCHEDULED


def running_timed_out() -> History:
    return History().grant(TIMED).fire_next()


def test_what_is_being_cancelled_cannot_be_paused() -> None:
    with pytest.raises(InvalidTransitionError, match="being cancelled"):
        running().cancel().pause()


def test_a_mismatch_of_what_is_being_cancelled_ends_it() -> None:
    assert running().cancel().mismatch().status is Status.CANCELLED


def test_a_resume_replays_the_open_attempt() -> None:
    history = paused().resume()
    assert ([Resumed()], Status.QUEUED) == (history.new, history.status)
    assert [] == history.grant(RETRIED).new
    assert history.execution.attempt == 1


def test_a_blocked_execution_resumes_without_an_entry() -> None:
    history = blocked().resume()
    assert ([], Status.QUEUED) == (history.new, history.status)
    assert history.execution.row.detail == ""


def test_a_resume_before_the_start_time_waits_for_it() -> None:
    history = scheduled().pause().wait(1_000).resume()
    assert history.status is Status.SCHEDULED
    assert 7_000 == history.due_in(TimerKind.START)


def test_a_start_timer_that_fired_while_paused_is_made_up_for() -> None:
    history = scheduled().pause().fire_next()
    assert (history.status, history.timers) == (Status.PAUSED, {})
    assert history.resume().status is Status.QUEUED


def test_a_resume_between_attempts_waits_for_the_calls_of_the_one_before() -> None:
    history = backing_off().pause().fire_next().resume()
    assert history.status is Status.SCHEDULED
    assert history.complete_call("0:1").status is Status.QUEUED


@pytest.mark.parametrize("made", [History, scheduled, running, suspended])
def test_only_what_is_parked_can_be_resumed(made: Callable[[], History]) -> None:
    with pytest.raises(InvalidTransitionError, match="only a paused or blocked one"):
        made().resume()


# --- retry ---------------------------------------------------------------------------------------


def test_a_retry_begins_a_new_attempt_with_the_retries_counted_anew() -> None:
    history = History().grant(FLOW).fail().retry()
    assert ([ExecutionRetried(None)], Status.QUEUED) == (history.new, history.status)
    assert history.execution.row.error == ""
    history.grant(RETRIED).fail()
    assert history.status is Status.SCHEDULED
    assert history.execution.attempt == 2
    assert 100 == history.due_in(TimerKind.START), "its back-off begins anew too"


def test_a_retry_with_new_input_stands_before_its_attempt() -> None:
    other = Payload(b"2", digest=b"e" * 16)
    history = History().grant().fail().retry(other).grant()
    assert ["ExecutionEnded", "ExecutionRetried", "AttemptStarted"] == history.kinds[-3:]
    assert history.execution.row.input_digest == b"e" * 16


@pytest.mark.parametrize("made", [paused, blocked])
def test_a_retry_of_a_parked_execution_ends_its_attempt(made: Callable[[], History]) -> None:
    history = made().retry().complete_call("0:1").grant(RETRIED)
    assert (history.execution.attempt, history.execution.row.attempt) == (2, 2)


def test_a_retry_of_a_parked_execution_forgets_its_timers() -> None:
    history = running().append(TimerStarted("0:1", 50)).pause().retry()
    assert ({}, {}) == (history.timers, history.execution.timers)


def test_a_retry_gives_the_execution_its_whole_timeout() -> None:
    history = History(execution_timeout_ms=100).fire_next().retry()
    assert 100 == history.due_in(TimerKind.EXECUTION)
    own = msgspec.structs.replace(FLOW, execution_timeout_ms=100)
    history = History().grant(own).fire_next().finish(cancelled=True).retry().wait(50).grant(own)
    assert 100 == history.due_in(TimerKind.EXECUTION)


def test_a_timeout_of_the_life_before_does_not_cancel_a_retried_execution() -> None:
    history = History().grant(msgspec.structs.replace(FLOW, execution_timeout_ms=100))
    (old,) = history.timers.values()
    assert history.fail().retry().fire(old).status is Status.QUEUED


def test_a_retried_execution_can_be_cancelled_anew() -> None:
    history = History(execution_timeout_ms=100).fire_next().retry().grant().cancel("again")
    assert [CancelRequested("again")] == history.new


@pytest.mark.parametrize("made", [History, scheduled, running, suspended, backing_off])
def test_only_what_failed_or_is_parked_can_be_retried(made: Callable[[], History]) -> None:
    with pytest.raises(InvalidTransitionError, match="only a failed"):
        made().retry()


def test_what_was_cancelled_or_completed_cannot_be_retried() -> None:
    for history in (History().cancel(), running().finish()):
        with pytest.raises(InvalidTransitionError):
            history.retry()
