"""The dispatcher: order, slots, namespaces, loads, and what its pump costs."""

from __future__ import annotations

import asyncio
import time

import pytest

from perdure_coordinator.engine import Engine
from perdure_coordinator.engine.dispatcher import LOADS_MAX, Dispatcher, Granted
from perdure_coordinator.engine.places import Places
from perdure_coordinator.engine.sessions import Session, Sessions
from perdure_runtime.core.client import ControlOperation
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Activate, Finish, Hello, MethodSpec, Release
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.rows import Timer
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import FLOW, HANDLER, control, request, running, until
from tests.unit.scripted_worker import ScriptedWorker

CHARGE = Target("orders", "charge")
REFUND = Target("orders", "refund")


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time_ms = 1_000_000

    def now_ms(self) -> int:
        return self.time_ms

    async def wait(self, wake: asyncio.Event, until_ms: int) -> None:
        raise AssertionError("nobody waits here")


class Hall:
    """A dispatcher whose sessions take what they get."""

    def __init__(self, answer: Granted = Granted.TAKEN) -> None:
        self.answer = answer
        self.sessions = Sessions()
        self.granted: list[tuple[str, str]] = []
        self.clock = HandClock()
        self.timers: list[Timer] = []
        self.places = Places(self.clock, self.timers.append)
        self.dispatcher = Dispatcher(self.sessions, self.grant, self.places)

    def session(self, slots: int, *targets: Target, namespace: str = "default") -> Session:
        methods = tuple(MethodSpec(t.service, t.method, "flow") for t in targets)
        name = f"s{len(self.sessions.by_id)}"
        session = Session(name, None, Hello(name, namespace, methods, slots), 0.0)  # type: ignore[arg-type]  # never spoken to
        self.sessions.add(session, 0.0)
        return session

    def grant(self, key: ExecutionKey, session: Session) -> Granted:
        if self.answer is not Granted.GONE:
            self.granted.append((key.id, session.id))
        if self.answer is Granted.TAKEN:
            session.active.add(len(self.granted))
        return self.answer

    def queue(self, *ids: str, target: Target = CHARGE, priority: int = 0) -> None:
        for id in ids:
            self.dispatcher.enqueue(ExecutionKey("default", id), target, priority)

    def pump(self) -> list[str]:
        """Who gets a worker now."""
        before = len(self.granted)
        self.dispatcher.pump()
        return [id for id, _ in self.granted[before:]]


def test_first_come_first_served_within_a_priority() -> None:
    hall = Hall()
    hall.session(10, CHARGE)
    hall.queue("a", "b")
    hall.queue("urgent", priority=5)
    hall.queue("later", priority=-1)
    assert hall.pump() == ["urgent", "a", "b", "later"]


def test_no_session_gets_more_than_its_slots() -> None:
    hall = Hall()
    session = hall.session(2, CHARGE)
    hall.queue("a", "b", "c")
    assert hall.pump() == ["a", "b"]
    assert hall.pump() == []
    session.active.pop()
    assert hall.pump() == ["c"]


def test_the_least_busy_session_is_next() -> None:
    hall = Hall()
    hall.session(2, CHARGE)
    hall.session(3, CHARGE)
    hall.queue("a", "b", "c")
    hall.pump()
    assert [session for _, session in hall.granted] == ["s1", "s0", "s1"]


def test_a_long_queue_of_one_method_does_not_starve_another() -> None:
    hall = Hall()
    session = hall.session(1, CHARGE, REFUND)
    hall.queue(*(f"c{n}" for n in range(100)))
    hall.queue("r", target=REFUND)
    hall.queue("late")
    order = []
    while pumped := hall.pump():
        order += pumped
        session.active.clear()
    assert order == [*(f"c{n}" for n in range(100)), "r", "late"]


def test_a_method_goes_only_to_sessions_that_offer_it() -> None:
    hall = Hall()
    hall.session(5, CHARGE)
    hall.session(5, REFUND)
    hall.session(5, CHARGE, namespace="other")
    hall.queue("a", "b", "c", "d", "e", "f", "g")
    hall.pump()
    assert {session for _, session in hall.granted} == {"s0"}
    assert len(hall.granted) == 5


def test_methods_take_turns_in_the_order_of_arrival() -> None:
    hall = Hall()
    hall.session(4, CHARGE, REFUND)
    hall.queue("c1")
    hall.queue("r1", target=REFUND)
    hall.queue("c2")
    hall.queue("r2", target=REFUND)
    assert hall.pump() == ["c1", "r1", "c2", "r2"]


@pytest.mark.parametrize("gone", ["draining", "disconnected"])
def test_a_session_that_takes_no_new_work_gets_none(gone: str) -> None:
    hall = Hall()
    session = hall.session(5, CHARGE)
    session.draining, session.connected = gone == "draining", gone != "disconnected"
    hall.queue("a")
    assert hall.pump() == []


def test_an_execution_that_is_enqueued_twice_is_granted_once() -> None:
    hall = Hall()
    hall.session(5, CHARGE)
    hall.queue("a", "a")
    assert hall.pump() == ["a"]
    hall.queue("a")
    assert hall.pump() == ["a"], "it may come back"


