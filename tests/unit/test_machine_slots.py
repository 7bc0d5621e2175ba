"""`max_concurrent_steps`: one counter of steps and calls (semantics, section 3)."""

from __future__ import annotations

from perdure_runtime.core.entries import CallCompleted, CallIssued
from perdure_runtime.testing.history import History, payload
from tests.unit.machine_driving import Desk


def test_steps_beyond_the_limit_start_when_a_result_is_delivered() -> None:
    desk = Desk(History().attempt(), max_concurrent_steps=2)
    for ordinal in (1, 2, 3, 4):
        desk.step(f"0:{ordinal}", "f", ordinal)
    desk.flush()
    assert ["0:1", "0:2"] == desk.starts()
    desk.machine.commands.step_finished("0:2", payload(1), None)
    desk.flush()
    assert [] == desk.starts()  # the result is not recorded yet
    desk.ack()
    desk.flush()
    assert ["0:3"] == desk.starts()


def test_steps_and_calls_share_the_counter_sends_and_branches_do_not() -> None:
    desk = Desk(History().attempt(), max_concurrent_steps=1)
    desk.branch("0:1", "part")
    desk.call("0:2", "send", detached=True)
    desk.call("0:3", "first")
    desk.step("0:4", "second")
    commands = desk.sent()
    assert ["0:2", "0:3"] == [c.path for c in commands if isinstance(c, CallIssued)]
    assert [] == desk.starts()
    desk.ack(2)
    desk.news(CallCompleted("0:3", 1, payload(1)))
    desk.flush()
    assert ["0:4"] == desk.starts()


def test_cancelling_a_queued_command_takes_it_out_of_the_queue() -> None:
    desk = Desk(History().attempt(), max_concurrent_steps=1)
    first, second = desk.step("0:1", "f"), desk.step("0:2", "g")
    desk.step("0:3", "h")
    desk.machine.commands.abandon(second)
    desk.machine.commands.abandon(first)
    desk.flush()
    assert ["0:3"] == desk.starts()


def test_a_cancelled_step_gives_its_slot_back_at_once_live_and_on_replay() -> None:
    # Live: 0:1 runs, the race cancels it, 0:2 gets the slot. A replay never starts 0:1 again, so
    # nothing but the cancel could give the slot back.
    history = History().attempt().timer("0:9").fired("0:9")
    desk = Desk(history, max_concurrent_steps=1)
    first = desk.step("0:1", "f")
    desk.step("0:2", "g")
    timer = desk.machine.commands.issue_timer("0:9", 1000)
    assert timer is desk.deliver()
    desk.machine.commands.abandon(first)
    desk.flush()
    assert ["0:2"] == desk.starts()


def test_the_late_result_of_a_cancelled_step_frees_no_second_slot() -> None:
    desk = Desk(History().attempt(), max_concurrent_steps=1)
    first = desk.step("0:1", "f")
    desk.step("0:2", "g")
    desk.step("0:3", "h")
    desk.flush()
    desk.machine.commands.abandon(first)
    desk.flush()
    assert ["0:1", "0:2"] == desk.starts()
    desk.machine.commands.step_finished("0:1", payload(1), None)
    desk.flush()
    desk.ack()
    desk.flush()
    assert [] == desk.starts()


def test_a_journal_recorded_under_a_larger_limit_replays_under_a_smaller_one() -> None:
    history = History().attempt()
    for ordinal in (2, 1):
        history.step(f"0:{ordinal}", "f", input=ordinal, result=payload(ordinal))
    desk = Desk(history, max_concurrent_steps=1)
    issued = [desk.step(f"0:{ordinal}", "f", ordinal) for ordinal in (1, 2, 3)]
    assert issued[1] is desk.deliver()
    assert issued[0] is desk.deliver()
    desk.flush()
    assert ["0:3"] == desk.starts()
