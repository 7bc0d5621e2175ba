"""Damaged states of objects: found, never handed to a method; every other object goes on (P10)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from perdure_coordinator.engine import Engine
from perdure_coordinator.store.sqlite import open_file
from perdure_coordinator.store.sqlite.verify import verify
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Activate, Finish, MethodSpec
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import NO_RETRY
from tests.proof.counting import tried
from tests.unit.engine_world import FLOW, request, running
from tests.unit.scripted_worker import ScriptedWorker

ADD = MethodSpec("orders", "Cart.add", "object", retry=NO_RETRY)
LOOK = MethodSpec("orders", "Cart.look", "object", retry=NO_RETRY, shared=True)
DONE = Payload(b"1")
LARGE = Payload(b"7" * 20_000)

ALTERED = {
    "the state": "UPDATE objects SET data = cast(data || x'00' AS BLOB) WHERE key = '7'",
    "its type": "UPDATE objects SET data = zeroblob(3) WHERE key = '7'",
    "the encoding": "UPDATE objects SET encoding = 'pickle' WHERE key = '7'",
    "the digest": "UPDATE objects SET digest = x'07' WHERE key = '7'",
    "the version": "UPDATE objects SET metadata = '{\"state_version\":\"2\"}' WHERE key = '7'",
    "the metadata": "UPDATE objects SET metadata = '{' WHERE key = '7'",
    "the time": "UPDATE objects SET updated_ms = updated_ms + 1 WHERE key = '7'",
    "the service": "UPDATE objects SET service = 'other' WHERE key = '7'",
    "the checksum": "UPDATE objects SET checksum = zeroblob(16) WHERE key = '7'",
}


async def saved(path: Path, *ids: str, state: Payload = LARGE) -> None:
    """A database with objects, each saved by one method."""
    async with running(await open_file(path)) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        for id in ids:
            activation = await begun(engine, worker, f"first-{id}", id)
            worker.say(ended(activation, state))
            assert (await engine.wait("default", f"first-{id}")).status is Status.COMPLETED


def target(id: str, method: str = "add") -> Target:
    return Target("orders", f"Cart.{method}", id)


def ended(activation: Activate, state: Payload | None = None) -> Finish:
    last = activation.entries[-1].index
    return Finish(activation.epoch, 0, last, result=DONE, object_state=state)


async def begun(engine: Engine, worker: ScriptedWorker, id: str, on: str) -> Activate:
    await engine.start(request(id, target(on)))
    return await worker.hear(Activate, lambda message: message.key.id == id)


def damage_overflow(path: Path, name: str) -> None:
    """Make a page that only the state of one object is on point to a page that does not exist."""
    intact = path.read_bytes()
    starts = range(0, len(intact), 4096)  # a page of overflow: the number of the next, then bytes
    for start in (at for at in starts if intact[at + 4 : at + 8] == b"\xa7" * 4):
        path.write_bytes(intact[:start] + (1 << 30).to_bytes(4, "big") + intact[start + 4 :])
        if any(finding.object == name for finding in verify(path).findings):
            return
    raise AssertionError("the state has no page of its own")


async def refusal(engine: Engine, id: str, on: Target) -> Failure:
    """Why a call of a method failed before any worker got it."""
    await engine.start(request(id, on))
    outcome = await engine.wait("default", id)
    assert outcome.status is Status.FAILED
    assert outcome.failure is not None
    return outcome.failure


async def check(engine: Engine, worker: ScriptedWorker, run: str) -> None:
    """7 is refused to everybody, and 8 works."""
    for method in ("add", "look"):
        failure = await refusal(engine, f"{run}-{method}", target("7", method))
        assert ("DataLossError", False) == (failure.type_name, failure.retryable)
        assert "the state of object 'Cart/7' is damaged: " in failure.message
    assert not any(isinstance(message, Activate) for message in worker.told)
    with pytest.raises(DataLossError, match=r"'Cart/7' is damaged.*restore a backup"):
        await engine.read_object_state("default", "Cart", "7")
    sound = await begun(engine, worker, f"{run}-sound", "8")
    worker.say(ended(sound, LARGE))
    assert (await engine.wait("default", f"{run}-sound")).status is Status.COMPLETED
    assert LARGE == await engine.read_object_state("default", "Cart", "8")


@pytest.mark.parametrize("what", ALTERED)
async def test_an_altered_state_is_handed_to_no_method(tmp_path: Path, what: str) -> None:
    path = tmp_path / "test.db"
    await saved(path, "7", "8")
    assert (0, 2) == (len(verify(path).findings), verify(path).objects)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(ALTERED[what]).rowcount == 1
    tried(faults=1)
    (finding,) = verify(path).findings
    assert ("default", "", "Cart/7") == (finding.namespace, finding.id, finding.object)
    for run in ("run", "restarted"):
        async with running(await open_file(path)) as engine:
            worker = ScriptedWorker(engine).hello(ADD, LOOK)
            await check(engine, worker, run)


async def test_the_state_of_another_object_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    await saved(path, "7", "8")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM objects WHERE key = '7'")
        connection.execute(
            "INSERT INTO objects SELECT namespace, class_name, '7', service, updated_ms, encoding,"
            " digest, metadata, data, checksum FROM objects WHERE key = '8'"
        )
    tried(faults=1)
    async with running(await open_file(path)) as engine:
        await check(engine, ScriptedWorker(engine).hello(ADD, LOOK), "run")


async def test_a_page_of_a_state_that_cannot_be_read_stops_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    await saved(path, "7", state=Payload(b"\xa7" * 20_000))
    await saved(path, "8")
    damage_overflow(path, "Cart/7")
    tried(faults=1)
    for run in ("run", "restarted"):
        async with running(await open_file(path)) as engine:
            await check(engine, ScriptedWorker(engine).hello(ADD, LOOK), run)


async def test_a_table_of_objects_that_cannot_be_read_leaves_the_rest_at_work(
    tmp_path: Path,
) -> None:
    path = tmp_path / "test.db"
    await saved(path, "7", "8", state=Payload(b"1"))
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'objects'"
        ).fetchone()
    file = bytearray(path.read_bytes())
    file[(page - 1) * 4096] = 0xFF  # no kind of page
    path.write_bytes(file)
    tried(faults=1)
    assert verify(path).findings
    async with running(await open_file(path)) as engine:
        worker = ScriptedWorker(engine).hello(ADD, FLOW)
        for id in ("7", "8"):
            failure = await refusal(engine, id, target(id))
            assert "the database cannot be read there" in failure.message
        await engine.start(request("flow"))
        flow = await worker.activation()
        assert "flow" == flow.key.id
        worker.say(ended(flow))
        assert (await engine.wait("default", "flow")).status is Status.COMPLETED


async def test_what_was_running_ends_although_its_state_is_damaged_meanwhile(
    tmp_path: Path,
) -> None:
    path = tmp_path / "test.db"
    await saved(path, "7")
    async with running(await open_file(path)) as engine:
        first = ScriptedWorker(engine).hello(ADD)
        activation = await begun(engine, first, "running", "7")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE objects SET data = x'00'")
        first.say(ended(activation, DONE))  # it began from the state as it was
        assert (await engine.wait("default", "running")).status is Status.COMPLETED
        assert DONE == await engine.read_object_state("default", "Cart", "7")
