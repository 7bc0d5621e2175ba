"""R2: what succeeded in an earlier attempt is not run again (semantics, section 2)."""

from __future__ import annotations

import pytest

from perdure_runtime.core.entries import (
    CallCompleted,
    CallIssued,
    CommandReused,
    Forgotten,
    StepCompleted,
    Target,
)
from perdure_runtime.core.errors import JournalMismatchError, ProtocolError
from perdure_runtime.core.issued import Issued
from perdure_runtime.testing.history import History, digest, failure, payload
from tests.unit.machine_driving import BASE, Desk


def first_attempt_step() -> History:
    """A step succeeded, then the attempt failed."""
    return History().attempt().step("0:1", "transform", input=1, result=payload("t"))


def test_a_step_that_succeeded_is_reused_not_run() -> None:
    desk = Desk(first_attempt_step().attempt_failed().attempt())
    issued = desk.step("0:1", "transform", 1)
    assert issued.reused
    assert (CommandReused("0:1", "step", "transform", digest(1), issued.key, 2),) == desk.sent()
    assert [] == desk.starts()
    assert desk.deliver() is None  # the reuse itself has to be recorded first
    desk.ack()
    assert issued is desk.deliver()
    assert payload("t") == issued.outcome


def test_a_recorded_reuse_is_matched_on_replay() -> None:
    history = first_attempt_step().attempt_failed().attempt()
    history.reused("0:1", "step", "transform", 2, input=1)
    desk = Desk(history)
    issued = desk.step("0:1", "transform", 1)
    assert issued is desk.deliver()
    assert payload("t") == issued.outcome
    assert () == desk.sent()


def test_the_third_attempt_reuses_from_the_first() -> None:
    history = first_attempt_step().attempt_failed().attempt()
    history.reused("0:1", "step", "transform", 2, input=1).attempt_failed().attempt()
    reused = Desk(history)
    reused.step("0:1", "transform", 1)
    command = reused.sent()[0]
    assert isinstance(command, CommandReused)
    assert 2 == command.source_index


def test_a_failure_is_not_reused() -> None:
    history = History().attempt().step("0:1", "f", failed=failure()).attempt_failed().attempt()
    assert not Desk(history).step("0:1", "f").reused


def test_reuse_can_be_turned_off() -> None:
    desk = Desk(first_attempt_step().attempt_failed().attempt())
    assert not desk.step("0:1", "transform", 1, reuse=False).reused


def test_a_call_and_its_child_are_reused() -> None:
    history = History().attempt().call("0:1", "enrich", child_id="~000-first")
    history.called("0:1", payload("e")).attempt_failed().attempt()
    desk = Desk(history)
    issued = desk.call("0:7", "enrich")  # matched by key, not by path
    assert issued.reused
    assert "~000-first" == issued.child_id


def test_a_send_is_reused_from_the_moment_it_was_issued() -> None:
    history = History().attempt().call("0:1", "audit", detached=True, child_id="~000-sent")
    desk = Desk(history.attempt_failed().attempt())
    issued = desk.call("0:1", "audit", detached=True)
    assert issued.reused
    assert "~000-sent" == issued.child_id
    assert isinstance(desk.sent()[0], CommandReused)


def test_a_branch_is_reused() -> None:
    history = History().attempt().branch("0:1", "part", result=payload(1))
    assert Desk(history.attempt_failed().attempt()).branch("0:1", "part").reused


def test_a_branch_not_taken_in_attempt_1_shares_no_key_with_attempt_2() -> None:
    first = Desk(History().attempt()).step("0:1", "small", 1)
    second = Desk(first_attempt_step().attempt_failed().attempt()).step("0:1", "large", 1)
    assert first.key != second.key
    assert not second.reused


def test_a_captured_value_that_changed_is_another_step() -> None:
    desk = Desk(first_attempt_step().attempt_failed().attempt())
    assert not desk.step("0:1", "transform", 2).reused


def test_the_second_of_two_equal_commands_is_another_operation() -> None:
    desk = Desk(first_attempt_step().attempt_failed().attempt())
    assert desk.step("0:1", "transform", 1).reused
    assert not desk.step("0:2", "transform", 1).reused


def test_the_result_of_a_cancelled_step_is_reused_by_the_next_attempt() -> None:
    history = History().attempt().timer("0:2").fired("0:2")
    history.step("0:1", "slow", result=payload("late")).attempt_failed().attempt()
    assert Desk(history).step("0:1", "slow").reused


def test_a_late_completion_counts_for_the_attempt_after_this_one() -> None:
    history = History().attempt().call("0:1", "enrich").attempt_failed().attempt()
    desk = Desk(history)
    issued = desk.call("0:1", "enrich")
    desk.news(CallCompleted("0:1", 1, payload("late")))  # of attempt 1
    assert desk.deliver() is None
    assert not issued.reused
    command = desk.sent()[0]
    assert isinstance(command, CallIssued)

    history.called("0:1", payload("late"), attempt=1).attempt_failed().attempt()
    assert Desk(history).call("0:1", "enrich").reused


