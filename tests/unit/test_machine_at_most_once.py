"""Steps that run at most once: nothing recorded, the start recorded, the outcome recorded."""

from __future__ import annotations

from perdure_runtime.core.entries import Recorded, StepCompleted, StepStarted, TimerFired
from perdure_runtime.core.payload import FailureCode, Payload
from perdure_runtime.testing.history import History, digest, failure, payload
from tests.unit.machine_driving import Desk

EPOCH = 7  # of every desk
ELSEWHERE = 3


def begins(history: History, epoch: int = ELSEWHERE, path: str = "0:1") -> History:
    """A step that runs at most once began."""
    key = history.command_key("step", "pay", digest(None))
    return history.add(StepStarted(path, "pay", digest(None), key, epoch))


def interrupted(desk: Desk) -> bool:
    """Whether the only command that goes out says that the step was interrupted."""
    (completed,) = desk.sent()
    assert isinstance(completed, StepCompleted)
    assert completed.failure is not None
    return completed.failure.code is FailureCode.INTERRUPTED


def test_nothing_recorded_the_start_is_recorded_first() -> None:
    desk = Desk(History().attempt())
    issued = desk.step("0:1", "pay", single_start=True)
    append = desk.flush()
    assert append is not None
    assert (StepStarted("0:1", "pay", digest(None), issued.key),) == append.commands
    assert not append.idle
    assert not desk.machine.idle
    assert [] == desk.starts()
    desk.ack()
    assert () == desk.sent()
    assert ["0:1"] == desk.starts()
    desk.machine.commands.step_finished("0:1", payload("paid"), None)
    assert isinstance(desk.sent()[0], StepCompleted)


def test_a_start_recorded_elsewhere_was_interrupted() -> None:
    desk = Desk(begins(History().attempt()))
    desk.step("0:1", "pay", single_start=True)
    assert interrupted(desk)
    assert [] == desk.starts()


def test_an_outcome_recorded_is_delivered() -> None:
    history = begins(History().attempt()).step("0:1", "pay", result=payload("paid"))
    desk = Desk(history)
    issued = desk.step("0:1", "pay", single_start=True)
    assert issued is desk.deliver()
    assert payload("paid") == issued.outcome
    assert () == desk.sent()
    assert [] == desk.starts()


def test_a_lost_acknowledgement_does_not_interrupt_the_step_that_it_was_for() -> None:
    desk = Desk(History().attempt())
    desk.step("0:1", "pay", single_start=True)
    start = desk.sent()[0]
    assert isinstance(start, StepStarted)
    mine = StepStarted("0:1", "pay", start.digest, start.key, EPOCH)
    desk.machine.adopt(EPOCH + 1, [Recorded(desk.machine.received, 0, mine)])
    assert () == desk.sent()
    assert ["0:1"] == desk.starts()


def test_a_start_that_another_worker_recorded_meanwhile_interrupts_the_step() -> None:
    desk = Desk(History().attempt())
    desk.step("0:1", "pay", single_start=True)
    start = desk.sent()[0]
    assert isinstance(start, StepStarted)
    other = StepStarted("0:1", "pay", start.digest, start.key, EPOCH + 1)
    desk.machine.adopt(EPOCH + 2, [Recorded(desk.machine.received, 0, other)])
    assert interrupted(desk)
    assert [] == desk.starts()


def test_each_try_records_a_start_of_its_own() -> None:
    desk = Desk(History().attempt())
    desk.step("0:1", "pay", single_start=True)
    desk.flush()
    desk.ack()
    desk.flush()
    assert ["0:1"] == desk.starts()
    desk.machine.commands.step_failed("0:1", failure(), 10)
    desk.flush()
    desk.ack()
    desk.news(TimerFired("0:1", 1))
    assert isinstance(desk.sent()[0], StepStarted)
    assert [] == desk.starts()
    desk.ack()
    desk.flush()
    assert ["0:1"] == desk.starts()


def test_a_failed_try_is_no_interruption() -> None:
    history = begins(History().attempt()).step_failed("0:1", "pay").fired("0:1")
    desk = Desk(history)
    desk.step("0:1", "pay", single_start=True)
    assert isinstance(desk.sent()[0], StepStarted)


def test_a_step_abandoned_before_its_start_is_on_disk_does_not_begin() -> None:
    desk = Desk(History().attempt())
    step = desk.step("0:1", "pay", single_start=True)
    desk.flush()
    desk.machine.commands.abandon(step)
    desk.ack()
    desk.flush()
    assert [] == desk.starts()
    assert desk.machine.idle


def test_a_step_that_began_in_an_earlier_attempt_does_not_begin_again() -> None:
    desk = Desk(begins(History().attempt()).attempt_failed().attempt())
    desk.step("0:1", "pay", single_start=True)
    assert interrupted(desk)


def test_an_interruption_is_remembered_by_all_later_attempts() -> None:
    history = begins(History().attempt())
    desk = Desk(history)
    desk.step("0:1", "pay", single_start=True)
    history.add(desk.sent()[0]).attempt_failed().attempt().attempt_failed().attempt()
    desk = Desk(history)
    desk.step("0:1", "pay", single_start=True)
    assert interrupted(desk)


def test_a_step_that_failed_by_itself_begins_again_in_the_next_attempt() -> None:
    history = begins(History().attempt()).step("0:1", "pay", failed=failure())
    desk = Desk(history.attempt_failed().attempt())
    desk.step("0:1", "pay", single_start=True)
    assert isinstance(desk.sent()[0], StepStarted)


def test_state_writes_ride_with_the_start() -> None:
    desk = Desk(History().attempt())
    desk.machine.writes.write("k", Payload(b"1"))
    desk.step("0:1", "pay", single_start=True)
    start = desk.sent()[0]
    assert isinstance(start, StepStarted)
    assert ["k"] == [write.key for write in start.writes]
