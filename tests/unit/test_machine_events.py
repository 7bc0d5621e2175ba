"""Waits, sent events and promises in the machine: nothing, the command, the completion recorded;
and where an event goes whose wait the body has cancelled (semantics, sections 2 and 7)."""

from __future__ import annotations

from typing import Any

import pytest

from perdure_runtime.core.arrivals import Wait
from perdure_runtime.core.entries import (
    AttemptEnded,
    CommandReused,
    EventAwaited,
    EventReceived,
    EventSent,
    PromiseCreated,
    PromiseSettled,
    TimerFired,
)
from perdure_runtime.core.errors import JournalMismatchError
from perdure_runtime.core.ids import PROMISE_DIGEST, wait_digest
from perdure_runtime.core.issued import (
    EVENT,
    EVENT_SEND,
    PROMISE,
    EventRequest,
    Issued,
    PromiseRequest,
)
from perdure_runtime.core.outbox import Outcome
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.testing.history import History, failure, payload
from tests.unit.machine_driving import BASE, Desk


def wait(desk: Desk, path: str, event_id: str = "e", **fields: Any) -> Issued:
    """The body waits for an event."""
    request = Wait(event_id, **fields)
    digest = wait_digest(request.since_start)
    return desk.machine.commands.issue(EVENT, path, BASE, event_id, digest, request)


def promise(desk: Desk, path: str, name: str = "p") -> Issued:
    """The body makes a promise."""
    return desk.machine.commands.issue(PROMISE, path, BASE, name, PROMISE_DIGEST, PromiseRequest())


def send(desk: Desk, path: str, value: Any = 1) -> Issued:
    """The body sends an event."""
    request = EventRequest("e", payload(value))
    digest = request.payload.digest
    return desk.machine.commands.issue(EVENT_SEND, path, BASE, "e", digest, request)


def awaited(path: str, key: bytes = b"k", **fields: Any) -> EventAwaited:
    return EventAwaited(path, "e", key, **fields)


def received(path: str, value: int, attempt: int = 1) -> EventReceived:
    return EventReceived(path, attempt, value, payload(value))


def paths(desk: Desk) -> list[str]:
    """Of the commands that go out now."""
    return [getattr(command, "path", "") for command in desk.sent()]


def recorded_wait(*paths: str) -> tuple[Desk, list[Issued]]:
    """A body with recorded waits."""
    history = History().attempt()
    for path in paths:
        history.add(awaited(path))
    desk = Desk(history)
    waits = [wait(desk, path) for path in paths]
    assert desk.deliver_all() == []
    return desk, waits


def test_nothing_recorded_the_wait_goes_out_and_the_body_is_idle() -> None:
    desk = Desk(History().attempt())
    issued = wait(desk, "0:1", timeout_ms=500)
    append = desk.flush()
    assert append is not None
    assert append.commands == (EventAwaited("0:1", "e", issued.key, 500),)
    assert append.idle


def test_a_recorded_wait_is_not_sent_again() -> None:
    desk, _ = recorded_wait("0:1")
    assert desk.sent() == ()


def test_a_received_event_is_delivered() -> None:
    desk = Desk(History().attempt().add(awaited("0:1")).add(received("0:1", 7)))
    issued = wait(desk, "0:1")
    assert desk.deliver() is issued
    assert issued.outcome == payload(7)


def test_a_timeout_is_delivered_as_a_failure() -> None:
    desk, (issued,) = recorded_wait("0:1")
    desk.news(TimerFired("0:1", 1))
    assert desk.deliver() is issued
    assert isinstance(issued.outcome, Failure)
    assert issued.outcome.code is FailureCode.TIMEOUT


@pytest.mark.parametrize("change", [{"event_id": "other"}, {"since_start": True}])
def test_another_wait_than_the_recorded_one_is_a_mismatch(change: dict[str, Any]) -> None:
    desk = Desk(History().attempt().add(awaited("0:1")))
    wait(desk, "0:1", **change)
    with pytest.raises(JournalMismatchError, match="event 'e'"):
        desk.deliver()


def test_a_wait_that_is_not_cancelled_here_but_was_is_a_mismatch() -> None:
    desk, _ = recorded_wait("0:1")
    desk.news(EventReceived("0:1", 1, 0))
    with pytest.raises(JournalMismatchError, match="still waits"):
        desk.deliver()


def test_a_cancelled_wait_is_told_and_closed() -> None:
    desk, (first,) = recorded_wait("0:1")
    desk.machine.commands.abandon(first)
    append = desk.flush()
    assert append is not None
    assert append.cancel_timers == ("0:1",)
    desk.news(EventReceived("0:1", 1, 0))
    assert desk.deliver() is None


