"""Patches: which code an attempt runs (semantics, section 4)."""

from __future__ import annotations

import pytest

from perdure_runtime.core.entries import PatchDecided, Recorded
from perdure_runtime.core.errors import JournalMismatchError
from perdure_runtime.testing.history import History, payload
from tests.unit.machine_driving import Desk


def asks(desk: Desk, id: str = "p", deprecated: bool = False) -> bool:
    """The body asks."""
    machine = desk.machine
    return machine.patches.decide(id, deprecated=deprecated, replaying=machine.is_replaying)


def recorded_before() -> History:
    """A journal of code without the patch."""
    return History().attempt().step("0:1", "old", result=payload(1))


def test_a_new_attempt_runs_the_patch_and_records_it() -> None:
    desk = Desk(History().attempt())
    assert asks(desk)
    assert asks(desk)
    assert (PatchDecided("p"),) == desk.sent()
    desk.ack()
    assert () == desk.sent()


def test_false_on_replay_of_a_journal_recorded_before_and_ever_after() -> None:
    desk = Desk(recorded_before())
    assert not asks(desk)
    desk.step("0:1", "old")
    desk.deliver()
    assert not asks(desk)
    assert () == desk.sent()


def test_true_where_nothing_is_left_to_replay() -> None:
    desk = Desk(recorded_before())
    desk.step("0:1", "old")
    desk.deliver()
    assert asks(desk)
    assert (PatchDecided("p"),) == desk.sent()


def test_true_on_replay_of_a_recorded_decision() -> None:
    desk = Desk(History().attempt().add(PatchDecided("p")).step("0:1", "new", result=payload(1)))
    assert asks(desk)
    desk.step("0:1", "new")
    desk.deliver_all()
    assert () == desk.sent()


def test_a_decision_on_a_later_page_is_known_from_the_activation() -> None:
    desk = Desk(recorded_before(), patches=("p",))
    assert asks(desk)


def test_a_recorded_decision_that_the_code_does_not_ask_for_is_a_mismatch() -> None:
    desk = Desk(History().attempt().add(PatchDecided("p")))
    with pytest.raises(JournalMismatchError, match="patch 'p'"):
        desk.deliver_all()


def test_a_deprecated_decision_need_not_be_asked_for() -> None:
    desk = Desk(History().attempt().add(PatchDecided("p", deprecated=True)))
    desk.deliver_all()
    assert () == desk.sent()


def test_deprecated_code_replays_what_was_decided_before() -> None:
    desk = Desk(History().attempt().add(PatchDecided("p")))
    assert asks(desk, deprecated=True)
    desk.deliver_all()
    assert () == desk.sent()


def test_the_next_attempt_decides_anew() -> None:
    desk = Desk(recorded_before().attempt_failed().attempt())
    assert asks(desk)
    history = History().attempt().add(PatchDecided("p")).attempt_failed().attempt()
    desk = Desk(history)
    assert asks(desk)
    assert (PatchDecided("p"),) == desk.sent()


def test_a_decision_is_recorded_once_over_a_reconnect() -> None:
    desk = Desk(History().attempt())
    asks(desk)
    decided = desk.sent()[0]
    desk.machine.adopt(8, [Recorded(desk.machine.received, 0, decided)])
    assert () == desk.sent()