def test_a_late_completion_of_an_earlier_attempt_does_not_disturb_a_replay() -> None:
    history = History().attempt().call("0:1", "enrich").attempt_failed().attempt()
    history.called("0:1", payload("late"), attempt=1).call("0:1", "enrich")
    desk = Desk(history)
    issued = desk.call("0:1", "enrich")
    assert not issued.reused
    assert () == desk.sent()


def test_a_command_without_digest_is_never_reused() -> None:
    keys = set()
    history = History().attempt()
    for _ in range(2):
        desk = Desk(history)
        issued = desk.machine.commands.issue("step", "0:1", BASE, "f", b"", None)
        keys.add(issued.key)
        assert not issued.reused
        history.add(StepCompleted("0:1", "f", b"", issued.key, payload(1)))
        history.attempt_failed().attempt()
    assert 2 == len(keys)


def forgets(history: History, issued: Issued) -> History:
    """A compensation undid a command of the attempt."""
    return history.add(Forgotten("0:9", issued.name, issued.key_of_generation(0)))


def test_a_forgotten_command_gets_a_new_key_and_runs_again() -> None:
    first = Desk(History().attempt())
    reserve = first.step("0:1", "reserve")
    first.machine.commands.forget("0:9", reserve)
    assert Forgotten("0:9", "reserve", reserve.key) in first.sent()
    history = forgets(History().attempt().step("0:1", "reserve", result=payload("r1")), reserve)
    second = Desk(history.attempt_failed().attempt()).step("0:1", "reserve")
    assert not second.reused
    assert reserve.key != second.key
    assert 1 == second.generation


def test_a_recorded_forget_is_matched_on_replay() -> None:
    reserve = Desk(History().attempt()).step("0:1", "reserve")
    history = forgets(History().attempt().step("0:1", "reserve", result=payload("r1")), reserve)
    desk = Desk(history)
    desk.machine.commands.forget("0:9", desk.step("0:1", "reserve"))
    desk.deliver()
    assert () == desk.sent()
    other = Desk(history)
    other.machine.commands.forget("0:9", other.step("0:1", "reserve", 2))
    with pytest.raises(JournalMismatchError, match="reserve"):
        other.deliver_all()


def test_forgotten_twice_in_one_attempt_is_one_generation_and_again_in_the_next_another() -> None:
    history = History().attempt().step("0:1", "reserve", result=payload("r1"))
    reserve = Desk(history).step("0:1", "reserve")
    forgets(forgets(history, reserve), reserve).attempt_failed().attempt()
    second = Desk(history).step("0:1", "reserve")
    assert 1 == second.generation
    forgets(history, second).attempt_failed().attempt()
    assert 2 == Desk(history).step("0:1", "reserve").generation


def test_a_success_that_compensates_removes_what_it_undoes() -> None:
    history = History().attempt().step("0:1", "reserve", result=payload("r1"))
    original = Desk(history).step("0:1", "reserve").key
    release = StepCompleted("0:2", "release", b"d", b"r", payload(1), compensates=original)
    history.add(release).attempt_failed().attempt()
    assert 1 == Desk(history).step("0:1", "reserve").generation


def test_a_call_that_compensates_does_so_when_it_has_succeeded() -> None:
    history = History().attempt().step("0:1", "reserve", result=payload("r1"))
    original = Desk(history).step("0:1", "reserve").key
    issued = CallIssued(
        "0:2", Target("tests", "release"), payload(1), b"r", "~000-r", compensates=original
    )
    history.add(issued)
    failed = History()
    failed.entries, failed.current_attempt = [*history.entries], 1
    failed.called("0:2", failed=failure()).attempt_failed().attempt()
    assert Desk(failed).step("0:1", "reserve").reused
    history.called("0:2", payload(1)).attempt_failed().attempt()
    assert 1 == Desk(history).step("0:1", "reserve").generation


def test_reuse_of_what_is_not_recorded_is_a_protocol_error() -> None:
    history = first_attempt_step().attempt_failed().attempt()
    desk = Desk(history.reused("0:1", "step", "transform", 1, input=1))
    desk.step("0:1", "transform", 1)
    with pytest.raises(ProtocolError, match="reuses entry 1"):
        desk.deliver()


def test_reused_commands_take_no_slot() -> None:
    desk = Desk(first_attempt_step().attempt_failed().attempt(), max_concurrent_steps=1)
    desk.step("0:1", "transform", 1)
    desk.step("0:2", "other")
    desk.flush()
    assert ["0:2"] == desk.starts()
