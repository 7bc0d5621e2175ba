"""Mailboxes in the engine: on disk before they are answered for, over restarts, out of memory."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import ControlOperation, SendEventRequest, SettlePromiseRequest
from perdure_runtime.core.entries import (
    EventAwaited,
    EventReceived,
    EventSent,
    PromiseCreated,
    PromiseSettled,
    TimerFired,
)
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import Activate, Append, Entries, Finish, Release
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.tokens import PromiseAddress, promise_token
from perdure_runtime.storage import EventName
from tests.unit.engine_world import (
    FLOW,
    Reopened,
    completions,
    control,
    entries,
    request,
    running,
    until,
)
from tests.unit.scripted_worker import ScriptedWorker

NAME = EventName("default", "e")


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


async def send(engine: Engine, value: int, **fields: Any) -> None:
    fields.setdefault("request_id", uuid.uuid4().hex)
    payload = Payload(b"%d" % value)
    await engine.send_event(SendEventRequest("default", event_id="e", payload=payload, **fields))


def wait(path: str = "0:1", timeout_ms: int | None = None) -> EventAwaited:
    return EventAwaited(path, "e", b"k" * 16, timeout_ms)


async def let_wait(engine: Engine, worker: ScriptedWorker, id: str, *waits: EventAwaited) -> None:
    """Start an execution, let it wait, and let the worker go."""
    await engine.start(request(id))
    activation = await worker.hear(Activate, lambda message: message.key.id == id)
    worker.say(Append(activation.epoch, 0, 1, waits, idle=True), Release(activation.epoch))
    await engine.flushed()


async def got(engine: Engine, id: str) -> list[bytes]:
    return [
        entry.payload.data
        for entry in await entries(engine, id)
        if isinstance(entry, EventReceived) and entry.payload is not None
    ]


async def test_executions_that_wait_are_not_in_memory(database: Reopened) -> None:
    async with running(await database.store(), max_resident=3, max_finished=1) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, slots=100)
        ids = [f"e{number}" for number in range(12)]
        for id in ids:
            await let_wait(engine, worker, id, wait())
        await engine.start(request("one more"))
        await until(lambda: engine.resident() <= 4)
        await send(engine, 7)
        for _ in ids:
            await worker.hear(Activate, lambda m: isinstance(m.entries[-1].entry, EventReceived))
        for id in ids:
            assert await got(engine, id) == [b"7"]


async def test_an_event_and_a_wait_meet_after_a_restart(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await let_wait(engine, worker, "a", wait("0:1"), wait("0:2"))
        await send(engine, 1)
        await until_got(engine, "a", [b"1"])
    async with running(await database.store()) as engine:
        await send(engine, 2)
        await until_got(engine, "a", [b"1", b"2"])
        await let_wait(engine, ScriptedWorker(engine, "w2").hello(FLOW), "b", wait())
        await until_got(engine, "b", [b"1"])


async def test_what_was_not_delivered_before_the_end_is_found_at_the_start(
    database: Reopened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await let_wait(engine, worker, "a", wait())

        async def dies() -> None:
            """Between the write and the look."""

        monkeypatch.setattr(engine._shard.mailboxes, "_run", dies)
        await send(engine, 1)
        assert await got(engine, "a") == []
    async with running(await database.store()) as engine:
        await until_got(engine, "a", [b"1"])


async def until_got(engine: Engine, id: str, expected: list[bytes]) -> None:
    async with asyncio.timeout(20):
        while await got(engine, id) != expected:
            await asyncio.sleep(0)


async def test_a_dedupe_id_is_known_after_a_restart(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await send(engine, 1, dedupe_id="d")
    store = await database.store()
    async with running(store) as engine:
        await send(engine, 2, dedupe_id="d")
        await send(engine, 3, dedupe_id="d", execution_id="a")  # another address
        kept = await store.events(NAME, 0, 0, 9)
        assert [event.sequence for event in kept] == [1, 3]


async def test_a_request_that_comes_twice_is_one_event(database: Reopened) -> None:
    store = await database.store()
    async with running(store) as engine:
        for _ in range(2):
            await send(engine, 1, request_id="again")
        assert len(await store.events(NAME, 0, 0, 9)) == 1


async def test_an_execution_that_sends_does_it_in_the_commit_of_the_entry(
    database: Reopened,
) -> None:
    store = await database.store()
    async with running(store) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await let_wait(engine, worker, "a", wait())
        await engine.start(request("b"))
        activation = await worker.activation()
        sent = EventSent("0:1", "e", Payload(b"5"), b"k")
        worker.say(Append(activation.epoch, 0, 1, (sent,)))
        await until_got(engine, "a", [b"5"])
        worker.say(Append(activation.epoch, 0, 1, (sent,)))  # as after a reconnect
        await engine.flushed()
        assert len(await store.events(NAME, 0, 0, 9)) == 1


async def test_a_live_worker_is_told(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        worker.say(Append(activation.epoch, 0, 1, (wait(),), idle=True))
        await send(engine, 1)
        news = await worker.hear(Entries, completions)
        assert [item.entry for item in news.items if hasattr(item, "entry")] == [
            EventReceived("0:1", 1, 1, Payload(b"1"))
        ]


async def test_a_timeout_that_was_due_while_nobody_ran_loses_to_an_event_that_was_there(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await send(engine, 1)
        await let_wait(engine, worker, "a", wait("0:1", 0))
        await until_got(engine, "a", [b"1"])
        await let_wait(engine, worker, "b", wait("0:1"), wait("0:2", 0))
        await until_got(engine, "b", [b"1"])
        async with asyncio.timeout(20):
            while TimerFired("0:2", 1) not in await entries(engine, "b"):
                await asyncio.sleep(0)


async def test_expired_events_are_not_delivered_and_are_removed_bit_by_bit(
    database: Reopened,
) -> None:
    store = await database.store()
    async with running(store, event_ttl_ms=1) as engine:
        for value in range(5):
            await send(engine, value)
        await asyncio.sleep(0.01)  # real time: the events' own
        worker = ScriptedWorker(engine).hello(FLOW)
        await let_wait(engine, worker, "a", wait("0:1", 0))
        async with asyncio.timeout(20):
            while TimerFired("0:1", 1) not in await entries(engine, "a"):
                await asyncio.sleep(0)
        now_ms = engine._shard.clock.now_ms()
        assert [await store.expire_events(now_ms, 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_nothing_is_left_of_waits_when_their_execution_ends(database: Reopened) -> None:
    store = await database.store()
    async with running(store) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        for id in ("cancelled", "finished", "gave up"):
            await let_wait(engine, worker, id, wait("0:1", 60_000), wait("0:2"))
        assert len(await store.waiting(NAME, "", 9)) == 3
        await send(engine, 1)
        for id in ("cancelled", "finished", "gave up"):
            await until_got(engine, id, [b"1"])
        held = {}
        for _ in range(3):
            news = await worker.hear(
                Activate, lambda m: isinstance(m.entries[-1].entry, EventReceived)
            )
            held[news.key.id] = news
        end = held["finished"]
        worker.say(Finish(end.epoch, 2, end.entries[-1].index, Payload(b"1")))
        last = held["gave up"]
        worker.say(Append(last.epoch, 2, last.entries[-1].index, (), (), ("0:2",), True))
        await control(engine, ControlOperation.CANCEL, "cancelled")
        stop = held["cancelled"]
        worker.say(Finish(stop.epoch, 2, stop.entries[-1].index + 1, cancelled=True))
        await until(
            lambda: not engine._shard.executions[ExecutionKey("default", "cancelled")].epoch
        )
        await engine.flushed()
        assert await store.waiting(NAME, "", 9) == []
        assert await store.timers_due(2**60, 9) == []


async def test_many_events_wait_for_one_that_takes_them_page_by_page(database: Reopened) -> None:
    async with running(await database.store(), page_bytes=64) as engine:
        for value in range(30):
            await send(engine, value, execution_id="other" if value % 3 else "")
        worker = ScriptedWorker(engine).hello(FLOW)
        await let_wait(engine, worker, "a", *(wait(f"0:{n}") for n in range(1, 11)))
        await until_got(engine, "a", [b"%d" % value for value in range(0, 30, 3)])


async def test_settling_is_remembered_by_request_and_over_restarts(database: Reopened) -> None:
    token = promise_token(PromiseAddress(ExecutionKey("default", "a"), 1, b"p" * 16))

    async def settle(engine: Engine, request_id: str) -> bool:
        request = SettlePromiseRequest("default", request_id, token, Payload(b"1"))
        return (await engine.settle_promise(request)).effect

    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        made = (PromiseCreated("0:1", "p", b"p" * 16),)
        worker.say(Append(activation.epoch, 0, 1, made, idle=True))
        assert await settle(engine, "r1")
        assert await settle(engine, "r1")  # its answer was lost
        assert not await settle(engine, "r2")
    async with running(await database.store()) as engine:
        assert await settle(engine, "r1")
        assert not await settle(engine, "r3")
        settled = [e for e in await entries(engine) if isinstance(e, PromiseSettled)]
        assert len(settled) == 1
        foreign = SettlePromiseRequest("other", "r4", token)
        with pytest.raises(InvalidArgumentError, match="namespace"):
            await engine.settle_promise(foreign)
