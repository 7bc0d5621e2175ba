"""Timers: nothing recorded, started, fired, cancelled (semantics, section 4)."""

from __future__ import annotations

from perdure_runtime.core.entries import CallCompleted, TimerFired, TimerStarted
from perdure_runtime.testing.history import START_MS, History, payload
from tests.unit.machine_driving import Desk


def test_nothing_recorded_the_delay_goes_out() -> None:
    desk = Desk(History().attempt())
    desk.machine.commands.issue_timer("0:1", 1500)
    append = desk.flush()
    assert append is not None
    assert (TimerStarted("0:1", 1500),) == append.commands
    assert append.idle


def test_a_started_timer_keeps_its_original_due_time() -> None:
    desk = Desk(History().attempt().timer("0:1"))
    desk.machine.commands.issue_timer("0:1", 1500)
    assert () == desk.sent()


def test_a_fired_timer_is_delivered_at_its_recorded_time() -> None:
    desk = Desk(History().attempt().timer("0:1").fired("0:1", at_ms=START_MS + 9000))
    timer = desk.machine.commands.issue_timer("0:1", 1000)
    assert timer is desk.deliver()
    assert START_MS + 9000 == desk.machine.time_ms


def test_a_cancelled_timer_is_hinted_and_fires_for_nobody() -> None:
    desk = Desk(History().attempt().timer("0:1"))
    timer = desk.machine.commands.issue_timer("0:1", 1000)
    desk.flush()
    desk.machine.commands.abandon(timer)
    append = desk.flush()
    assert append is not None
    assert ("0:1",) == append.cancel_timers
    desk.news(TimerFired("0:1", 1))
    assert desk.deliver() is None


def test_a_timeout_that_races_with_a_completion_is_decided_by_the_journal() -> None:
    for winner in ("timer", "call"):
        history = History().attempt().call("0:2", "slow").timer("0:1")
        if winner == "timer":
            history.fired("0:1").called("0:2", payload(1))
        else:
            history.called("0:2", payload(1)).fired("0:1")
        desk = Desk(history)
        call = desk.call("0:2", "slow")
        timer = desk.machine.commands.issue_timer("0:1", 1000)
        first = desk.deliver()
        assert first is (timer if winner == "timer" else call)
        desk.machine.commands.abandon(call if winner == "timer" else timer)
        assert desk.deliver() is None


def test_news_after_idle_ask_for_another_idle() -> None:
    desk = Desk(History().attempt())
    desk.call("0:1", "a")
    desk.call("0:2", "b")
    assert desk.flush() is not None
    desk.ack(2)
    assert desk.flush() is None  # an acknowledged call wakes nobody
    desk.news(CallCompleted("0:1", 1, payload(1)))
    append = desk.flush()
    assert append is not None
    assert append.idle
    assert 4 == append.consumed
    assert desk.flush() is None