def test_an_event_of_a_cancelled_wait_goes_to_the_next_open_one() -> None:
    desk, (first, second) = recorded_wait("0:1", "0:2")
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    append = desk.flush()
    assert append is not None
    assert append.commands == (EventAwaited("0:2", "e", second.key, source_index=4),)
    assert not append.idle
    desk.ack()
    assert desk.deliver() is second
    assert second.outcome == payload(7)


def test_what_comes_for_a_wait_that_takes_another_event_goes_on_in_order() -> None:
    desk, (first, second, third) = recorded_wait("0:1", "0:2", "0:3")
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    desk.news(received("0:2", 8))
    assert paths(desk) == ["0:2", "0:3"]
    desk.ack(2)
    assert [desk.deliver(), desk.deliver()] == [second, third]
    assert (second.outcome, third.outcome) == (payload(7), payload(8))


def test_the_timeout_of_a_wait_that_takes_an_earlier_event_is_too_late() -> None:
    desk, (first, second) = recorded_wait("0:1", "0:2")
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    desk.news(TimerFired("0:2", 1))
    assert len(desk.sent()) == 1
    desk.ack()
    assert desk.deliver() is second
    assert second.outcome == payload(7)


def test_an_assignment_is_recorded_even_if_its_wait_is_cancelled_meanwhile() -> None:
    desk, (first, second, third) = recorded_wait("0:1", "0:2", "0:3")
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    assert desk.deliver() is None
    desk.machine.commands.abandon(second)
    assert paths(desk) == ["0:2"]
    desk.ack()
    assert paths(desk) == ["0:3"]
    desk.ack()
    assert desk.deliver() is third
    assert third.outcome == payload(7)


def test_a_later_event_is_not_taken_before_an_earlier_one_whose_wait_was_cancelled() -> None:
    desk, (first, second) = recorded_wait("0:1", "0:2")
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    desk.news(received("0:2", 8))
    assert (desk.deliver(), desk.deliver()) == (None, None)
    assert second.source_index == 4  # on its way to the journal
    desk.machine.commands.abandon(second)
    third = wait(desk, "0:3")
    assert paths(desk) == ["0:2", "0:3"]
    assert [third.source_index] == [0]
    desk.ack(2)
    assert (desk.deliver(), desk.deliver()) == (None, None)
    assert [third.source_index] == [4]
    assert wait(desk, "0:4").source_index == 5


def test_a_wait_issued_later_takes_the_loose_event_at_once() -> None:
    desk, (first,) = recorded_wait("0:1")
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    assert desk.deliver() is None
    later = wait(desk, "0:2")
    assert desk.sent() == (EventAwaited("0:2", "e", later.key, source_index=3),)
    desk.ack()
    assert desk.deliver() is later


def test_the_earliest_of_several_loose_events_is_taken_first() -> None:
    desk, waits = recorded_wait("0:1", "0:2")
    for issued in waits:
        desk.machine.commands.abandon(issued)
    desk.news(EventReceived("0:1", 1, 9, payload(9)))
    desk.news(EventReceived("0:2", 1, 8, payload(8)))
    assert desk.deliver() is None
    assert wait(desk, "0:3").source_index == 5
    assert wait(desk, "0:4").source_index == 4


def test_a_body_is_not_idle_while_a_wait_on_its_way_will_take_a_loose_event() -> None:
    """Told idle, the coordinator would let the worker go, and nobody would deliver the event."""
    desk, (first,) = recorded_wait("0:1")
    later = wait(desk, "0:2")
    assert len(desk.sent()) == 1
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    append = desk.flush()
    assert append is None or not append.idle
    assert not desk.machine.idle
    # The wait was recorded before its acknowledgement tells so.
    desk.ack()
    assert desk.sent() == (EventAwaited("0:2", "e", later.key, source_index=3),)


def test_a_loose_event_that_is_older_than_the_run_is_not_for_a_wait_since_the_start() -> None:
    history = History(event_sequence=7).attempt().add(awaited("0:1"))
    desk = Desk(history)
    first = wait(desk, "0:1")
    assert desk.deliver() is None
    desk.machine.commands.abandon(first)
    desk.news(received("0:1", 7))
    assert desk.deliver() is None
    assert wait(desk, "0:2", since_start=True).source_index == 0
    assert wait(desk, "0:3").source_index == 3


def test_what_no_wait_got_is_told_at_the_end_and_is_for_the_next_attempt() -> None:
    desk, (first, _) = recorded_wait("0:1", "0:2")
    desk.machine.commands.abandon(first)
    desk.machine.commands.abandon(_)
    desk.news(received("0:1", 7))
    assert desk.deliver() is None
    desk.machine.body_ended()
    *_, finish = desk.machine.finish(Outcome(failure=failure()))
    assert getattr(finish, "unclaimed_events", None) == (4,)

    history = History().attempt().add(awaited("0:1", first.key)).add(received("0:1", 7))
    history.add(AttemptEnded(1, failure(), 0, (), None, (3,))).attempt()
    desk = Desk(history)
    again = wait(desk, "0:5")
    assert not again.reused
    assert desk.sent() == (EventAwaited("0:5", "e", again.key, source_index=3),)
    desk.ack()
    assert desk.deliver() is again


