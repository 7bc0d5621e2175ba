"""Branches: nothing recorded, inner commands recorded, the outcome recorded (semantics, 5)."""

from __future__ import annotations

import pytest

from perdure_runtime.core.entries import BranchCompleted
from perdure_runtime.core.errors import JournalMismatchError
from perdure_runtime.core.ids import command_key
from perdure_runtime.testing.history import History, digest, payload
from tests.unit.machine_driving import Desk


def test_nothing_recorded_the_outcome_goes_out_when_the_branch_ends() -> None:
    desk = Desk(History().attempt())
    branch = desk.branch("0:1", "part")
    assert () == desk.sent()
    desk.machine.commands.branch_ended(branch, payload(1))
    append = desk.flush()
    assert append is not None
    assert isinstance(append.commands[0], BranchCompleted)
    assert not append.idle
    desk.ack()
    assert branch is desk.deliver()
    assert payload(1) == branch.outcome


def test_a_recorded_outcome_is_delivered_once_the_branch_has_ended() -> None:
    desk = Desk(History().attempt().branch("0:1", "part", result=payload(1)))
    branch = desk.branch("0:1", "part")
    desk.machine.commands.branch_ended(branch, payload(1))
    assert branch is desk.deliver()
    assert () == desk.sent()


def test_a_branch_that_has_not_ended_as_recorded_is_a_mismatch() -> None:
    desk = Desk(History().attempt().branch("0:1", "part", result=payload(1)))
    desk.branch("0:1", "part")
    with pytest.raises(JournalMismatchError, match="has not ended"):
        desk.deliver()


def test_the_scope_of_a_branch_is_its_key() -> None:
    desk = Desk(History().attempt())
    branch = desk.branch("0:1", "part")
    inner = desk.machine.commands.issue("step", "0.1:1", branch.key, "f", digest(1), None)
    outer = desk.step("0:2", "f", 1)
    assert inner.key != outer.key
    assert command_key(branch.key, "step", "f", digest(1), 1) == inner.key


def test_a_cancelled_branch_records_nothing() -> None:
    desk = Desk(History().attempt())
    branch = desk.branch("0:1", "part")
    desk.machine.commands.branch_ended(branch, payload(1))
    desk.machine.commands.abandon(branch)
    assert () == desk.sent()
