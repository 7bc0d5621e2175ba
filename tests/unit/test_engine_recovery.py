"""Restarts: what is on disk is what goes on, in its order, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure_runtime.core.client import ControlOperation
from perdure_runtime.core.entries import StartOptions, TimerFired, TimerStarted
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Adopt, Append, Cached, Entries, Finish
from perdure_runtime.core.payload import Payload
from tests.unit.engine_world import FLOW, Reopened, control, request, running, step
from tests.unit.scripted_worker import ScriptedWorker


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


async def test_queued_executions_keep_their_order_and_priority(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        for id in ("c", "a", "b"):
            await engine.start(request(id))
        await engine.start(request("urgent", options=StartOptions(priority=3)))
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, slots=1)
        order = []
        for _ in range(4):
            activation = await worker.activation()
            order.append(activation.key.id)
            worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
        assert order[0] == "urgent"
        assert set(order[1:]) == {"a", "b", "c"}


async def test_a_running_execution_waits_for_its_worker_and_then_goes_elsewhere(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "w1").hello(FLOW)
        await engine.start(request("a"))
        await engine.start(request("b"))
        held = {(a := await worker.activation()).key.id: a for _ in range(2)}
        await engine.flushed()
    async with running(await database.store(), resume_ms=200) as engine:
        other = ScriptedWorker(engine, "w2").hello(FLOW)
        activation = held["a"]
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        back = ScriptedWorker(engine, "w1").hello(FLOW, slots=1, cached=(cached,))
        adopted = await back.hear(Adopt)
        assert adopted.epoch > activation.epoch
        assert (await other.activation()).key.id == "b"
        assert (await engine.describe("default", "b")).attempt == 1


async def test_an_append_whose_acknowledgement_was_lost_is_not_recorded_twice(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        worker.say(Append(activation.epoch, 0, 1, (step("0:1"),)))
        await engine.flushed()
    async with running(await database.store()) as engine:
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        back = ScriptedWorker(engine).hello(FLOW, cached=(cached,))
        adopted = await back.hear(Adopt)
        assert [item.index for item in adopted.items if not hasattr(item, "count")] == [2]
        back.say(Append(adopted.epoch, 0, 1, (step("0:1"), step("0:2"))))
        (ack,) = (await back.hear(Entries)).items
        assert (getattr(ack, "first_index", None), getattr(ack, "count", None)) == (3, 1)


async def test_timers_that_became_due_meanwhile_fire(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        worker.say(Append(activation.epoch, 0, 1, (TimerStarted("0:1", 1),), idle=True))
        soon = (await engine.describe("default", "a")).created_ms + 20
        await engine.start(request("b", options=StartOptions(start_at_ms=soon)))
        await engine.flushed()
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "w2").hello(FLOW)
        found = {(a := await worker.activation()).key.id: a for _ in range(2)}
        fired = [r.entry for r in found["a"].entries if isinstance(r.entry, TimerFired)]
        assert fired == [TimerFired("0:1", 1)]
        assert found["b"].attempt == 1


async def test_parked_and_finished_executions_stay_as_they_are(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await engine.start(request("parked"))
        await control(engine, ControlOperation.PAUSE, "parked")
        await engine.start(request("over"))
        await control(engine, ControlOperation.CANCEL, "over")
    async with running(await database.store()) as engine:
        ScriptedWorker(engine).hello(FLOW)
        assert (await engine.describe("default", "parked")).status is Status.PAUSED
        assert (await engine.wait("default", "over")).status is Status.CANCELLED
        assert (await control(engine, ControlOperation.RESUME, "parked")).effect