def test_a_wait_that_got_an_event_is_reused_by_the_next_attempt() -> None:
    key = wait(Desk(History().attempt()), "0:1").key
    history = History().attempt().add(awaited("0:1", key)).add(received("0:1", 7))
    history.add(AttemptEnded(1, failure(), 0)).attempt()
    desk = Desk(history)
    issued = wait(desk, "0:1")
    (reused,) = desk.sent()
    assert isinstance(reused, CommandReused)
    assert reused.source_index == 3
    desk.ack()
    assert desk.deliver() is issued
    assert issued.outcome == payload(7)


def test_a_reused_event_whose_wait_is_cancelled_goes_to_the_next() -> None:
    key = wait(Desk(History().attempt()), "0:1").key
    history = History().attempt().add(awaited("0:1", key)).add(received("0:1", 7))
    history.add(AttemptEnded(1, failure(), 0)).attempt()
    desk = Desk(history)
    first, second = wait(desk, "0:1"), wait(desk, "0:2")
    desk.machine.commands.abandon(first)
    assert paths(desk) == ["0:1", "0:2"]
    desk.ack(2)
    (taken,) = desk.sent()
    assert taken == EventAwaited("0:2", "e", second.key, source_index=3)


def test_an_event_taken_over_is_the_takers_in_the_next_attempt() -> None:
    bench = Desk(History().attempt())
    first, second = wait(bench, "0:1").key, wait(bench, "0:2").key
    history = History().attempt().add(awaited("0:1", first)).add(received("0:1", 7))
    history.add(awaited("0:2", second, source_index=3))
    history.add(AttemptEnded(1, failure(), 0)).attempt()
    desk = Desk(history)
    assert not wait(desk, "0:1").reused
    assert wait(desk, "0:2").reused


def test_a_sent_event_is_recorded_once_over_attempts() -> None:
    desk = Desk(History().attempt())
    issued = send(desk, "0:1")
    assert desk.sent() == (EventSent("0:1", "e", payload(1), issued.key),)
    history = History().attempt().add(EventSent("0:1", "e", payload(1), issued.key))
    history.add(AttemptEnded(1, failure(), 0)).attempt()
    desk = Desk(history)
    assert send(desk, "0:1").reused
    assert not send(desk, "0:2").reused


def test_a_sent_event_that_differs_is_a_mismatch() -> None:
    desk = Desk(History().attempt().add(EventSent("0:1", "e", payload(1), b"k")))
    send(desk, "0:1", 2)
    with pytest.raises(JournalMismatchError, match="event send"):
        desk.deliver()


def test_a_step_waits_until_the_promise_before_it_is_on_disk() -> None:
    desk = Desk(History().attempt())
    issued = promise(desk, "0:1")
    desk.step("0:2", "mail")
    append = desk.flush()
    assert append is not None
    assert append.commands == (PromiseCreated("0:1", "p", issued.key),)
    assert not append.idle
    assert desk.starts() == []
    desk.ack()
    desk.flush()
    assert desk.starts() == ["0:2"]


def test_a_promise_is_settled_by_what_is_recorded() -> None:
    for outcome in ({"result": payload(1)}, {"failure": failure()}):
        history = History().attempt().add(PromiseCreated("0:1", "p", b"k"))
        desk = Desk(history.add(PromiseSettled("0:1", 1, b"k", **outcome)))
        issued = promise(desk, "0:1")
        assert desk.deliver() is issued
        assert issued.outcome == next(iter(outcome.values()))


@pytest.mark.parametrize("timed_out", [False, True])
def test_a_settled_promise_is_reused_even_if_it_failed_but_not_if_it_timed_out(
    timed_out: bool,
) -> None:
    key = promise(Desk(History().attempt()), "0:1").key
    history = History().attempt().add(PromiseCreated("0:1", "p", key))
    settled = PromiseSettled("0:1", 1, key, failure=failure("no"), timed_out=timed_out)
    history.add(AttemptEnded(1, failure(), 0)).add(settled).attempt()
    desk = Desk(history)
    issued = promise(desk, "0:1")
    assert issued.reused != timed_out
    assert issued.key == key
    if not timed_out:
        desk.flush()
        desk.ack()
        assert desk.deliver() is issued
        assert issued.outcome == failure("no")


def test_a_promise_of_a_body_that_ended_is_recorded_all_the_same() -> None:
    desk = Desk(History().attempt())
    promise(desk, "0:1")
    assert desk.machine.body_ended() == []
    first, *_ = desk.machine.finish(Outcome(result=payload(1)))
    assert [getattr(c, "path", "") for c in getattr(first, "commands", ())] == ["0:1"]
