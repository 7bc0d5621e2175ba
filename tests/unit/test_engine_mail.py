"""Between executions: attached and cancelled calls, letters over restarts (I11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import ControlOperation, ListRequest
from perdure_runtime.core.entries import CallCompleted, Target
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Activate, Append, Entries, Finish
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import (
    FLOW,
    HANDLER,
    Reopened,
    StumblingStore,
    call,
    completions,
    control,
    request,
    running,
    step,
    until,
)
from tests.unit.scripted_worker import ScriptedWorker

OTHER = Target("orders", "send_mail")


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def completed(news: Entries) -> CallCompleted:
    entry = getattr(news.items[-1], "entry", None)
    assert isinstance(entry, CallCompleted)
    return entry


async def caller(engine: Engine, worker: ScriptedWorker, **fields: Any) -> Activate:
    """An execution `a` that waits for a call of `send_mail`."""
    await engine.start(request("a"))
    activation = await worker.hear(Activate, lambda message: message.key.id == "a")
    worker.say(Append(activation.epoch, 0, 1, (call("0:1", **fields),), idle=True))
    return activation


async def test_a_call_that_attached_gets_the_outcome_of_the_other(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
        await engine.start(request("shared", OTHER))
        shared = await worker.activation()
        await caller(engine, worker, child_id="shared")
        worker.say(Finish(shared.epoch, 0, 1, Payload(b"7")))
        assert completed(await worker.hear(Entries, completions)).result == Payload(b"7")


async def test_a_call_that_attached_survives_a_restart(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
        await engine.start(request("shared", OTHER))
        await worker.activation()
        await caller(engine, worker, child_id="shared")
        await worker.hear(Entries)
    store = await database.store()
    async with running(store) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
        shared = await worker.activation()
        assert shared.key.id == "shared"
        worker.say(Finish(shared.epoch, 0, 1, Payload(b"7")))
        again = await worker.activation()
        assert again.entries[-1].entry == CallCompleted("0:1", 1, Payload(b"7"))
        assert await store.outbox(10) == [], "its letter is delivered"


async def test_cancelling_a_call_that_attached_ends_the_wait_and_not_the_other(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
        await engine.start(request("shared", OTHER))
        shared = await worker.activation()
        activation = await caller(engine, worker, child_id="shared")
        await worker.hear(Entries)
        worker.say(Append(activation.epoch, 1, 2, cancel_calls=("0:1",), idle=True))
        failure = completed(await worker.hear(Entries, completions)).failure
        assert failure is not None
        assert failure.code is FailureCode.CANCELLED
        worker.say(Finish(shared.epoch, 0, 1, Payload(b"7")))
        assert (await engine.wait("default", "shared")).status is Status.COMPLETED


async def test_a_call_whose_id_belongs_to_another_function_fails(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
        await engine.start(request("shared"))
        await worker.activation()
        await caller(engine, worker, child_id="shared")
        failure = completed(await worker.hear(Entries, completions)).failure
        assert failure is not None
        assert failure.code is FailureCode.ALREADY_EXISTS


async def test_a_cancelled_execution_takes_its_calls_along_but_not_detached_ones(
    database: Reopened,
) -> None:
    async with running(await database.store(), cancel_grace_ms=0) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)  # nobody runs the handler
        await engine.start(request("a"))
        activation = await worker.activation()
        issued = (call("0:1"), call("0:2", detached=True))
        worker.say(Append(activation.epoch, 0, 1, issued, idle=True))
        await worker.hear(Entries)
        await control(engine, ControlOperation.CANCEL)
        assert (await engine.wait("default", "a")).status is Status.CANCELLED, "by its grace"
        child = await engine.wait("default", issued[0].child_id)
        assert child.status is Status.CANCELLED
        detached = await engine.describe("default", issued[1].child_id)
        assert detached.status is Status.QUEUED


async def test_a_retry_waits_for_a_child_that_ended_while_nobody_listened(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
        activation = await caller(engine, worker)
        child = await worker.activation()
        worker.say(Finish(activation.epoch, 1, 2, failure=Failure("ValueError", "boom")))
        await engine.wait("default", "a")
        worker.say(Finish(child.epoch, 0, 1, Payload(b"7")))
        await engine.wait("default", child.key.id)
        assert (await control(engine, ControlOperation.RETRY)).effect
        again = await worker.hear(Activate, lambda message: message.key.id == "a")
        kinds = [type(recorded.entry).__name__ for recorded in again.entries[-3:]]
        assert kinds == ["ExecutionRetried", "CallCompleted", "AttemptStarted"]
        assert again.entries[-2].entry == CallCompleted("0:1", 1, Payload(b"7"))


async def test_a_letter_that_was_written_but_not_delivered_is_delivered_after_a_restart() -> None:
    store = StumblingStore()
    engine = await Engine.open(store, Config(), on_fatal=lambda error: None)
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request("a"))
    activation = await worker.activation()
    store.loads.clear()
    worker.say(Append(activation.epoch, 0, 1, (call("0:1", child_id="named"),), idle=True))
    await worker.hear(Entries)
    assert len(store.disk.outbox) == 1
    await engine.stop()
    again = MemoryStore(store.disk)
    async with running(again) as engine:
        await until(lambda: not again.disk.outbox)
        assert (await engine.describe("default", "named")).status is Status.QUEUED
    async with running(MemoryStore(store.disk)) as engine:
        page = await engine.list(ListRequest("default"))
        assert sorted(item.id for item in page.items) == ["a", "named"]


async def test_a_letter_delivered_in_the_batch_that_would_write_it_leaves_nothing_behind() -> None:
    store = StumblingStore()
    async with running(store) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        store.gate.clear()
        worker.say(Append(activation.epoch, 0, 1, (step("0:1"),)))
        await until(lambda: engine.stats.peak_pending_bytes > 0 and store.held)
        issued = call("0:2", child_id="named")
        worker.say(Append(activation.epoch, 1, 1, (issued,), idle=True))
        await until(lambda: engine.resident() == 2)  # loaded and created; nothing is on disk yet
        store.gate.set()
        await engine.flushed()
        assert store.disk.outbox == {}
        assert (await engine.describe("default", "named")).parent_id == "a"
