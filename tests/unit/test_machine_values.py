"""`ctx.emit` in the replay machine (semantics, sections 2 and 5)."""

from __future__ import annotations

import pytest

from perdure_runtime.core.entries import CommandReused, ValueEmitted
from perdure_runtime.core.errors import JournalMismatchError
from perdure_runtime.core.issued import EMIT, Issued
from perdure_runtime.core.messages import Append
from perdure_runtime.core.outbox import Outcome
from perdure_runtime.testing.history import History, payload
from tests.unit.machine_driving import BASE, Desk


def emit(desk: Desk, path: str, value: object) -> Issued:
    encoded = payload(value)
    return desk.machine.commands.issue(EMIT, path, BASE, "", encoded.digest, encoded)


def recorded(history: History, path: str, value: object, occurrence: int = 1) -> History:
    encoded = payload(value)
    key = history.command_key(EMIT, "", encoded.digest, occurrence)
    return history.add(ValueEmitted(path, encoded, key))


def test_nothing_recorded_the_value_goes_out_and_delivers_nothing() -> None:
    desk = Desk(History().attempt())
    issued = emit(desk, "0:1", 7)
    assert (ValueEmitted("0:1", payload(7), issued.key),) == desk.sent()
    desk.ack()
    assert desk.deliver() is None
    assert not desk.machine.commands.open


def test_a_recorded_value_is_not_sent_again() -> None:
    desk = Desk(recorded(History().attempt(), "0:1", 7))
    emit(desk, "0:1", 7)
    emit(desk, "0:2", 8)
    assert ["0:2"] == [command.path for command in desk.sent()]  # type: ignore[union-attr]


def test_another_value_than_recorded_is_a_mismatch() -> None:
    desk = Desk(recorded(History().attempt(), "0:1", 7))
    emit(desk, "0:1", 8)
    with pytest.raises(JournalMismatchError, match="emit"):
        desk.deliver()


def test_a_value_takes_no_slot() -> None:
    desk = Desk(History().attempt(), max_concurrent_steps=1)
    desk.step("0:1", "f")
    emit(desk, "0:2", 7)
    assert ["0:2"] == [command.path for command in desk.sent()]  # type: ignore[union-attr]


def test_a_later_attempt_does_not_repeat_an_equal_value() -> None:
    history = recorded(recorded(History().attempt(), "0:1", 7), "0:2", 7, 2)
    desk = Desk(history.attempt_failed().attempt())
    for path, value in (("0:1", 7), ("0:2", 7), ("0:3", 7), ("0:4", 8)):
        emit(desk, path, value)
    kinds = [type(command) for command in desk.sent()]
    assert [CommandReused, CommandReused, ValueEmitted, ValueEmitted] == kinds
    desk.ack(4)
    assert desk.deliver() is None, "nobody waits for an emitted value"


def test_a_value_that_was_emitted_last_goes_out_before_the_outcome() -> None:
    desk = Desk(History().attempt())
    emit(desk, "0:1", 7)
    assert [] == desk.machine.body_ended(), "nobody has to await it"
    append, finish = desk.machine.finish(Outcome(result=payload(1)))
    assert isinstance(append, Append)
    assert ["0:1"] == [command.path for command in append.commands]  # type: ignore[union-attr]
    assert 1 == finish.base
