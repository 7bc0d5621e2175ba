"""Steps: nothing recorded, a try recorded, the result recorded (semantics, sections 1 and 4)."""

from __future__ import annotations

from perdure_runtime.core.entries import StepCompleted, StepFailed, TimerFired
from perdure_runtime.testing.history import History, digest, failure, payload
from tests.unit.machine_driving import Desk


def test_nothing_recorded_the_step_starts_when_live() -> None:
    desk = Desk(History().attempt())
    issued = desk.step("0:1", "fetch")
    assert [] == desk.starts()
    assert () == desk.sent()
    assert ["0:1"] == desk.starts()
    assert not desk.machine.idle
    assert issued.key == History().command_key("step", "fetch", digest(None))


def test_a_result_is_delivered_when_it_is_acknowledged_never_before() -> None:
    desk = Desk(History().attempt())
    issued = desk.step("0:1", "fetch")
    desk.flush()
    desk.machine.commands.step_finished("0:1", payload("got"), None)
    append = desk.flush()
    assert append is not None
    assert append.commands == (
        StepCompleted("0:1", "fetch", digest(None), issued.key, payload("got")),
    )
    assert not append.idle
    assert desk.deliver() is None
    desk.ack()
    assert issued is desk.deliver()
    assert payload("got") == issued.outcome


def test_a_recorded_result_is_delivered_and_the_step_does_not_start() -> None:
    desk = Desk(History().attempt().step("0:1", "fetch", result=payload(1)))
    issued = desk.step("0:1", "fetch")
    assert issued is desk.deliver()
    assert payload(1) == issued.outcome
    assert () == desk.sent()
    assert [] == desk.starts()


def test_a_recorded_failure_is_delivered_as_recorded() -> None:
    desk = Desk(History().attempt().step("0:1", "fetch", failed=failure("gone")))
    issued = desk.step("0:1", "fetch")
    assert issued is desk.deliver()
    assert failure("gone") == issued.outcome


def test_a_failed_try_waits_for_its_recorded_back_off() -> None:
    desk = Desk(History().attempt())
    desk.step("0:1", "fetch")
    desk.flush()
    assert ["0:1"] == desk.starts()
    desk.machine.commands.step_failed("0:1", failure(), 500)
    append = desk.flush()
    assert append is not None
    failed = append.commands[0]
    assert isinstance(failed, StepFailed)
    assert (1, 500) == (failed.tries, failed.delay_ms)
    assert append.idle
    desk.ack()
    desk.flush()
    assert [] == desk.starts()
    desk.news(TimerFired("0:1", 1))
    desk.flush()
    assert ["0:1"] == desk.starts()
    desk.machine.commands.step_finished("0:1", payload(1), None)
    completed = desk.sent()[0]
    assert isinstance(completed, StepCompleted)
    assert 2 == completed.tries


def test_tries_survive_a_crash() -> None:
    history = History().attempt().step_failed("0:1", "fetch", tries=2)
    desk = Desk(history)
    issued = desk.step("0:1", "fetch")
    desk.flush()
    assert [] == desk.starts()  # the back-off runs
    desk.news(TimerFired("0:1", 1))
    desk.flush()
    assert ["0:1"] == desk.starts()
    assert 2 == issued.tries


def test_a_crash_after_the_back_off_starts_the_step_at_once() -> None:
    desk = Desk(History().attempt().step_failed("0:1", "fetch").fired("0:1"))
    desk.step("0:1", "fetch")
    desk.flush()
    assert ["0:1"] == desk.starts()


def test_a_cancelled_step_is_not_restarted_by_a_replay() -> None:
    history = History().attempt().timer("0:2").fired("0:2")
    desk = Desk(history)
    step = desk.step("0:1", "slow")
    timer = desk.machine.commands.issue_timer("0:2", 1000)
    assert timer is desk.deliver()  # the race is decided: the body cancels the step
    desk.machine.commands.abandon(step)
    desk.flush()
    assert [] == desk.starts()
    assert desk.machine.idle


def test_the_result_of_a_cancelled_step_is_recorded_for_nobody() -> None:
    desk = Desk(History().attempt())
    step = desk.step("0:1", "slow")
    desk.flush()
    desk.machine.commands.abandon(step)
    assert [step] == desk.machine.commands.stops
    assert not desk.machine.idle
    desk.machine.commands.step_finished("0:1", payload("late"), None)
    assert 1 == len(desk.sent())
    desk.ack()
    assert desk.deliver() is None


def test_the_failure_of_a_cancelled_step_is_dropped() -> None:
    desk = Desk(History().attempt())
    step = desk.step("0:1", "slow")
    desk.flush()
    desk.machine.commands.abandon(step)
    desk.machine.commands.step_finished("0:1", None, failure())
    append = desk.flush()
    assert append is not None
    assert () == append.commands
    assert append.idle


def test_the_back_off_of_a_cancelled_step_is_cancelled_by_a_hint() -> None:
    desk = Desk(History().attempt().step_failed("0:1", "fetch"))
    step = desk.step("0:1", "fetch")
    desk.flush()
    desk.machine.commands.abandon(step)
    append = desk.flush()
    assert append is not None
    assert ("0:1",) == append.cancel_timers
