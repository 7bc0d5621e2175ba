"""Durable timers: fired once, never for another attempt, never after the end."""

from __future__ import annotations

import pytest

from perdure_runtime.core.effects import ClearTimer, Deliver
from perdure_runtime.core.entries import TimerFired, TimerStarted
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.rows import Timer, TimerKind
from tests.unit.core_history import KEY, RETRIED, History


def sleeping() -> History:
    return History().grant(RETRIED).append(TimerStarted("0:1", 50), idle=True)


def test_a_due_timer_is_delivered_and_cleared() -> None:
    history = sleeping().fire_next()
    assert [TimerFired("0:1", 1)] == history.new
    assert [ClearTimer(TimerKind.TIMER, "0:1"), Deliver(0)] == history.last.effects
    assert history.status is Status.RUNNING


def test_a_due_timer_queues_an_execution_that_no_worker_holds() -> None:
    assert sleeping().release().fire_next().status is Status.QUEUED


def test_a_timer_fires_once() -> None:
    history = sleeping()
    (timer,) = history.timers.values()
    assert [] == history.fire(timer).fire(timer).new


def test_a_timer_that_was_set_anew_is_not_due_and_not_cleared() -> None:
    history = sleeping()
    (old,) = history.timers.values()
    history.fail().fire_next().grant(RETRIED).append(TimerStarted("0:1", 500))
    assert [] == history.fire(old).last.effects
    assert (TimerKind.TIMER.value, "0:1") in history.timers


def test_a_late_timer_of_an_earlier_attempt_does_not_lose_the_one_of_this() -> None:
    history = sleeping()
    (old,) = history.timers.values()
    history.fail().fire_next().grant(RETRIED).append(TimerStarted("0:1", 10)).wait(100)
    assert [TimerFired("0:1", 2)] == history.fire(old).new, "it is due, whoever says so"


@pytest.mark.parametrize("kind", list(TimerKind))
def test_a_timer_after_the_end_only_clears_itself(kind: TimerKind) -> None:
    history = sleeping().fire_next().finish()
    history.fire(Timer(KEY, 0, kind, "", history.now_ms, 1, 1))
    assert ([], [ClearTimer(kind, "")]) == (history.new, history.last.effects)


@pytest.mark.parametrize("kind", list(TimerKind))
def test_a_timer_of_any_kind_that_nothing_knows_of_does_nothing(kind: TimerKind) -> None:
    history = History().grant()
    history.fire(Timer(KEY, 0, kind, "", history.now_ms, 1, 1))
    assert ([], Status.RUNNING) == (history.new, history.status)


@pytest.mark.parametrize("kind", [TimerKind.ATTEMPT, TimerKind.EXECUTION, TimerKind.GRACE])
def test_a_timeout_on_its_way_when_the_execution_was_parked_does_nothing(kind: TimerKind) -> None:
    history = History(execution_timeout_ms=10, attempt_timeout_ms=10).grant(RETRIED).pause()
    history.fire(Timer(KEY, 0, kind, "", history.now_ms + 10, 1, 1))
    assert ([], Status.PAUSED) == (history.new, history.status)


def test_timers_fire_into_the_journal_while_parked() -> None:
    history = sleeping().pause().fire_next()
    assert ([TimerFired("0:1", 1)], Status.PAUSED) == (history.new, history.status)
