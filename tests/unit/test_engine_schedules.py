"""Schedules in the engine: one execution per tick, over crashes, restarts and overlaps (8)."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import ListRequest
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Activate, Finish
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import (
    Backfill,
    Overlap,
    Schedule,
    ScheduleName,
    ScheduleOperation,
    ScheduleReply,
    ScheduleRequest,
    ScheduleSpec,
    execution_id,
    started,
)
from perdure_runtime.memory import MemoryStore
from perdure_runtime.storage import ScheduleRow, StoreBroken, WriteBatch
from tests.unit.engine_world import BODY, FLOW, Reopened, StumblingStore, request, running
from tests.unit.scripted_worker import ScriptedWorker

NAME = ScheduleName("default", "tick")
HOUR_MS = 3_600_000


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def spec(**fields: Any) -> ScheduleSpec:
    fields.setdefault("every_ms", 100)
    return ScheduleSpec(Target("orders", "charge"), BODY, **fields)


def asked(operation: ScheduleOperation, id: str = "tick", **fields: Any) -> ScheduleRequest:
    return ScheduleRequest("default", uuid.uuid4().hex, operation, id, **fields)


async def create(engine: Engine, id: str = "tick", **fields: Any) -> ScheduleReply:
    return await engine.schedule(asked(ScheduleOperation.CREATE, id, spec=spec(**fields)))


async def described(engine: Engine) -> Schedule:
    (schedule,) = (await engine.schedule(asked(ScheduleOperation.DESCRIBE))).schedules
    return schedule


async def ids(engine: Engine) -> list[str]:
    items = (await engine.list(ListRequest("default", limit=1_000))).items
    return sorted(item.id for item in items)


async def store_schedule(database: Reopened, **fields: Any) -> Schedule:
    """What an earlier owner left on disk."""
    schedule = Schedule(NAME, spec(every_ms=HOUR_MS, **fields.pop("spec", {})), 1, 0)
    schedule = msgspec.structs.replace(schedule, **fields)
    store = await database.store()
    epoch = (await store.acquire("before")).epoch
    row = ScheduleRow(*NAME, msgspec.msgpack.encode(schedule))
    await store.commit(WriteBatch(epoch, schedules={NAME: row}))
    await store.close()
    return schedule


async def until(engine: Engine, number: int) -> Schedule:
    """Wait until so many were started."""
    async with asyncio.timeout(20):
        while (schedule := await described(engine)).started < number:
            await asyncio.sleep(0.01)
    return schedule


async def test_each_tick_starts_one_execution_with_an_id_of_its_own(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        (schedule,) = (await create(engine)).schedules
        first = await worker.activation()
        tick_ms = schedule.created_ms + 100
        assert execution_id(NAME, tick_ms) == first.key.id
        worker.say(Finish(first.epoch, 0, 1, Payload(b"1")))
        second = await worker.activation()
        assert second.key.id > first.key.id
        description = await engine.describe("default", first.key.id)
        assert description.created_ms >= tick_ms, "never early"


async def test_a_tick_that_overlaps_is_skipped(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await create(engine)
        async with asyncio.timeout(20):
            while (await described(engine)).skipped < 2:
                await asyncio.sleep(0.01)
        assert 1 == len(await ids(engine)), "nobody runs the first: it is queued and unfinished"


async def test_queued_ticks_run_one_after_the_other(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await create(engine, overlap=Overlap.QUEUE)
        first = await worker.activation()
        async with asyncio.timeout(20):
            while len((await described(engine)).queued) < 2:
                await asyncio.sleep(0.01)
        queued = (await described(engine)).queued
        worker.say(Finish(first.epoch, 0, 1, Payload(b"1")))
        second = await worker.activation()
        assert execution_id(NAME, queued[0]) == second.key.id
        assert not [m for m in worker.told if isinstance(m, Activate)]


async def test_cancel_ends_the_earlier_one_and_then_starts_the_next(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await create(engine, overlap=Overlap.CANCEL)
        first = await worker.activation()
        async with asyncio.timeout(20):
            while not (await described(engine)).queued:
                await asyncio.sleep(0.01)
        assert 1 == len(await ids(engine)), "the next one waits until the earlier one has ended"
        worker.say(Finish(first.epoch, 0, 2, cancelled=True))
        second = await worker.activation()
        assert Status.CANCELLED is (await engine.describe("default", first.key.id)).status
        assert second.key.id > first.key.id


async def test_what_was_queued_before_a_crash_is_started_after_it(database: Reopened) -> None:
    tick_ms = 1_700_000_000_000
    await store_schedule(database, queued=(tick_ms,), next_ms=2**42)
    async with running(await database.store()) as engine:
        schedule = await until(engine, 1)
        assert ((), tick_ms) == (schedule.queued, schedule.last_ms)
        assert [execution_id(NAME, tick_ms)] == await ids(engine)
    async with running(await database.store()) as engine:
        assert [execution_id(NAME, tick_ms)] == await ids(engine), "and only once"
        assert 1 == (await described(engine)).started


async def test_an_execution_that_outlives_a_restart_still_overlaps(database: Reopened) -> None:
    tick_ms = 1_700_000_000_000
    await store_schedule(database, queued=(tick_ms, tick_ms + 1), next_ms=2**42)
    async with running(await database.store()) as engine:
        await until(engine, 1)
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        first = await worker.activation()
        assert 1 == (await described(engine)).started
        worker.say(Finish(first.epoch, 0, 1, Payload(b"1")))
        assert execution_id(NAME, tick_ms + 1) == (await worker.activation()).key.id


async def test_a_commit_that_fails_between_queue_and_start_loses_and_doubles_nothing() -> None:
    store = StumblingStore()
    engine = await Engine.open(store, Config(), on_fatal=lambda error: None)
    await create(engine, overlap=Overlap.QUEUE)
    store.fails = StoreBroken("pulled the plug")
    async with asyncio.timeout(20):
        while engine.failure is None:
            await asyncio.sleep(0.01)
    await engine.stop()
    assert store.disk.schedules, "the schedule was acknowledged"
    async with running(MemoryStore(store.disk)) as engine:
        schedule = await until(engine, 1)
        assert [schedule.last_id] == await ids(engine)
        assert schedule.last_ms >= schedule.created_ms + 100


@pytest.mark.parametrize(("backfill", "expected"), [("latest", 1), ("all", 3), ("none", 0)])
async def test_ticks_that_an_outage_missed(
    database: Reopened, backfill: str, expected: int
) -> None:
    now_ms = int(time.time() * 1000)
    missed_ms = now_ms - 2 * HOUR_MS - HOUR_MS // 2
    await store_schedule(
        database,
        spec={"backfill": Backfill(backfill), "overlap": Overlap.QUEUE},
        created_ms=missed_ms - HOUR_MS,
        next_ms=missed_ms,
    )
    async with running(await database.store()) as engine:
        async with asyncio.timeout(20):
            while (await described(engine)).next_ms <= now_ms:
                await asyncio.sleep(0.01)
        schedule = await described(engine)
        assert expected == len(schedule.queued) + schedule.started
        assert missed_ms + 3 * HOUR_MS == schedule.next_ms


async def test_pause_resume_and_delete(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await create(engine, every_ms=HOUR_MS)
        assert (await engine.schedule(asked(ScheduleOperation.PAUSE, reason="audit"))).effect
        assert not (await engine.schedule(asked(ScheduleOperation.PAUSE))).effect
        schedule = await described(engine)
        assert (True, "audit") == (schedule.paused, schedule.reason)
    async with running(await database.store()) as engine:
        assert (await described(engine)).paused, "durable"
        assert (await engine.schedule(asked(ScheduleOperation.RESUME))).effect
        assert not (await described(engine)).paused
        assert (await engine.schedule(asked(ScheduleOperation.DELETE))).effect
        with pytest.raises(NotFoundError, match="no schedule 'tick'"):
            await described(engine)
    async with running(await database.store()) as engine:
        with pytest.raises(NotFoundError):
            await described(engine)


async def test_a_paused_schedule_starts_nothing(database: Reopened) -> None:
    await store_schedule(database, queued=(5,), next_ms=7, paused=True)
    async with running(await database.store()) as engine:
        await create(engine, "other", every_ms=100)  # a tick of another shows that time passes
        async with asyncio.timeout(20):
            while not await ids(engine):
                await asyncio.sleep(0.01)
        schedule = await described(engine)
        assert ((5,), 0, 7) == (schedule.queued, schedule.started, schedule.next_ms)


async def test_creating_again_attaches_refuses_or_replaces(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        assert (await create(engine, every_ms=HOUR_MS)).effect
        assert not (await create(engine, every_ms=HOUR_MS)).effect
        with pytest.raises(AlreadyExistsError, match="another target"):
            await create(engine, cron="0 6 * * *", every_ms=0)
        changed = asked(
            ScheduleOperation.CREATE, spec=spec(cron="0 6 * * *", every_ms=0), replace=True
        )
        assert (await engine.schedule(changed)).effect
        assert (await engine.schedule(changed)).effect, "a lost answer is answered as it was"
        assert "0 6 * * *" == (await described(engine)).spec.cron


async def test_a_taken_id_is_a_problem_of_that_tick_alone(database: Reopened) -> None:
    tick_ms = 1_700_000_000_000
    await store_schedule(database, next_ms=2**42)
    async with running(await database.store()) as engine:
        await engine.start(request(execution_id(NAME, tick_ms)))
    await store_schedule(database, queued=(tick_ms, tick_ms + 1), next_ms=2**42)
    async with running(await database.store()) as engine:
        schedule = await until(engine, 1)
        assert tick_ms + 1 == schedule.last_ms
        assert 2 == len(await ids(engine))


async def test_lists_go_by_namespace_and_page(
    database: Reopened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure_coordinator.engine.scheduler.PAGE", 2)
    async with running(await database.store()) as engine:
        for id in ("b", "a", "c"):
            await create(engine, id, every_ms=HOUR_MS)
        first = await engine.schedule(asked(ScheduleOperation.LIST, ""))
        assert (["a", "b"], "b") == ([s.name.id for s in first.schedules], first.next_cursor)
        rest = await engine.schedule(asked(ScheduleOperation.LIST, "b"))
        assert (["c"], "") == ([s.name.id for s in rest.schedules], rest.next_cursor)
        other = ScheduleRequest("other", "r", ScheduleOperation.LIST)
        assert () == (await engine.schedule(other)).schedules


@pytest.mark.parametrize(
    ("id", "fields", "says"),
    [
        ("x" * 221, {}, "the limit is 220"),
        ("~mine", {}, "start with"),
        ("s", {"cron": "nonsense", "every_ms": 0}, "no cron expression"),
        ("s", {"jitter_ms": -1}, "jitter"),
        ("s", {"every_ms": 0}, "cron or every"),
    ],
)
async def test_what_is_no_schedule_is_refused(id: str, fields: Any, says: str) -> None:
    async with running(MemoryStore()) as engine:
        with pytest.raises(InvalidArgumentError, match=says):
            await create(engine, id, **fields)


def test_a_start_counts_its_tick() -> None:
    schedule = Schedule(NAME, spec(), 0, 200, queued=(100,))
    assert (100, 1, ()) == (
        started(schedule).last_ms,
        started(schedule).started,
        started(schedule).queued,
    )