def test_what_left_the_queue_is_not_granted_and_may_queue_elsewhere() -> None:
    hall = Hall()
    hall.session(5, CHARGE, REFUND)
    hall.queue("a", "b")
    hall.dispatcher.dequeue(ExecutionKey("default", "a"))
    hall.queue("a", target=REFUND)
    assert hall.dispatcher.queued(("default", "orders", "charge")) == [ExecutionKey("default", "b")]
    assert hall.pump() == ["b", "a"]


def test_loads_are_bounded_and_keep_the_order() -> None:
    hall = Hall(Granted.LOADING)
    hall.session(3, CHARGE)
    ids = [f"{n:04}" for n in range(1_000)]
    hall.queue(*ids)
    loading = hall.pump()
    assert loading == ids[:3], "no more than there are slots"
    hall.answer = Granted.TAKEN
    assert hall.pump() == [], "nobody overtakes"
    for id in reversed(loading):
        hall.dispatcher.loaded(ExecutionKey("default", id))
    assert hall.pump() == ids[:3]
    hall.session(1_000, CHARGE)
    hall.answer = Granted.LOADING
    assert hall.pump() == ids[3 : 3 + LOADS_MAX], "nor more than the bound"


def test_what_was_cancelled_while_it_was_loaded_is_not_granted() -> None:
    hall = Hall(Granted.LOADING)
    hall.session(1, CHARGE)
    hall.queue("a")
    hall.pump()
    hall.dispatcher.dequeue(ExecutionKey("default", "a"))
    hall.dispatcher.loaded(ExecutionKey("default", "a"))
    hall.answer = Granted.TAKEN
    assert hall.pump() == []


def test_a_pump_costs_the_same_however_long_the_queue_is() -> None:
    def seconds(queued: int) -> float:
        hall = Hall()
        hall.session(1, CHARGE).active.add(-1)
        hall.queue(*map(str, range(queued)))
        best = 1.0
        for _ in range(20):
            before = time.perf_counter()
            for _ in range(50):
                hall.dispatcher.pump()
            best = min(best, time.perf_counter() - before)
        return best

    assert seconds(50_000) < 20 * seconds(50)


async def test_an_execution_cancelled_while_queued_never_reaches_a_worker() -> None:
    async with running(MemoryStore()) as engine:
        await engine.start(request("a"))
        await engine.start(request("b"))
        assert (await control(engine, ControlOperation.CANCEL, "a")).effect
        queued = engine._shard.dispatcher.queued(("default", "orders", "charge"))
        assert queued == [ExecutionKey("default", "b")]
        worker = ScriptedWorker(engine).hello(FLOW)
        assert (await worker.activation()).key.id == "b"
        assert (await engine.wait("default", "a")).status is Status.CANCELLED


async def test_priorities_hold_between_executions() -> None:
    async with running(MemoryStore()) as engine:
        for id, priority in (("low", -1), ("plain", 0), ("urgent", 9)):
            await engine.start(request(id, options=StartOptions(priority=priority)))
        worker = ScriptedWorker(engine).hello(FLOW, slots=1)
        order = []
        for _ in range(3):
            activation = await worker.activation()
            order.append(activation.key.id)
            worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
        assert order == ["urgent", "plain", "low"]


async def test_one_of_two_sessions_offers_the_method() -> None:
    async with running(MemoryStore()) as engine:
        plain = ScriptedWorker(engine, "plain").hello(HANDLER)
        flows = ScriptedWorker(engine, "flows").hello(FLOW)
        await engine.start(request("a"))
        assert (await flows.activation()).key.id == "a"
        assert not [message for message in plain.told if isinstance(message, Activate)]


async def test_queued_executions_that_were_forgotten_are_loaded_in_their_order() -> None:
    async with running(MemoryStore(), max_resident=10) as engine:
        ids = [f"{9 - n % 10}-{n:03}" for n in range(60)]  # not in the order of the keys
        for id in ids:
            await engine.start(request(id))
        await until(lambda: engine.resident() <= 12)
        worker = ScriptedWorker(engine).hello(FLOW, slots=3)
        order = []
        for _ in ids:
            activation = await worker.activation()
            order.append(activation.key.id)
            worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
        assert order == ids


def test_what_waits_for_its_own_build_stays_queued_and_holds_up_nobody() -> None:
    hall = Hall(Granted.LATER)
    hall.session(2, CHARGE)
    hall.queue("a", "b")
    assert ["a", "b"] == hall.pump()
    hall.answer = Granted.TAKEN
    assert ["a", "b"] == hall.pump()
    assert [] == hall.pump()


def worker_of(engine: Engine, id: str, build_id: str, slots: int = 10) -> ScriptedWorker:
    worker = ScriptedWorker(engine, id)
    hello = Hello(id, "default", (FLOW,), slots, build_id=build_id)
    worker.session_id = engine.connect(worker, hello)
    return worker


async def test_an_open_attempt_prefers_its_build_and_moves_when_none_is_left() -> None:
    async with running(MemoryStore()) as engine:
        old = worker_of(engine, "old", "a", slots=1)
        await engine.start(request("x"))
        first = await old.hear(Activate)
        new = worker_of(engine, "new", "b")
        old.say(Release(first.epoch))
        await old.hear(Activate)  # although the other one has more room
        engine.disconnect(old.session_id)
        moved = await new.hear(Activate)
        assert "x" == moved.key.id
        await engine.start(request("y"))
        assert "y" == (await new.hear(Activate)).key.id
