"""Outcomes and R2: what a Finish makes of an attempt (semantics, sections 2, 3 and 8)."""

from __future__ import annotations

import msgspec
import pytest

from perdure_runtime.core.effects import CancelChild, CompleteCall, Ended, EndLease
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptTimedOut,
    ExecutionEnded,
    Paused,
    StateWrite,
    TimerStarted,
)
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.ids import ExecutionKey, ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_PAYLOAD_BYTES
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.retry import NO_RETRY
from perdure_runtime.core.rows import TimerKind
from tests.unit.core_history import BOOM, FLOW, RETRIED, History, call, step

TIMED = msgspec.structs.replace(RETRIED, attempt_timeout_ms=300)
ONCE_TIMED = msgspec.structs.replace(FLOW, attempt_timeout_ms=300)
PARENT = ParentLink(ExecutionKey("default", "parent"), 1, 1, "0:1")


def test_a_result_completes_the_execution() -> None:
    writes = (StateWrite("k", Payload(b"1")),)
    history = History().grant().append(step("0:1")).finish(Payload(b"42"), writes=writes)
    assert [ExecutionEnded(Status.COMPLETED, Payload(b"42"), None, writes)] == history.new
    assert history.status is Status.COMPLETED
    assert [EndLease(1, "ended")] == history.effects(EndLease)
    assert [Ended()] == history.effects(Ended)


def test_the_caller_learns_the_outcome() -> None:
    history = History(parent=PARENT).grant().finish(Payload(b"42"))
    assert [CompleteCall(PARENT, Payload(b"42"), None)] == history.effects(CompleteCall)


def test_a_detached_execution_has_nobody_to_tell() -> None:
    history = History(parent=PARENT._replace(detached=True)).grant().finish(Payload(b"42"))
    assert [] == history.effects(CompleteCall)


def test_an_end_cancels_open_calls_but_not_detached_ones() -> None:
    history = History().grant().append(call("0:1"), call("0:2", detached=True))
    open_calls = {c.child for c in history.execution.calls.values()}
    history.finish(Payload(b"1"))
    assert open_calls == {effect.child for effect in history.effects(CancelChild)}


@pytest.mark.parametrize("base", [0, 2])
def test_a_finish_that_does_not_know_the_journal_is_refused(base: int) -> None:
    with pytest.raises(ProtocolError, match="1 are recorded"):
        History().grant().append(step("0:1")).finish(Payload(b"1"), base=base)


def test_a_finish_of_a_worker_that_had_called_itself_idle_counts() -> None:
    history = History().grant().append(idle=True).finish(Payload(b"1"))
    assert history.status is Status.COMPLETED


# --- R2 ------------------------------------------------------------------------------------------


def test_a_failure_with_retries_left_starts_a_new_attempt_after_its_back_off() -> None:
    history = History().grant(RETRIED).fail()
    assert [AttemptEnded(1, BOOM, history.now_ms + 100)] == history.new
    assert history.status is Status.SCHEDULED
    assert 100 == history.due_in(TimerKind.START)
    assert history.execution.row.error == "ValueError: boom"
    assert history.fire_next().grant(RETRIED).execution.row.attempt == 2


def test_max_retries_excludes_the_first_run() -> None:
    history = History()
    for _ in range(2):
        history.grant(RETRIED).fail().fire_next()
    assert history.grant(RETRIED).fail().status is Status.FAILED
    assert history.execution.attempt == 3


def test_the_back_off_grows_and_a_failure_may_name_its_own() -> None:
    history = History().grant(RETRIED).fail().fire_next().grant(RETRIED).fail()
    assert 200 == history.due_in(TimerKind.START)
    own = msgspec.structs.replace(BOOM, retry_after_ms=7)
    assert 7 == History().grant(RETRIED).fail(own).due_in(TimerKind.START)


def test_a_next_attempt_without_delay_is_queued_at_once() -> None:
    now = msgspec.structs.replace(BOOM, retry_after_ms=0)
    assert History().grant(RETRIED).fail(now).status is Status.QUEUED


def test_a_failure_that_is_not_retryable_ends_the_execution() -> None:
    final = msgspec.structs.replace(BOOM, retryable=False)
    assert History().grant(RETRIED).fail(final).status is Status.FAILED


def test_used_up_retries_park_when_the_function_says_so() -> None:
    spec = msgspec.structs.replace(FLOW, on_exhausted="pause")
    history = History(execution_timeout_ms=900).grant(spec).append(TimerStarted("0:1", 5)).fail()
    assert [AttemptEnded, Paused] == [type(entry) for entry in history.new]
    assert (history.status, history.timers) == (Status.PAUSED, {})
    assert history.resume().status is Status.QUEUED
    assert history.grant(spec).execution.attempt == 2
    final = msgspec.structs.replace(BOOM, retryable=False)
    assert History().grant(spec).fail(final).status is Status.FAILED, "no retries were used up"


def test_a_start_overrides_the_functions_policy() -> None:
    assert History(retry=NO_RETRY).grant(RETRIED).fail().status is Status.FAILED


