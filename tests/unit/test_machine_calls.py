"""Calls and sends: nothing recorded, issued, completed (semantics, sections 1, 2 and 5)."""

from __future__ import annotations

import pytest

from perdure_runtime.core.entries import CallCompleted, CallIssued
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.ids import child_id
from perdure_runtime.testing.history import KEY, History, digest, failure, payload
from tests.unit.machine_driving import Desk


def test_nothing_recorded_the_call_goes_out_and_the_body_is_idle() -> None:
    desk = Desk(History().attempt())
    issued = desk.call("0:1", "enrich", {"a": 1})
    append = desk.flush()
    assert append is not None
    sent = append.commands[0]
    assert isinstance(sent, CallIssued)
    assert child_id(KEY, 1, 1, "0:1") == sent.child_id == issued.child_id
    assert History().command_key("call", "tests/enrich", digest({"a": 1})) == sent.key
    assert append.idle
    assert (7, 0, 1) == (append.epoch, append.base, append.consumed)


def test_an_issued_call_is_not_sent_again() -> None:
    desk = Desk(History().attempt().call("0:1", "enrich"))
    desk.call("0:1", "enrich")
    append = desk.flush()
    assert append is not None
    assert () == append.commands
    assert append.idle


def test_a_completed_call_is_delivered() -> None:
    desk = Desk(History().attempt().call("0:1", "enrich").called("0:1", payload(5)))
    issued = desk.call("0:1", "enrich")
    assert issued is desk.deliver()
    assert payload(5) == issued.outcome


def test_two_completions_are_delivered_in_recorded_order() -> None:
    history = History().attempt().call("0:1", "a").call("0:2", "b")
    history.called("0:2", payload("b")).called("0:1", failed=failure())
    desk = Desk(history)
    first, second = desk.call("0:1", "a"), desk.call("0:2", "b")
    assert second is desk.deliver()
    assert first.outcome is None
    assert first is desk.deliver()


def test_a_cancelled_call_is_hinted_and_its_completion_is_for_nobody() -> None:
    desk = Desk(History().attempt().call("0:1", "enrich"))
    issued = desk.call("0:1", "enrich")
    desk.flush()
    desk.machine.commands.abandon(issued)
    append = desk.flush()
    assert append is not None
    assert ("0:1",) == append.cancel_calls
    desk.news(CallCompleted("0:1", 1, payload(1)))
    assert desk.deliver() is None


def test_a_replay_repeats_the_hint_unless_the_call_has_completed() -> None:
    history = History().attempt().call("0:1", "enrich").timer("0:2").fired("0:2")
    for done, hints in ((False, ("0:1",)), (True, ())):
        if done:
            history.called("0:1", payload(1))
        desk = Desk(history)
        issued = desk.call("0:1", "enrich")
        timer = desk.machine.commands.issue_timer("0:2", 1000)
        assert timer is desk.deliver()
        desk.machine.commands.abandon(issued)
        append = desk.flush()
        assert append is not None
        assert hints == append.cancel_calls


def test_a_call_that_was_cancelled_before_it_went_out_never_does() -> None:
    desk = Desk(History().attempt())
    desk.machine.commands.abandon(desk.call("0:1", "enrich"))
    append = desk.flush()
    assert append is not None
    assert ((), ()) == (append.commands, append.cancel_calls)


def test_a_send_has_no_completion() -> None:
    desk = Desk(History().attempt())
    desk.call("0:1", "audit", detached=True)
    append = desk.flush()
    assert append is not None
    sent = append.commands[0]
    assert isinstance(sent, CallIssued)
    assert sent.detached
    desk.ack()
    assert desk.deliver() is None
    assert {} == desk.machine.commands.open


def test_a_completion_of_what_is_not_open_is_a_protocol_error() -> None:
    desk = Desk(History().attempt().called("0:9", payload(1)))
    with pytest.raises(ProtocolError, match="0:9"):
        desk.deliver()
