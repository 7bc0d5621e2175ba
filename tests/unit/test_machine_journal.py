"""How entries reach a machine: order, pages, reconnects (architecture, sections 2 and 4)."""

from __future__ import annotations

import msgspec
import pytest

from perdure_runtime.core.entries import (
    AttemptStarted,
    CallIssued,
    CancelRequested,
    Recorded,
    StateWritten,
    StepCompleted,
)
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.machine import Phase, ReplayMachine
from perdure_runtime.core.messages import Ack, Append
from perdure_runtime.core.outbox import Outcome
from perdure_runtime.core.version import JOURNAL_VERSION
from perdure_runtime.testing.history import KEY, START_MS, History, payload, writes
from tests.unit.machine_driving import Desk


def test_a_gap_is_a_protocol_error() -> None:
    desk = Desk(History().attempt())
    with pytest.raises(ProtocolError, match="entry 5 came where 2"):
        desk.machine.receive_items([Recorded(5, 0, CancelRequested())])


def test_a_repetition_is_a_protocol_error() -> None:
    desk = Desk(History().attempt())
    with pytest.raises(ProtocolError, match="entry 1 came where 2"):
        desk.machine.receive_items([Recorded(1, 0, CancelRequested())])


def test_an_acknowledgement_of_what_was_not_sent_is_a_protocol_error() -> None:
    desk = Desk(History().attempt())
    with pytest.raises(ProtocolError, match="1 commands acknowledged"):
        desk.machine.receive_items([Ack(2, 1, 0)])


def test_a_newer_journal_format_is_refused() -> None:
    history = History().attempt()
    created = history.entries[0].entry
    newer = msgspec.structs.replace(created, journal_version=JOURNAL_VERSION + 1)
    history.entries[0] = Recorded(0, START_MS, newer)
    with pytest.raises(ProtocolError, match="upgrade"):
        Desk(history)


def test_commands_wait_until_the_last_page() -> None:
    history = History().attempt().step("0:1", "f", result=payload(1))
    machine = ReplayMachine(KEY, 1, 1, 7)
    machine.receive(history.entries[:2], True)
    assert isinstance(machine.next_delivery(), AttemptStarted)
    desk = object.__new__(Desk)
    desk.machine = machine
    recorded, fresh = desk.step("0:1", "f"), desk.call("0:2", "g")
    assert desk.deliver() is None
    assert machine.flush() is None
    before = machine.is_replaying, machine.phase
    assert (True, Phase.REPLAYING) == before
    machine.receive(history.entries[2:], False)
    assert recorded is desk.deliver()
    after = machine.is_replaying
    assert not after
    commands = desk.sent()
    assert [fresh.path] == [c.path for c in commands if isinstance(c, CallIssued)]


def test_a_cancel_of_an_earlier_attempt_is_delivered_at_the_start() -> None:
    desk = Desk(History().attempt().cancel("stop").attempt_failed().attempt())
    before = desk.machine.complete
    assert CancelRequested("stop") == desk.deliver()
    assert (False, True) == (before, desk.machine.complete)


def test_virtual_time_is_the_maximum_over_delivered_entries() -> None:
    history = History().attempt().timer("0:1").fired("0:1", at_ms=START_MS + 500)
    history.call("0:2", "f")
    history.entries[-1] = Recorded(4, START_MS + 300, history.entries[-1].entry)
    desk = Desk(history)
    assert START_MS + 1 == desk.machine.time_ms
    desk.machine.commands.issue_timer("0:1", 1)
    desk.deliver()
    desk.call("0:2", "f")
    desk.deliver()
    assert START_MS + 500 == desk.machine.time_ms


# --- after a reconnect --------------------------------------------------------------------------


def test_what_is_unacknowledged_goes_out_again_from_the_right_base() -> None:
    desk = Desk(History().attempt())
    desk.machine.writes.write("a", payload(1))
    first, second = desk.call("0:1", "f"), desk.call("0:2", "g")
    sent = desk.sent()
    assert [first.path, second.path] == [c.path for c in sent if isinstance(c, CallIssued)]
    desk.machine.adopt(8, [Ack(2, 1, START_MS + 9)])
    append = desk.flush()
    assert append is not None
    assert (8, 1, sent[1:]) == (append.epoch, append.base, append.commands)


def test_writes_of_lost_commands_ride_again_once() -> None:
    desk = Desk(History().attempt())
    desk.machine.writes.write("a", payload(1))
    assert (StateWritten(writes(a=1)),) == desk.sent()
    desk.machine.writes.write("b", payload(2))
    desk.call("0:1", "f")
    assert 1 == len(desk.sent())
    desk.machine.adopt(8, [])
    commands = desk.sent()
    assert 1 == len(commands)
    assert writes(a=1, b=2) == commands[0].writes


def test_what_another_worker_recorded_meanwhile_is_the_truth() -> None:
    desk = Desk(History().attempt())
    issued = desk.step("0:1", "f")
    desk.flush()
    desk.machine.commands.step_finished("0:1", payload("ours"), None)
    sent = desk.sent()[0]
    assert isinstance(sent, StepCompleted)
    theirs = History().attempt().step("0:1", "f", result=payload("theirs")).entries[-1]
    desk.machine.adopt(8, [theirs])
    assert issued is desk.deliver()
    assert payload("theirs") == issued.outcome
    append = desk.flush()
    assert append is not None
    assert ((), 1) == (append.commands, append.base)


def test_a_running_step_that_another_worker_finished_is_stopped() -> None:
    desk = Desk(History().attempt())
    issued = desk.step("0:1", "f")
    desk.flush()
    theirs = History().attempt().step("0:1", "f", result=payload("theirs")).entries[-1]
    desk.machine.adopt(8, [theirs])
    assert issued is desk.deliver()
    assert [issued] == desk.machine.commands.stops
    desk.machine.commands.step_finished("0:1", payload("ours"), None)
    assert () == desk.sent()


def test_known_entries_may_come_again_with_an_adoption() -> None:
    desk = Desk(History().attempt().cancel())
    assert CancelRequested("stop") == desk.deliver()
    desk.machine.adopt(8, [Recorded(2, START_MS + 2, CancelRequested("stop"))])
    assert desk.deliver() is None


def test_hints_are_repeated_after_a_reconnect() -> None:
    desk = Desk(History().attempt().call("0:1", "f"))
    desk.machine.commands.abandon(desk.call("0:1", "f"))
    assert desk.flush() is not None
    desk.machine.adopt(8, [])
    append = desk.flush()
    assert append is not None
    assert ("0:1",) == append.cancel_calls


def test_the_outcome_goes_out_again_after_a_reconnect() -> None:
    desk = Desk(History().attempt())
    desk.call("0:1", "audit", detached=True)
    desk.deliver()
    desk.machine.body_ended()
    first = desk.machine.finish(Outcome(result=payload(1)))
    assert ["Append", "Finish"] == [type(message).__name__ for message in first]
    desk.machine.adopt(8, [])
    again = desk.machine.finish(Outcome())
    assert [type(message) for message in first] == [type(message) for message in again]
    assert {8} == {message.epoch for message in again}
    append = again[0]
    assert isinstance(append, Append)
    assert 0 == append.base
    desk.machine.adopt(9, [Ack(2, 1, START_MS)])
    last = desk.machine.finish(Outcome())
    assert [1] == [message.base for message in last]
