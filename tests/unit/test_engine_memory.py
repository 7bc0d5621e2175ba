"""What the engine keeps in memory, how it refuses what it cannot, and requests that come twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from perdure_coordinator.engine import Engine
from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core.client import (
    ControlOperation,
    ControlRequest,
    IdPolicy,
    StartReply,
)
from perdure_runtime.core.entries import StartOptions, Target, TimerStarted
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError, OverloadedError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Append, Finish, Release
from perdure_runtime.core.payload import Payload
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import (
    BODY,
    FLOW,
    Reopened,
    StumblingStore,
    control,
    entries,
    request,
    running,
    until,
)
from tests.unit.scripted_worker import ScriptedWorker

KEY = ExecutionKey("default", "a")


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def inside(engine: Engine) -> Shard:
    """Its tables are nobody's interface but this file's: nothing else can see what leaks."""
    return engine._shard


async def test_executions_are_forgotten_and_loaded_again_under_load(database: Reopened) -> None:
    async with running(await database.store(), max_resident=5, max_finished=2) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, slots=100)
        ids = [f"e{number}" for number in range(40)]
        waiting = [asyncio.ensure_future(engine.wait("default", id)) for id in ids]
        await asyncio.gather(*(engine.start(request(id)) for id in ids))
        with pytest.raises(NotFoundError):
            await waiting[0]
        waiting = [asyncio.ensure_future(engine.wait("default", id)) for id in ids]
        for _ in ids:
            activation = await worker.activation()
            timer = (TimerStarted("0:1", 1),)
            worker.say(Append(activation.epoch, 0, 1, timer, idle=True), Release(activation.epoch))
        for _ in ids:
            activation = await worker.activation()
            last = activation.entries[-1].index
            worker.say(Finish(activation.epoch, 1, last, Payload(b"1")))
        outcomes = await asyncio.gather(*waiting)
        assert {outcome.status for outcome in outcomes} == {Status.COMPLETED}
        for id in ids:
            kinds = [type(entry).__name__ for entry in await entries(engine, id)]
            assert kinds == [
                "ExecutionCreated",
                "AttemptStarted",
                "TimerStarted",
                "TimerFired",
                "ExecutionEnded",
            ]
        await engine.start(request("one more"))
        await engine.flushed()
        assert engine.resident() < 10


async def test_nothing_is_left_of_executions_that_ended() -> None:
    async with running(MemoryStore(), max_finished=0) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        for number in range(20):
            await engine.start(request(f"e{number}"))
            activation = await worker.activation()
            worker.say(Append(activation.epoch, 0, 1, (TimerStarted("0:1", 30_000),), idle=True))
            worker.say(Finish(activation.epoch, 1, 2, Payload(b"1")))
            await engine.wait("default", f"e{number}")
        await engine.start(request("queued", Target("nobody", "m")))
        await control(engine, ControlOperation.CANCEL, "queued")
        await engine.flushed()
        shard = inside(engine)
        await until(lambda: not shard.executions)
        tables = (shard.fresh, shard.touched, shard.paging, shard.waiters, shard.followers)
        assert [{}] * 5 == list(tables)
        assert {} == shard.mail.attached
        assert {} == shard.timers._near, "timers of the ended are not kept until they are due"


async def test_a_client_that_stops_waiting_leaves_nothing_behind() -> None:
    store = StumblingStore()
    async with running(store, max_resident=0) as engine:
        await engine.start(request("a"))
        await engine.start(request("b"))
        await until(lambda: engine.resident() == 0)
        waiting = [asyncio.ensure_future(engine.wait("default", "a")) for _ in range(3)]
        await until(lambda: len(inside(engine).waiters.get(KEY, ())) == 3)
        store.loads.clear()
        early = asyncio.ensure_future(engine.wait("default", "b"))
        await until(lambda: inside(engine).loader.waiting == 1)
        for task in (*waiting, early):
            task.cancel()
        await asyncio.gather(*waiting, early, return_exceptions=True)
        store.loads.set()
        await until(lambda: inside(engine).loader.waiting == 0)
        assert inside(engine).waiters == {}


async def test_overload_refuses_starts_and_loses_nothing() -> None:
    store = StumblingStore()
    async with running(store, pending_limit_bytes=10_000) as engine:
        store.gate.clear()
        big = msgspec.structs.replace(BODY, data=b"x" * 3_000)
        accepted = [
            asyncio.ensure_future(engine.start(request(f"e{number}", input=big)))
            for number in range(10)
        ]
        await until(lambda: engine.congested)
        with pytest.raises(OverloadedError) as refused:
            await engine.start(request("refused"))
        assert refused.value.retry_after > 0
        store.gate.set()
        await engine.room()
        replies = await asyncio.gather(*accepted, return_exceptions=True)
        taken = [reply.id for reply in replies if isinstance(reply, StartReply)]
        assert taken
        assert engine.stats.overloads == 1 + len(replies) - len(taken)
        assert {key.id for key in store.disk.rows} == set(taken), "accepted is written"
        assert not engine.congested
        assert (await engine.start(request("refused"))).created


async def test_more_starts_than_are_loaded_at_a_time_are_refused() -> None:
    store = StumblingStore()
    async with running(store, max_queued_starts=2) as engine:
        store.loads.clear()
        starting = [asyncio.ensure_future(engine.start(request(id))) for id in ("a", "b")]
        await until(lambda: inside(engine).loader.waiting == 2)
        with pytest.raises(OverloadedError):
            await engine.start(request("c"))
        store.loads.set()
        assert all(reply.created for reply in await asyncio.gather(*starting))


@pytest.mark.parametrize("priority", [2**31, -(2**63), 2**100])
async def test_a_priority_that_no_store_holds_is_refused_at_the_edge(priority: int) -> None:
    async with running(MemoryStore()) as engine:
        with pytest.raises(InvalidArgumentError, match="priority"):
            await engine.start(request(options=StartOptions(priority=priority)))


async def test_far_times_are_no_reason_to_end() -> None:
    far = 2**63 - 1
    options = StartOptions(start_at_ms=far, attempt_timeout_ms=far, execution_timeout_ms=far)
    async with running(MemoryStore()) as engine:
        assert (await engine.start(request(options=options))).created


async def test_the_same_request_twice_at_once_is_carried_out_once() -> None:
    async with running(MemoryStore()) as engine:
        start = request(id_policy=IdPolicy.REJECT)
        replies = await asyncio.gather(*(engine.start(start) for _ in range(5)))
        assert {reply.created for reply in replies} == {True}
        cancel = ControlRequest("default", "r", ControlOperation.CANCEL, ("a",))
        results = await asyncio.gather(*(engine.control(cancel) for _ in range(5)))
        assert all(reply.results[0].effect for reply in results)


async def test_a_deleted_execution_is_gone_for_those_who_ask_meanwhile() -> None:
    store = StumblingStore()
    async with running(store) as engine:
        await engine.start(request("a"))
        await control(engine, ControlOperation.CANCEL)
        store.deletes.clear()
        deleting = asyncio.ensure_future(control(engine, ControlOperation.DELETE))
        await until(lambda: inside(engine).loader.waiting == 1)
        retrying = asyncio.ensure_future(control(engine, ControlOperation.RETRY))
        starting = asyncio.ensure_future(engine.start(request("a")))
        store.deletes.set()
        assert (await deleting).effect
        assert (await retrying).effect is False
        assert (await starting).created, "it came after the delete, and is a new execution"
        described = await engine.describe("default", "a")
        assert (described.status, described.journal_length) == (Status.QUEUED, 1)


async def test_what_was_asked_of_an_execution_while_it_was_loaded_to_be_deleted() -> None:
    store = StumblingStore()
    async with running(store, max_finished=0) as engine:
        await engine.start(request("a"))
        await control(engine, ControlOperation.CANCEL)
        await until(lambda: engine.resident() == 0)
        store.loads.clear()
        deleting = asyncio.ensure_future(control(engine, ControlOperation.DELETE))
        await until(lambda: inside(engine).loader.waiting == 1)
        starting = asyncio.ensure_future(engine.start(request("a")))
        await asyncio.sleep(0)
        store.loads.set()
        assert (await deleting).effect
        assert (await starting).created


async def test_what_is_loaded_after_its_end_is_forgotten_again() -> None:
    async with running(MemoryStore(), max_finished=0) as engine:
        await engine.start(request("a"))
        await control(engine, ControlOperation.CANCEL)
        await until(lambda: engine.resident() == 0)
        assert (await engine.wait("default", "a")).status is Status.CANCELLED
        await until(lambda: engine.resident() == 0)


async def test_only_what_has_ended_can_be_deleted() -> None:
    async with running(MemoryStore()) as engine:
        await engine.start(request("a"))
        assert (await control(engine, ControlOperation.DELETE)).error_code == (
            "InvalidTransitionError"
        )
        assert (await control(engine, ControlOperation.DELETE, "b")).error_code == "NotFoundError"
