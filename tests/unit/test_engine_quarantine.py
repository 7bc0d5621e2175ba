"""Damaged journals: found, kept apart, shown, never extended; everything else goes on (P10)."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
import uuid
from pathlib import Path

import pytest

from perdure_coordinator.engine import Engine
from perdure_coordinator.store.sqlite import open_file
from perdure_runtime.core.client import (
    ControlOperation,
    ControlRequest,
    ControlResult,
    Description,
    ListRequest,
    SendEventRequest,
)
from perdure_runtime.core.entries import CallCompleted, EventAwaited
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.ids import ExecutionKey, child_id
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import (
    Activate,
    Adopt,
    Append,
    Cached,
    Entries,
    Evict,
    Finish,
    Journal,
    Release,
)
from perdure_runtime.core.payload import Payload
from tests.unit.engine_world import FLOW, HANDLER, call, control, request, running, step, until
from tests.unit.scripted_worker import ScriptedWorker

KEY = ExecutionKey("default", "a")
DAMAGES: dict[str, tuple[str, str]] = {
    "bytes": (
        "UPDATE journal SET data = cast(data || x'00' AS BLOB) WHERE position = 2",
        "entry 2 is not as",
    ),
    "time": ("UPDATE journal SET time_ms = time_ms + 1 WHERE position = 2", "entry 2 is not as"),
    "hash": ("UPDATE journal SET chain = zeroblob(8) WHERE position = 2", "entry 2 is not as"),
    "hole": ("DELETE FROM journal WHERE position = 2", "entry 2 is missing"),
    "beginning": ("DELETE FROM journal WHERE position = 0", "entry 0 is missing"),
    "shortened": ("DELETE FROM journal WHERE position >= 3", "the last 1 of 4 entries"),
    "empty": ("DELETE FROM journal", "the last 4 of 4 entries"),
    "extra": (
        "INSERT INTO journal SELECT execution, 4, time_ms, chain, data FROM journal"
        " WHERE position = 3",
        "entry 4 is one too many",
    ),
    "end": ("UPDATE journals SET chain = zeroblob(8)", "the hash of the last entry (3)"),
    "no end": ("DELETE FROM journals", "entry 0 is one too many"),
    "row": ("UPDATE executions SET status = 'suspendeb'", "its row cannot be read"),
}


async def suspended(path: Path) -> None:
    """Execution `a` with four entries waits for an event."""
    async with running(await open_file(path)) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        epoch = (await worker.activation()).epoch
        wait = EventAwaited("0:1", "go", b"k" * 16)
        worker.say(Append(epoch, 0, 1, (step("0:0"), wait)))
        await worker.hear(Entries)
        worker.say(Append(epoch, 2, 3, (), idle=True))
        assert (await engine.describe("default", "a")).status is Status.SUSPENDED


def execute(path: Path, sql: str, *parameters: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute(sql, parameters).rowcount > 0
    connection.close()


def length_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    (length,) = connection.execute("SELECT count(*) FROM journal").fetchone()
    connection.close()
    return int(length)


async def shown(engine: Engine) -> list[Description]:
    """`a` as describe and list show it."""
    listed = (await engine.list(ListRequest("default", id_prefix="a"))).items
    return [await engine.describe("default", "a"), *listed]


async def other_work(engine: Engine, worker: ScriptedWorker, id: str) -> None:
    """The next execution runs, and nothing but that is activated."""
    await engine.start(request(id))
    activation = await worker.activation()
    assert activation.key.id == id
    worker.say(Finish(activation.epoch, 0, 1, result=Payload(b"1")))
    assert (await engine.wait("default", id)).status is Status.COMPLETED
    assert not any(isinstance(message, Activate) for message in worker.told)


async def refused(engine: Engine, words: str) -> None:
    """Whoever asks for `a` gets the typed error, and nobody hangs."""
    for asked in (engine.wait("default", "a"), engine.start(request())):
        with pytest.raises(DataLossError, match="restore a backup") as caught:
            await asyncio.wait_for(asked, 20)
        assert words in str(caught.value)
    with pytest.raises(DataLossError):
        async for _ in engine.history("default", "a", follow=True):
            pass
    for operation in set(ControlOperation) - {ControlOperation.DELETE, ControlOperation.FORK}:
        result = await control(engine, operation)
        assert (result.error_code, result.effect) == ("DataLossError", False)


@pytest.mark.parametrize("damage", DAMAGES)
async def test_one_damaged_journal_is_kept_apart_and_the_rest_goes_on(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "a.db"
    await suspended(path)
    sql, words = DAMAGES[damage]
    execute(path, sql)
    length = length_of(path)
    for again in ("b", "c"):  # it is found, and known after a restart
        async with running(await open_file(path)) as engine:
            worker = ScriptedWorker(engine).hello(FLOW)
            await engine.send_event(
                SendEventRequest("default", uuid.uuid4().hex, "go", Payload(b"1"))
            )
            await refused(engine, words)
            for item in await shown(engine):
                assert item.error.startswith("DataLossError: ")
                assert words in item.error
                assert "restore a backup" in item.detail
                assert item.status is (Status.BLOCKED if damage == "row" else Status.SUSPENDED)
            await other_work(engine, worker, again)
    assert length_of(path) == length + 2 * 3, "nothing was added to the damaged journal"
    async with running(await open_file(path)) as engine:
        assert (await control(engine, ControlOperation.DELETE)).effect
        assert (await engine.start(request())).created


async def test_a_worker_that_is_served_from_the_disk_gets_no_altered_entry(tmp_path: Path) -> None:
    """In memory all is well: the page that is read for the worker is looked at too."""
    path = tmp_path / "a.db"
    async with running(await open_file(path)) as engine:
        first = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await first.activation()
        first.say(Append(activation.epoch, 0, 1, (step("0:0"), step("0:1"))))
        await first.hear(Entries)
        waiting = asyncio.create_task(engine.wait("default", "a"))
        execute(path, "UPDATE journal SET data = cast(data || x'00' AS BLOB) WHERE position = 3")
        engine.disconnect(first.session_id)
        second = ScriptedWorker(engine, "w2").hello(FLOW)
        with pytest.raises(DataLossError, match="entry 3 is not as"):
            await asyncio.wait_for(waiting, 20)
        await second.hear(Evict)
        assert not any(isinstance(message, Activate | Journal) for message in second.told)
        await refused(engine, "entry 3")
        await other_work(engine, second, "b")


async def test_who_waits_already_gets_the_error(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with running(await open_file(path), max_resident=0) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        epoch = (await worker.activation()).epoch
        waiting = asyncio.create_task(engine.wait("default", "a"))
        await asyncio.sleep(0)
        wait = EventAwaited("0:0", "go", b"k" * 16)
        worker.say(Append(epoch, 0, 1, (wait,), idle=True))
        await worker.hear(Entries)
        worker.say(Release(epoch))
        engine.disconnect(worker.session_id)
        await engine.start(request("b"))
        await until(lambda: not engine.resident())
        execute(path, "DELETE FROM journal WHERE position = 2")
        following = asyncio.create_task(anext(engine.history("default", "a", 3, follow=True)))
        await asyncio.sleep(0)
        await engine.send_event(SendEventRequest("default", uuid.uuid4().hex, "go", Payload(b"1")))
        for asked in (waiting, following):
            with pytest.raises(DataLossError):
                await asyncio.wait_for(asked, 20)


@pytest.mark.parametrize("of", ["child", "parent"])
async def test_calls_between_executions_wait_until_the_damaged_one_is_deleted(
    tmp_path: Path, of: str
) -> None:
    path, child = tmp_path / "a.db", child_id(KEY, 1, 1, "0:0")
    async with running(await open_file(path)) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        epoch = (await worker.activation()).epoch
        worker.say(Append(epoch, 0, 1, (call("0:0"),), idle=True))
        await worker.hear(Entries)
    damaged = child if of == "child" else "a"
    execute(
        path,
        "UPDATE journal SET time_ms = time_ms + 1 WHERE position = 0 AND execution ="
        " (SELECT number FROM executions WHERE id = ?)",
        damaged,
    )
    async with running(await open_file(path)) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
        if of == "child":
            with pytest.raises(DataLossError):
                await engine.wait("default", child)
            assert (await engine.describe("default", "a")).status is Status.SUSPENDED
            assert (await control(engine, ControlOperation.DELETE, child)).effect
            activation = await worker.activation()
            (completed,) = [
                e.entry for e in activation.entries if isinstance(e.entry, CallCompleted)
            ]
            assert completed.failure is not None
            assert completed.failure.type_name == "DataLossError"
            return
        activation = await worker.activation()
        assert activation.key.id == child
        worker.say(Finish(activation.epoch, 0, 1, result=Payload(b"1")))
        assert (await engine.wait("default", child)).status is Status.COMPLETED
        with pytest.raises(DataLossError):
            await engine.wait("default", "a")
    rows = sqlite3.connect(path).execute("SELECT execution FROM outbox").fetchall()
    assert rows == [("a",)], "what the child answered is kept"
    async with running(await open_file(path)) as engine:
        assert (await control(engine, ControlOperation.DELETE)).effect
        await engine.flushed()
    assert sqlite3.connect(path).execute("SELECT execution FROM outbox").fetchall() == []


async def fork(engine: Engine, at: str) -> ControlResult:
    reply = await engine.control(
        ControlRequest(
            "default", uuid.uuid4().hex, ControlOperation.FORK, ("a",), at=at, new_id=f"fork{at}"
        )
    )
    return reply.results[0]


async def test_the_intact_beginning_can_be_read_and_forked(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with running(await open_file(path)) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        epoch = (await worker.activation()).epoch
        worker.say(Append(epoch, 0, 1, (step("0:0"), step("0:1"), step("0:2"))))
        await worker.hear(Entries)
    execute(path, "UPDATE journal SET data = cast(data || x'00' AS BLOB) WHERE position = 4")
    async with running(await open_file(path)) as engine:
        journal = engine.history("default", "a")
        assert [(await anext(journal)).index for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(DataLossError, match="entry 4"):
            await anext(journal)
        assert (await fork(engine, "0:1")).effect
        worker = ScriptedWorker(engine).hello(FLOW)
        activation = await worker.hear(Activate, lambda message: message.key.id == "fork0:1")
        assert step("0:0") in [recorded.entry for recorded in activation.entries]
        beyond = await fork(engine, "0:2")
        assert (beyond.effect, beyond.error_code) == (False, "DataLossError")
        assert "intact beginning has 4 entries" in beyond.error_message


# --- an older copy of the database ---------------------------------------------------------------


async def two_times(path: Path) -> tuple[Cached, Path]:
    """What a worker holds of `a`, and a copy of the database from before its last entry."""
    copy = path.with_name("copy.db")
    async with running(await open_file(path)) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request())
        activation = await worker.activation()
        source, target = sqlite3.connect(path), sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        worker.say(Append(activation.epoch, 0, 1, (step("0:0"),)))
        last = (await worker.hear(Entries)).items[-1]
        first_ms = activation.entries[0].time_ms
        held = Cached(KEY, 1, 1, activation.epoch, 2, 1, first_ms, last.time_ms)
    return held, copy


async def test_a_worker_that_knows_more_than_a_restored_backup_ends_it(tmp_path: Path) -> None:
    held, copy = await two_times(tmp_path / "a.db")
    async with running(await open_file(copy), resume_ms=60_000) as engine:
        worker = ScriptedWorker(engine).hello(FLOW, cached=(held,))
        assert (await worker.hear(Evict)).epoch == held.epoch
        await refused(engine, "a worker knows its entry 2, the database has 2 entries")
    async with running(await open_file(copy)) as engine:  # no worker remembers it any more
        worker = ScriptedWorker(engine, "w2").hello(FLOW)
        await refused(engine, "a worker knows its entry 2")
        await other_work(engine, worker, "b")


async def test_a_worker_that_knows_another_past_is_not_believed_and_it_is_found(
    tmp_path: Path,
) -> None:
    """The restored execution went on with another worker before the one from the future came."""
    held, copy = await two_times(tmp_path / "a.db")
    async with running(await open_file(copy)) as engine:
        other = ScriptedWorker(engine, "w2").hello(FLOW)
        activation = await other.activation()
        assert activation.epoch > held.epoch, "no epoch of the lost time is given again"
        other.say(Append(activation.epoch, 0, 1, (step("0:0"), step("0:1"), step("0:2"))))
        await other.hear(Entries)
        engine.disconnect(other.session_id)
        worker = ScriptedWorker(engine).hello(FLOW, cached=(held,))
        heard = await worker.hear((Adopt, Evict))
        assert isinstance(heard, Evict)
        await refused(engine, "a worker knows another entry 2")


async def test_what_was_deleted_and_started_anew_is_not_taken_for_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    held, _ = await two_times(path)
    async with running(await open_file(path)) as engine:
        other = ScriptedWorker(engine, "w2").hello(FLOW)
        other.say(Finish((await other.activation()).epoch, 1, 2, result=Payload(b"1")))
        await engine.wait("default", "a")
        engine.disconnect(other.session_id)
        assert (await control(engine, ControlOperation.DELETE)).effect
        assert (await engine.start(request())).created
        worker = ScriptedWorker(engine).hello(FLOW, cached=(held,))
        assert (await worker.hear(Evict)).epoch == held.epoch
        activation = await worker.activation()
        worker.say(Finish(activation.epoch, 0, 1, result=Payload(b"1")))
        assert (await engine.wait("default", "a")).status is Status.COMPLETED


async def test_a_restored_backup_never_gives_an_epoch_of_the_time_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy, given = tmp_path / "a.db", tmp_path / "copy.db", []
    began_s = time.time()
    for restart in range(4):  # a few minutes lie between the owners, and before the restore
        monkeypatch.setattr(time, "time", lambda at_s=began_s + 300 * restart: at_s)
        async with running(await open_file(path)) as engine:
            worker = ScriptedWorker(engine).hello(FLOW)
            await engine.start(request(f"e{restart}"))
            given.append((await worker.activation()).epoch)
        if not restart:
            shutil.copy(path, copy)
    monkeypatch.setattr(time, "time", lambda: began_s + 1200)
    async with running(await open_file(copy)) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("new"))
        assert (await worker.activation()).epoch > max(given)
