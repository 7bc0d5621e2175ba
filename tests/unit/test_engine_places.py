"""Limits per name in the dispatcher: places, rates, who goes past whom, and restarts."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from perdure_coordinator.engine import Engine
from perdure_coordinator.engine.dispatcher import Granted
from perdure_coordinator.engine.sessions import Session
from perdure_runtime.core.client import ControlOperation
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Append, Finish, MethodSpec, Release
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.rates import Rate
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import FLOW, Reopened, control, request, running, step, until
from tests.unit.scripted_worker import ScriptedWorker
from tests.unit.test_engine_dispatch import CHARGE, REFUND, Hall

TWO = replace(FLOW, max_concurrency=2)


class Limited(Hall):
    """A dispatcher that takes places as the engine does."""

    def limit(self, *, most: int = 0, rate: Rate | None = None, earlier: bool = False) -> None:
        spec = MethodSpec("orders", "charge", "flow", max_concurrency=most, rate=rate)
        self.places.learn("default", spec, earlier=earlier)
        self.dispatcher.sort_anew(("default", "orders", "charge"))

    def row(self, id: str, target: Target = CHARGE) -> ExecutionRow:
        return ExecutionRow(ExecutionKey("default", id), 0, target, Status.QUEUED, 0)

    def grant(self, key: ExecutionKey, session: Session) -> Granted:
        answer = super().grant(key, session)
        if answer is Granted.TAKEN:
            target = REFUND if key.id.startswith("r") else CHARGE
            self.places.take(self.row(key.id, target))
        return answer

    def end(self, *ids: str) -> None:
        for id in ids:
            self.places.give_back(self.row(id))


def test_no_more_run_than_there_are_places_and_others_go_past() -> None:
    hall = Limited()
    hall.limit(most=2)
    hall.session(10, CHARGE, REFUND)
    hall.queue("a", "b", "c", "d")
    hall.queue("r1", "r2", target=REFUND, priority=-5)
    assert ["a", "b", "r1", "r2"] == hall.pump()
    assert [] == hall.pump()
    hall.end("a")
    assert ["c"] == hall.pump()


def test_who_has_a_place_goes_past_those_that_wait_for_one() -> None:
    hall = Limited()
    hall.limit(most=1)
    hall.session(10, CHARGE)
    hall.queue("a")
    assert ["a"] == hall.pump()
    hall.queue("b", priority=9)
    hall.queue("a")  # it was suspended, and there is news
    assert ["a"] == hall.pump()
    hall.end("a")
    assert ["b"] == hall.pump()


def test_places_are_given_by_priority() -> None:
    hall = Limited()
    hall.limit(most=1)
    hall.session(10, CHARGE)
    hall.queue("a")
    hall.pump()
    hall.queue("low")
    hall.queue("high", priority=1)
    hall.end("a")
    assert ["high"] == hall.pump()


def test_what_is_being_loaded_counts() -> None:
    hall = Limited(Granted.LOADING)
    hall.limit(most=2)
    hall.session(10, CHARGE)
    hall.queue("a", "b", "c")
    assert ["a", "b"] == hall.pump()
    hall.answer = Granted.TAKEN
    assert [] == hall.pump()
    hall.dispatcher.loaded(ExecutionKey("default", "a"))
    hall.dispatcher.loaded(ExecutionKey("default", "b"))
    assert ["a", "b"] == hall.pump()
    assert [] == hall.pump()


def test_a_limit_that_comes_later_holds_for_what_is_queued_and_one_that_goes_frees_it() -> None:
    hall = Limited()
    session = hall.session(1, CHARGE)
    session.active.add(-1)
    hall.queue("a", "b", "c")
    hall.pump()
    hall.limit(most=1)
    session.slots = 10
    assert ["a"] == hall.pump()
    assert {"b", "c"} == {key.id for key in hall.dispatcher.queued(("default", "orders", "charge"))}
    hall.limit()
    assert ["b", "c"] == hall.pump()


def test_a_rate_lets_through_the_burst_and_then_one_by_one() -> None:
    hall = Limited()
    hall.limit(rate=Rate(10, 3))
    hall.session(100, CHARGE, REFUND)
    hall.queue(*"abcdefg")
    assert ["a", "b", "c"] == hall.pump()
    hall.queue("r1", target=REFUND)
    assert ["r1"] == hall.pump(), "nobody else waits"
    for id in "de":
        assert [] == hall.pump()
        hall.clock.time_ms = hall.timers[-1].due_ms
        hall.places.due(hall.timers[-1])
        assert [id] == hall.pump()
    assert hall.clock.time_ms == 1_000_000 + 200


def test_a_rate_that_an_earlier_owner_may_have_used_up_starts_empty() -> None:
    hall = Limited()
    hall.limit(rate=Rate(10, 3), earlier=True)
    hall.session(100, CHARGE)
    hall.queue("a", "b")
    assert [] == hall.pump()
    hall.clock.time_ms += 100
    assert ["a"] == hall.pump()


# --- the engine --------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


async def started(engine: Engine, *ids: str) -> None:
    for id in ids:
        await engine.start(request(id))


def suspended(engine: Engine) -> set[str]:
    known = engine._shard.executions.items()
    return {key.id for key, each in known if each.row.status is Status.SUSPENDED}


async def waiting_for(engine: Engine, id: str) -> tuple[str, ...]:
    return (await engine.describe("default", id)).waiting_for


async def test_a_suspended_execution_keeps_its_place_and_an_ended_one_gives_it_back() -> None:
    async with running(MemoryStore()) as engine:
        worker = ScriptedWorker(engine).hello(TWO)
        await started(engine, "a", "b", "c")
        a, b = await worker.activation(), await worker.activation()
        worker.say(Append(a.epoch, 0, 1, (step("0:1"),)))
        worker.say(Append(a.epoch, 1, 2, (), idle=True))
        await until(lambda: "a" in suspended(engine))
        await engine.flushed()
        assert ("a place: 2 of 2 are taken (max_concurrency)",) == await waiting_for(engine, "c")
        worker.say(Finish(b.epoch, 0, 1, Payload(b"1")))
        assert "c" == (await worker.activation()).key.id


@pytest.mark.parametrize("operation", [ControlOperation.PAUSE, ControlOperation.CANCEL])
async def test_who_is_parked_or_cancelled_gives_its_place_back(operation: ControlOperation) -> None:
    async with running(MemoryStore()) as engine:
        worker = ScriptedWorker(engine).hello(replace(FLOW, max_concurrency=1))
        await started(engine, "a")
        a = await worker.activation()
        worker.say(Release(a.epoch))  # queued again, and still under way
        await started(engine, "b")
        a = await worker.activation()
        assert "a" == a.key.id
        assert (await control(engine, operation, "a")).effect
        if operation is ControlOperation.CANCEL:
            worker.say(Finish(a.epoch, 0, 2, cancelled=True))
        assert "b" == (await worker.activation()).key.id
        if operation is ControlOperation.PAUSE:
            await control(engine, ControlOperation.RESUME, "a")
            assert "place" in (await waiting_for(engine, "a"))[0]


async def test_places_are_counted_from_the_rows_after_a_restart(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(TWO)
        await started(engine, "a", "b", "c", "d")
        a, _ = await worker.activation(), await worker.activation()
        worker.say(Append(a.epoch, 0, 1, (step("0:1"),)))
        worker.say(Append(a.epoch, 1, 2, (), idle=True))  # suspended
        await engine.flushed()
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "other").hello(TWO)
        again = await worker.activation()
        assert "b" == again.key.id, "its place is its own; a still has the other one"
        assert "place" in (await waiting_for(engine, "c"))[0]
        worker.say(Finish(again.epoch, 0, 1, Payload(b"1")))
        assert "c" == (await worker.activation()).key.id
        assert "place" in (await waiting_for(engine, "d"))[0]
        await control(engine, ControlOperation.CANCEL, "a")
        a = await worker.activation()
        assert "a" == a.key.id, "to clean up"
        worker.say(Finish(a.epoch, 1, 3, cancelled=True))
        assert "d" == (await worker.activation()).key.id


async def test_a_rate_is_not_exceeded_over_a_restart(database: Reopened) -> None:
    limited = replace(FLOW, rate=Rate(0.001, 2))
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(limited)
        await started(engine, "a", "b", "c")
        assert {"a", "b"} == {(await worker.activation()).key.id for _ in range(2)}
        await engine.flushed()
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "other").hello(limited)
        assert {"a", "b"} == {(await worker.activation()).key.id for _ in range(2)}
        turn = ("its turn: 0.001 per second begin (rate_limit)",)
        assert turn == await waiting_for(engine, "c")


async def test_a_full_name_does_not_hold_up_another_of_lower_priority() -> None:
    async with running(MemoryStore()) as engine:
        handler = MethodSpec("orders", "send_mail", "handler")
        worker = ScriptedWorker(engine).hello(replace(FLOW, max_concurrency=1), handler)
        for id in ("a", "b"):
            await engine.start(request(id, options=StartOptions(priority=5)))
        await engine.start(request("m", Target("orders", "send_mail")))
        assert ["a", "m"] == [(await worker.activation()).key.id for _ in range(2)]


async def test_a_bad_limit_is_refused_at_the_registration() -> None:
    async with running(MemoryStore()) as engine:
        with pytest.raises(InvalidArgumentError, match=r"orders/charge.*burst"):
            ScriptedWorker(engine).hello(replace(FLOW, rate=Rate(1, 0)))
