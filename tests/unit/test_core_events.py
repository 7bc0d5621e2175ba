"""Events and promises, the coordinator's half: who gets which, what ends a wait, settling."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from perdure_runtime.core import effects as fx
from perdure_runtime.core import requests
from perdure_runtime.core.entries import (
    EventAwaited,
    EventReceived,
    EventSent,
    PromiseCreated,
    PromiseSettled,
    TimerFired,
)
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError, ProtocolError
from perdure_runtime.core.events import (
    Consumed,
    Event,
    Intervals,
    consume,
    first_after,
    give_back,
    is_consumed,
)
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.rows import TimerKind
from perdure_runtime.core.tokens import PromiseAddress, promise_token, read_token
from tests.unit.core_history import BOOM, KEY, RETRIED, History

PROMISE = b"p" * 16


def event(sequence: int, execution_id: str = "") -> Event:
    return Event(sequence, Payload(b"%d" % sequence), execution_id)


def wait(path: str, event_id: str = "e", timeout_ms: int | None = None) -> EventAwaited:
    return EventAwaited(path, event_id, b"k" * 16, timeout_ms)


def since_start(path: str) -> EventAwaited:
    return EventAwaited(path, "e", b"k" * 16, None, since_start=True)


def waiting(*waits: EventAwaited, event_sequence: int = 0) -> History:
    """A suspended execution with these waits."""
    history = History(event_sequence=event_sequence).grant()
    return history.append(*waits, idle=True)


def offer(history: History, *events: Event, expired: tuple[str, ...] = ()) -> list[object]:
    """Offer events; the paths and sequences that were recorded."""
    decision = requests.deliver_events(history.execution, "e", events, expired, history.now_ms)
    history.did(decision)
    return [
        (entry.path, entry.sequence) if isinstance(entry, EventReceived) else entry
        for entry in history.new
    ]


def consumed_by(history: History) -> Intervals:
    return history.execution.consumed["e"]


def test_each_wait_in_the_order_of_commands_gets_the_earliest_event() -> None:
    history = waiting(wait("0:1"), wait("0:2"), wait("0:3"))
    assert offer(history, event(4), event(6)) == [("0:1", 4), ("0:2", 6)]
    assert history.status is Status.RUNNING
    assert history.effects(fx.Subscribe) == [fx.Subscribe("e")]
    assert offer(history, event(4), event(6), event(9)) == [("0:3", 9)]


def test_an_event_is_consumed_once_however_often_it_is_offered() -> None:
    history = waiting(wait("0:1"), wait("0:2"))
    assert offer(history, event(4)) == [("0:1", 4)]
    assert offer(history, event(4)) == []
    assert requests.subscription(history.execution, "e") == 4


def test_an_addressed_event_is_for_that_execution_alone() -> None:
    history = waiting(wait("0:1"), wait("0:2"))
    assert offer(history, event(1, "other"), event(2, KEY.id)) == [("0:1", 2)]


def test_events_of_another_id_are_not_taken() -> None:
    assert offer(waiting(wait("0:1", "other")), event(1)) == []


def test_since_start_leaves_older_events_to_the_other_waits() -> None:
    history = waiting(since_start("0:1"), wait("0:2"), event_sequence=5)
    assert offer(history, event(4), event(7)) == [("0:1", 7), ("0:2", 4)]
    assert consumed_by(history) == ((0, 4), (5, 7))
    history.append(wait("0:3"))
    assert offer(history, event(4), event(5), event(7), event(8)) == [("0:3", 5)]
    assert consumed_by(history) == ((0, 7),)


def test_a_timeout_is_a_durable_timer_and_looks_before_it_ends_the_wait() -> None:
    history = waiting(wait("0:1", timeout_ms=500))
    assert history.due_in(TimerKind.TIMER, "0:1") == 500
    timer = history.timers["timer", "0:1"]
    history.fire(timer)
    assert history.new == []
    assert history.effects(fx.LookForEvents) == [fx.LookForEvents("e", "0:1")]
    assert offer(history, event(3), expired=("0:1",)) == [("0:1", 3)]
    assert not history.timers


def test_a_wait_whose_time_is_over_ends_without_an_event() -> None:
    history = waiting(wait("0:1", timeout_ms=500))
    assert offer(history, expired=("0:1",)) == []  # not due yet
    history.wait(500)
    assert offer(history, expired=("0:1",)) == [TimerFired("0:1", 1)]
    assert requests.subscription(history.execution, "e") is None
    assert offer(history, event(1)) == []


def test_a_cancelled_wait_takes_nothing_any_more() -> None:
    history = waiting(wait("0:1", timeout_ms=500), wait("0:2"))
    history.append(cancel_timers=("0:1",), idle=True)
    assert history.new == [EventReceived("0:1", 1, 0)]
    assert not history.timers
    assert offer(history, event(1)) == [("0:2", 1)]
    history.append(cancel_timers=("0:1",), idle=True)
    assert history.new == []


def test_a_wait_that_takes_another_ones_event_is_over() -> None:
    history = waiting(wait("0:1"), wait("0:2", timeout_ms=500))
    assert offer(history, event(1)) == [("0:1", 1)]
    history.append(msgspec.structs.replace(wait("0:2"), source_index=4))
    assert not history.timers
    assert requests.subscription(history.execution, "e") is None


def test_a_wait_that_was_cancelled_after_it_took_another_ones_event_is_over_once() -> None:
    history = waiting(wait("0:1"), wait("0:2"))
    assert offer(history, event(1)) == [("0:1", 1)]
    taken = msgspec.structs.replace(wait("0:2"), source_index=4)
    history.append(taken, cancel_timers=("0:2",))  # both at once: after a reconnect
    assert history.new == [taken]


def test_waits_end_with_their_attempt_and_the_cursor_stays() -> None:
    history = History().grant(RETRIED).append(wait("0:1"), wait("0:2", timeout_ms=9), idle=True)
    assert offer(history, event(1)) == [("0:1", 1)]
    history.fail()
    assert fx.Subscribe("e") in history.effects(fx.Subscribe)
    assert history.execution.waits == {}
    history.fire_next().grant(RETRIED).append(wait("0:1"), idle=True)
    assert offer(history, event(1), event(2)) == [("0:1", 2)]


def test_events_are_recorded_while_paused_and_wake_nobody() -> None:
    history = waiting(wait("0:1")).pause()
    assert offer(history, event(1)) == [("0:1", 1)]
    assert history.status is Status.PAUSED


def test_an_event_that_the_body_did_not_hear_of_before_it_failed_is_unclaimed() -> None:
    history = History().grant(RETRIED).append(wait("0:1"))
    consumed = history.execution.length - 1
    offer(history, event(1))
    history.finish(failure=BOOM, consumed=consumed)
    (ended,) = [entry for entry in history.new if type(entry).__name__ == "AttemptEnded"]
    assert getattr(ended, "unclaimed_events", None) == (3,)


def test_a_next_run_gets_the_cursor_without_what_nobody_got() -> None:
    history = waiting(wait("0:1"), wait("0:2"))
    offer(history, event(1), event(2))
    execution = history.execution
    assert requests.consumed_events(execution) == (Consumed("e", 0, 2),)
    assert requests.consumed_events(execution, (5,)) == (Consumed("e", 0, 1),)


def test_a_sent_event_is_stored_with_its_commit() -> None:
    history = History().grant()
    history.append(EventSent("0:1", "x", Payload(b"1"), b"k", "order-7", "once"))
    assert history.effects(fx.StoreEvent) == [fx.StoreEvent("x", Payload(b"1"), "order-7", "once")]


@pytest.mark.parametrize(
    "command",
    [
        wait("0:1", ""),
        wait("0:1", "x" * 256),
        EventSent("0:1", "", Payload(b"1"), b"k"),
        EventSent("0:1", "x", Payload(b"1"), b"k", dedupe_id="a\n"),
        EventSent("0:1", "x", Payload(b"1" * 5_000_000), b"k"),
        PromiseCreated("0:1", "", b"k"),
    ],
)
def test_a_worker_that_sends_what_cannot_be_is_refused(
    command: EventAwaited | EventSent | PromiseCreated,
) -> None:
    with pytest.raises(ProtocolError):
        History().grant().append(command)


def test_intervals_hold_exactly_what_was_added() -> None:
    intervals = consume(consume((), 10, 20), 0, 5)
    assert intervals == ((0, 5), (10, 20))
    assert [n for n in (0, 1, 5, 6, 10, 11, 20, 21) if is_consumed(intervals, n)] == [1, 5, 11, 20]
    assert consume(intervals, 5, 10) == ((0, 20),)
    assert give_back(intervals, [1, 15, 20, 99]) == ((1, 5), (10, 14), (15, 19))
    assert [first_after(intervals, n) for n in (0, 3, 5, 10, 20)] == [5, 5, 5, 20, 20]


# --- promises ------------------------------------------------------------------------------------


def promised(**clocks: Any) -> History:
    return History().grant(RETRIED).append(PromiseCreated("0:1", "p", PROMISE, **clocks), idle=True)


def settle(history: History, result: bytes = b"1", failure: Failure | None = None) -> bool:
    value = None if failure else Payload(result)
    history.did(requests.settle_promise(history.execution, 1, PROMISE, value, failure))
    return bool(history.last.reply)


def test_a_promise_is_settled_once() -> None:
    history = promised(timeout_ms=500, heartbeat_timeout_ms=100)
    assert settle(history)
    assert history.new == [PromiseSettled("0:1", 1, PROMISE, Payload(b"1"))]
    assert history.status is Status.RUNNING
    assert not history.timers
    assert not settle(history, b"2")
    assert history.new == []


def test_a_promise_that_was_never_made_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="no such promise"):
        settle(History().grant())
    history = promised()
    decision = requests.settle_promise(history.execution, 2, PROMISE, Payload(b"1"), None)
    assert decision.reply is False  # of another run


def test_a_promise_times_out_and_is_made_anew_by_the_next_attempt() -> None:
    history = promised(timeout_ms=500).fire_next()
    (settled,) = history.new
    assert isinstance(settled, PromiseSettled)
    assert settled.timed_out
    assert not settle(history)
    history.fail().fire_next().grant(RETRIED).append(PromiseCreated("0:9", "p", PROMISE))
    assert settle(history)
    assert history.new == [PromiseSettled("0:9", 2, PROMISE, Payload(b"1"))]


def test_heartbeats_move_the_time_without_one() -> None:
    history = promised(heartbeat_timeout_ms=100).wait(80)
    old = history.timers["heartbeat", "0:1"]
    decision = requests.heartbeat(history.execution, 1, PROMISE, history.now_ms)
    history.did(decision)
    assert decision.reply is True
    assert history.due_in(TimerKind.HEARTBEAT, "0:1") == 100
    history.execution.heartbeats["0:1"] = history.now_ms + 100  # as the shell notes it
    history.fire(old)
    assert history.new == []
    history.fire(history.timers["heartbeat", "0:1"])
    assert len(history.new) == 1
    assert requests.heartbeat(history.execution, 1, PROMISE, history.now_ms).reply is False


def test_a_promise_settled_between_two_attempts_is_for_the_next() -> None:
    history = promised(timeout_ms=500, heartbeat_timeout_ms=100).fail()
    assert settle(history)
    assert history.status is Status.SCHEDULED
    history.fire_next().grant(RETRIED)
    assert not settle(history)


def test_a_promise_settled_before_the_attempt_made_it_is_told_again() -> None:
    history = promised().fail().fire_next().grant(RETRIED)
    assert settle(history)
    history.append(PromiseCreated("0:4", "p", PROMISE), idle=True)
    assert history.new[1] == PromiseSettled("0:4", 2, PROMISE, Payload(b"1"))
    assert history.status is Status.RUNNING
    assert not settle(history)


def test_nothing_is_settled_after_the_end() -> None:
    history = promised()
    history.finish(Payload(b"1"))
    assert not settle(history)


@pytest.mark.parametrize("id", ["a", "\u6ce8\u6587-1", "~3ff-00", "x" * 255])
def test_tokens_come_back_and_damage_is_found(id: str) -> None:
    address = PromiseAddress(ExecutionKey("n", id), 3, PROMISE)
    token = promise_token(address)
    assert read_token(token) == address
    for position in range(0, len(token), 7):
        damaged = (
            token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        )
        with pytest.raises(InvalidArgumentError, match="token"):
            read_token(damaged)