def test_a_plain_handler_is_retried_by_its_callers_policy() -> None:
    handler = msgspec.structs.replace(FLOW, kind="handler", retry=None)
    started = History().grant(handler).execution.started
    assert started is not None
    assert started.retry.max_retries == 3
    started = History(handler_retry=NO_RETRY).grant(handler).execution.started
    assert started is not None
    assert started.retry == NO_RETRY


def test_the_next_attempt_waits_for_the_calls_of_the_one_before() -> None:
    history = History().grant(RETRIED).append(call("0:1"), call("0:2")).fail()
    assert 2 == len(history.effects(CancelChild))
    assert history.fire_next().status is Status.SCHEDULED
    assert history.complete_call("0:1").status is Status.SCHEDULED
    assert history.complete_call("0:2").status is Status.QUEUED
    assert history.execution.calls == {}


def test_the_calls_end_before_the_back_off_does() -> None:
    history = History().grant(RETRIED).append(call("0:1")).fail().complete_call("0:1")
    assert history.status is Status.SCHEDULED
    assert history.fire_next().status is Status.QUEUED


def test_a_late_start_timer_of_the_attempt_before_starts_nothing_early() -> None:
    history = History().grant(RETRIED).fail()
    (old,) = history.timers.values()
    history.fire(old).grant(RETRIED).fail()
    assert history.fire(old).status is Status.SCHEDULED
    assert history.due_in(TimerKind.START) is not None, "nor is the new one cleared"


# --- timeouts ------------------------------------------------------------------------------------


def test_an_attempt_timeout_is_delivered_and_counts_as_a_failure() -> None:
    history = History().grant(TIMED).append(idle=True).fire_next()
    assert ([AttemptTimedOut(1)], Status.RUNNING) == (history.new, history.status)
    history.finish(timed_out=True)
    ended = history.new[0]
    assert isinstance(ended, AttemptEnded)
    assert (ended.failure.code, history.status) == (FailureCode.TIMEOUT, Status.SCHEDULED)
    assert history.due_in(TimerKind.GRACE) is None


def test_a_last_attempt_that_times_out_is_timed_out() -> None:
    assert History().grant(ONCE_TIMED).fire_next().finish(timed_out=True).status is Status.TIMED_OUT


def test_a_result_made_before_the_timeout_was_seen_wins() -> None:
    history = History().grant(TIMED)
    before = history.execution.length - 1
    assert history.fire_next().finish(Payload(b"1"), consumed=before).status is Status.COMPLETED


def test_whatever_a_body_makes_of_a_timeout_it_has_seen_it_timed_out() -> None:
    history = History().grant(ONCE_TIMED).fire_next()
    assert history.finish(Payload(b"1")).status is Status.TIMED_OUT
    assert History().grant(ONCE_TIMED).fire_next().fail().status is Status.TIMED_OUT


def test_an_attempt_that_does_not_end_in_its_grace_is_ended() -> None:
    history = History().grant(TIMED).fire_next()
    assert 10_000 == history.due_in(TimerKind.GRACE)
    assert history.fire_next().status is Status.SCHEDULED
    assert [EndLease(1, "ended")] == history.effects(EndLease)


def test_the_grace_of_one_attempt_does_not_end_the_next() -> None:
    history = History().grant(TIMED).fire_next()
    grace = history.timers[TimerKind.GRACE.value, ""]
    history.finish(timed_out=True).fire_next().grant(TIMED)
    assert history.fire(grace).status is Status.RUNNING
    assert [] == history.new
    history.now_ms = history.timers[TimerKind.ATTEMPT.value, ""].due_ms
    history.fire_next()
    assert history.fire(grace).status is Status.RUNNING, "it has a grace of its own"


def test_the_timeout_of_one_attempt_does_not_end_the_next() -> None:
    history = History().grant(TIMED)
    timeout = history.timers[TimerKind.ATTEMPT.value, ""]
    history.fail().fire_next().grant(FLOW)
    assert [] == history.fire(timeout).new


def test_a_timeout_during_a_cancel_does_not_prolong_its_grace() -> None:
    history = History().grant(TIMED).wait(200).cancel()
    grace = history.timers[TimerKind.GRACE.value, ""]
    assert [] == history.fire_next().new
    assert grace == history.timers[TimerKind.GRACE.value, ""]


def test_a_user_failure_that_is_a_timeout_is_a_failure() -> None:
    mine = Failure("CallTimeoutError", "the callee was slow", FailureCode.TIMEOUT)
    assert History().grant().fail(mine).status is Status.FAILED


def test_a_result_over_the_limit_fails_the_execution_and_is_not_recorded() -> None:
    history = History().grant().finish(Payload(b"x" * (MAX_PAYLOAD_BYTES + 1)))
    [ended] = history.new
    assert isinstance(ended, ExecutionEnded)
    assert (ended.status, ended.result) == (Status.FAILED, None)
    assert ended.failure is not None
    assert "LimitExceededError" == ended.failure.type_name
