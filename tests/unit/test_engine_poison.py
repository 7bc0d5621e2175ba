"""What keeps crashing its workers runs alone; what is given back again and again waits (8)."""

from __future__ import annotations

import asyncio

import pytest

from perdure_coordinator.engine import workers as module
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Activate, Append, Entries, Finish, Mismatch, Release
from perdure_runtime.core.payload import Payload
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import FLOW, Reopened, request, running, step
from tests.unit.scripted_worker import ScriptedWorker


def granted(worker: ScriptedWorker) -> list[str]:
    """Whom the worker was handed and the test has not looked at."""
    return [message.key.id for message in worker.told if isinstance(message, Activate)]


async def crash(worker: ScriptedWorker, times: int) -> ScriptedWorker:
    """The worker dies with all that it runs, and another takes its place."""
    engine = worker.engine
    for number in range(times):
        await worker.activation()
        engine.disconnect(worker.session_id)
        worker = ScriptedWorker(engine, f"{worker.worker_id}-{number}").hello(FLOW)
        await asyncio.sleep(0)
    return worker


async def test_from_the_third_crash_it_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(MemoryStore(), resume_ms=0) as engine:
        await engine.start(request("poison"))
        worker = await crash(ScriptedWorker(engine).hello(FLOW), 3)
        alone = await worker.activation()
        assert "poison" == alone.key.id
        await engine.start(request("other"))
        await engine.flushed()
        assert [] == granted(worker), "nothing runs beside it"
        worker.say(Append(alone.epoch, 0, 1, (step("0:1"),)))
        await worker.hear(Entries)
        worker.say(Finish(alone.epoch, 1, 2, Payload(b"1")))
        assert "other" == (await worker.activation()).key.id


async def test_a_busy_worker_is_emptied_for_it() -> None:
    async with running(MemoryStore(), resume_ms=0) as engine:
        await engine.start(request("poison"))
        dying = await crash(ScriptedWorker(engine, "dying").hello(FLOW), 2)
        busy = ScriptedWorker(engine, "busy")
        activation = await dying.activation()
        assert "poison" == activation.key.id
        busy.hello(FLOW)
        await engine.start(request("busy"))
        first = await busy.activation()
        engine.disconnect(dying.session_id)
        await engine.flushed()
        await engine.start(request("next"))
        await engine.flushed()
        assert [] == granted(busy), "it takes nothing more"
        busy.say(Finish(first.epoch, 0, 1, Payload(b"1")))
        assert "poison" == (await busy.activation()).key.id
        assert [] == granted(busy)


async def test_progress_makes_it_an_ordinary_one_again() -> None:
    async with running(MemoryStore(), resume_ms=0) as engine:
        await engine.start(request("poison"))
        worker = await crash(ScriptedWorker(engine).hello(FLOW), 3)
        alone = await worker.activation()
        worker.say(Append(alone.epoch, 0, 1, (step("0:1"),)))
        await worker.hear(Entries)
        engine.disconnect(worker.session_id)
        await engine.start(request("other"))
        both = ScriptedWorker(engine, "both").hello(FLOW)
        assert {"poison", "other"} == {(await both.activation()).key.id for _ in range(2)}


async def test_the_tenth_crash_at_one_place_pauses_it() -> None:
    async with running(MemoryStore(), resume_ms=0) as engine:
        await engine.start(request("poison"))
        await crash(ScriptedWorker(engine).hello(FLOW), 10)
        await engine.flushed()
        async with asyncio.timeout(20):
            while Status.PAUSED is not (await engine.describe("default", "poison")).status:
                await asyncio.sleep(0.005)
        assert "poisonous" in (await engine.describe("default", "poison")).detail


async def test_an_execution_that_is_given_back_again_and_again_waits_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RELEASE_DELAY_S", 3_600.0)
    monkeypatch.setattr(module, "MAX_RELEASE_DELAY_S", 3_600.0)
    async with running(MemoryStore()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        for _ in range(module.FREE_RELEASES + 1):
            activation = await worker.activation()
            worker.say(Release(activation.epoch))
        await engine.start(request("b"))
        assert "b" == (await worker.activation()).key.id, "the worker is free for others"
        assert Status.QUEUED is (await engine.describe("default", "a")).status


async def test_it_comes_back_after_the_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELEASE_DELAY_S", 0.001)
    async with running(MemoryStore()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        for _ in range(module.FREE_RELEASES + 3):
            activation = await worker.activation()
            worker.say(Release(activation.epoch))
        assert "a" == (await worker.activation()).key.id


async def test_what_a_new_worker_unblocks_goes_to_that_worker() -> None:
    async with running(MemoryStore()) as engine:
        old = ScriptedWorker(engine, "old").hello(FLOW, slots=100)
        for id in ("a", "b"):
            await engine.start(request(id))
            activation = await old.activation()
            old.say(Mismatch(activation.epoch, "differs"))
        await engine.flushed()
        new = ScriptedWorker(engine, "new").hello(FLOW, slots=1)
        first = await new.activation()
        await engine.flushed()
        assert [] == granted(old), "the old code would block it again"
        new.say(Finish(first.epoch, 0, 1, Payload(b"1")))
        second = await new.activation()
        assert {"a", "b"} == {first.key.id, second.key.id}


async def test_what_was_meant_for_a_worker_that_has_gone_goes_to_any_other() -> None:
    async with running(MemoryStore(), resume_ms=0) as engine:
        old = ScriptedWorker(engine, "old").hello(FLOW, slots=100)
        await engine.start(request("a"))
        old.say(Mismatch((await old.activation()).epoch, "differs"))
        await engine.flushed()
        full = ScriptedWorker(engine, "new").hello(FLOW, slots=0)
        await full.welcome()
        async with asyncio.timeout(20):
            while Status.QUEUED is not (await engine.describe("default", "a")).status:
                await asyncio.sleep(0.001)
        engine.disconnect(full.session_id)
        assert "a" == (await old.activation()).key.id


async def test_a_long_journal_is_folded_by_pages(tmp_path: object) -> None:
    database = Reopened(None)
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        steps = tuple(step(f"0:{number}") for number in range(50))
        worker.say(Append(activation.epoch, 0, 1, steps))
        await worker.hear(Entries)
    async with running(await database.store(), page_entries=7, page_bytes=100) as engine:
        description = await engine.describe("default", "a")
        assert 52 == description.journal_length
