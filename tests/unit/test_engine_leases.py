"""Sessions and leases: what a holder is sent, who may adopt, what a broken worker gets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from perdure_runtime.core.client import ControlOperation
from perdure_runtime.core.entries import (
    AttemptStarted,
    CallCompleted,
    ExecutionCreated,
    Recorded,
    StateWrite,
    StateWritten,
    StepCompleted,
)
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import (
    Ack,
    Activate,
    Adopt,
    Append,
    Cached,
    CoordinatorMessage,
    Entries,
    Evict,
    Finish,
    Journal,
    Release,
)
from perdure_runtime.core.payload import Payload
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import (
    FLOW,
    HANDLER,
    Reopened,
    call,
    control,
    entries,
    request,
    running,
    step,
    until,
)
from tests.unit.scripted_worker import ScriptedWorker


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def indices(messages: list[CoordinatorMessage]) -> list[int]:
    """Journal indices in the order in which a worker got them."""
    found: list[int] = []
    for message in messages:
        if isinstance(message, Activate | Journal):
            found += [recorded.index for recorded in message.entries]
        elif isinstance(message, Entries):
            for item in message.items:
                if isinstance(item, Ack):
                    found += range(item.first_index, item.first_index + item.count)
                else:
                    found.append(item.index)
    return found


async def test_an_acknowledgement_carries_the_time_that_is_in_the_journal(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        for number in range(50):
            worker.say(Append(activation.epoch, number, 1 + number, (step(f"0:{number}"),)))
            (ack,) = (await worker.hear(Entries)).items
            assert isinstance(ack, Ack)
            journal = [r async for r in engine.history("default", "a", ack.first_index)]
            assert ack.time_ms == journal[0].time_ms, "a replay sees the time that the worker saw"


async def test_news_during_a_paged_journal_follow_it_without_a_gap(database: Reopened) -> None:
    async with running(await database.store(), page_entries=2) as engine:
        worker = ScriptedWorker(engine, "w1").hello(FLOW)
        await engine.start(request())
        first = await worker.activation()
        issued = tuple(call(f"0:{number}") for number in range(5))
        worker.say(Append(first.epoch, 0, 1, issued, idle=True))
        await worker.hear(Entries)
        worker.say(Release(first.epoch))
        other = ScriptedWorker(engine, "w2").hello(FLOW, HANDLER, slots=10)
        children = [await other.hear(Activate) for _ in issued]
        other.told.clear()
        for child in children:  # the first completion wakes it, the others meet the pages
            other.say(Finish(child.epoch, 0, 1, Payload(b"1")))
            await asyncio.sleep(0)
        everything = worker.told + other.told
        async with asyncio.timeout(20):
            while len(seen := indices(worker.told) + indices(other.told)) < 12:
                await asyncio.sleep(0)
                everything = worker.told + other.told
        assert seen == list(range(12)), everything


async def test_a_worker_that_comes_back_gets_what_another_recorded_as_entries(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        first = ScriptedWorker(engine, "w1").hello(FLOW)
        await engine.start(request())
        activation = await first.activation()
        engine.disconnect(first.session_id)
        second = ScriptedWorker(engine, "w2").hello(FLOW)
        again = await second.activation()
        second.say(Append(again.epoch, 0, 1, (step("0:2", b"second's"),)))
        await second.hear(Entries)
        second.say(Release(again.epoch))
        engine.disconnect(second.session_id)
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        back = ScriptedWorker(engine, "w1").hello(FLOW, cached=(cached,))
        adopted = await back.hear(Adopt)
        (missed,) = adopted.items
        assert isinstance(missed, Recorded), "an Ack would confirm whatever it had sent first"
        assert missed.entry == step("0:2", b"second's")


async def test_nobody_adopts_what_another_worker_holds(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        first = ScriptedWorker(engine, "w1").hello(FLOW)
        await engine.start(request())
        activation = await first.activation()
        engine.disconnect(first.session_id)
        second = ScriptedWorker(engine, "w2").hello(FLOW)
        await second.activation()
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        back = ScriptedWorker(engine, "w1").hello(FLOW, cached=(cached,))
        assert (await back.hear(Evict)).epoch == activation.epoch


async def test_a_worker_that_knows_more_than_the_journal_loses_its_lease(
    database: Reopened,
) -> None:
    async with running(await database.store(), resume_ms=60_000) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=9, acknowledged=7)
        back = ScriptedWorker(engine).hello(FLOW, cached=(cached,))
        assert (await back.hear(Evict)).epoch == activation.epoch
        assert (await back.activation()).epoch > activation.epoch, "it is not stuck with a dead one"
        assert len(engine.list_workers("default")) == 1


async def test_what_a_worker_still_holds_is_not_granted_to_it_again(database: Reopened) -> None:
    """It would run the step in progress twice at once."""
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        engine.disconnect(worker.session_id)
        async with asyncio.timeout(20):
            while (await engine.describe("default", "a")).status is not Status.QUEUED:
                await asyncio.sleep(0)
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        back = ScriptedWorker(engine).hello(FLOW, cached=(cached,))
        ScriptedWorker(engine, "w2").hello(FLOW)
        heard = await back.hear((Activate, Adopt))
        assert isinstance(heard, Adopt)
        await engine.flushed()
        assert engine.stats.activations == 1


async def test_an_adoption_that_the_worker_did_not_hear_of_is_made_again() -> None:
    async with running(MemoryStore(), resume_ms=60_000) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        unheard = await ScriptedWorker(engine).hello(FLOW, cached=(cached,)).hear(Adopt)
        back = ScriptedWorker(engine).hello(FLOW, cached=(cached,))
        heard = await back.hear((Activate, Adopt))
        assert isinstance(heard, Adopt), "its step in progress would run twice"
        assert heard.epoch > unheard.epoch > activation.epoch
        await engine.flushed()
        assert engine.stats.activations == 1


async def test_a_connection_that_replaces_another_leaves_no_session_behind() -> None:
    async with running(MemoryStore()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        back = ScriptedWorker(engine).hello(FLOW, cached=(cached,))
        await back.hear(Adopt)
        assert worker.closed
        (info,) = engine.list_workers("default")
        assert (info.session_id, info.cached, info.active) == (back.session_id, 1, 1)


@pytest.mark.parametrize(
    "broken",
    [
        lambda epoch: Append(epoch, 5, 1, (step("0:9"),)),
        lambda epoch: Finish(epoch, 5, 1, Payload(b"1")),
        lambda epoch: Append(epoch, 0, 1, (call("0:1", child_id="~000-0"),)),
    ],
)
async def test_a_worker_that_breaks_the_protocol_for_ever_does_not_loop_for_ever(
    broken: object,
) -> None:
    assert callable(broken)
    async with running(MemoryStore(), max_crashes=3) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        for _ in range(3):
            worker.say(broken((await worker.activation()).epoch))
        await engine.flushed()
        described = await engine.describe("default", "a")
        assert described.status is Status.PAUSED
        assert "poisonous" in described.detail
        kinds = [type(entry) for entry in await entries(engine)]
        assert kinds[:2] == [ExecutionCreated, AttemptStarted]
        assert StepCompleted not in kinds


async def test_news_that_die_with_a_worker_reach_the_next(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "w1").hello(FLOW, HANDLER)
        await engine.start(request())
        first = await worker.activation()
        worker.say(Append(first.epoch, 0, 1, (call("0:1"),), idle=True))
        child = await worker.activation()
        worker.say(Finish(child.epoch, 0, 1, Payload(b"1")))
        await engine.wait("default", child.key.id)
        engine.disconnect(worker.session_id)
        second = ScriptedWorker(engine, "w2").hello(FLOW)
        again = await second.activation()
        assert again.key == ExecutionKey("default", "a")
        assert isinstance(again.entries[-1].entry, CallCompleted)


async def test_readers_of_the_state_do_not_see_what_the_engine_keeps_in_it() -> None:
    async with running(MemoryStore()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        writes = (StateWrite("mine", Payload(b"1")), StateWrite("\0its own", Payload(b"2")))
        worker.say(Append(activation.epoch, 0, 1, (StateWritten(writes),)))
        await worker.hear(Entries)
        assert await engine.read_state("default", "a") == {"mine": Payload(b"1")}


async def test_a_finish_before_a_pause_and_one_after_it() -> None:
    async with running(MemoryStore()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        await control(engine, ControlOperation.PAUSE)
        worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
        assert engine.stats.stale_messages == 1
        assert (await engine.describe("default", "a")).status is Status.PAUSED
        await control(engine, ControlOperation.RESUME)
        again = await worker.activation()
        worker.say(Finish(again.epoch, 0, 3, Payload(b"1")))
        assert (await engine.wait("default", "a")).status is Status.COMPLETED
        await until(lambda: True)
