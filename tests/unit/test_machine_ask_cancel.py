"""Asking for a callee to be cancelled while its outcome is awaited, as sagas do."""

from __future__ import annotations

from perdure_runtime.core.entries import CallCompleted
from perdure_runtime.testing.history import History, failure, payload
from tests.unit.machine_driving import Desk


def asked(desk: Desk) -> tuple[str, ...]:
    """The calls that the coordinator is asked to cancel now."""
    append = desk.flush()
    return append.cancel_calls if append else ()


def test_nothing_recorded_the_call_goes_out_with_the_request() -> None:
    desk = Desk(History().attempt())
    desk.machine.commands.ask_cancel(desk.call("0:1", "reserve"))
    assert asked(desk) == ("0:1",)


def test_what_waits_for_a_slot_is_asked_for_when_it_goes_out() -> None:
    desk = Desk(History().attempt().call("0:1", "first"), max_concurrent_steps=1)
    desk.call("0:1", "first")
    desk.machine.commands.ask_cancel(desk.call("0:2", "reserve"))
    assert asked(desk) == ()
    desk.news(CallCompleted("0:1", 1, payload(1)))
    assert asked(desk) == ("0:2",)


def test_command_recorded_a_replay_asks_again_and_hears_the_outcome() -> None:
    desk = Desk(History().attempt().call("0:1", "reserve"))
    issued = desk.call("0:1", "reserve")
    desk.machine.commands.ask_cancel(issued)
    assert asked(desk) == ("0:1",)
    desk.news(CallCompleted("0:1", 1, failure=failure()))
    assert issued is desk.deliver()


def test_completion_recorded_nothing_is_asked() -> None:
    desk = Desk(History().attempt().call("0:1", "reserve").called("0:1", payload(1)))
    issued = desk.call("0:1", "reserve")
    desk.machine.commands.ask_cancel(issued)
    assert issued is desk.deliver()
    assert asked(desk) == ()


def test_a_reconnect_asks_again() -> None:
    desk = Desk(History().attempt().call("0:1", "reserve"))
    desk.machine.commands.ask_cancel(desk.call("0:1", "reserve"))
    asked(desk)
    desk.machine.adopt(8, [])
    assert asked(desk) == ("0:1",)
