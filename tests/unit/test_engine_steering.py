"""Control of many executions, deletes and forks in the engine (semantics, section 8)."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_coordinator.engine import steering as module
from perdure_runtime.core.client import (
    ControlOperation,
    ControlReply,
    ControlRequest,
    ListRequest,
)
from perdure_runtime.core.entries import StepCompleted
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    InvalidArgumentError,
    NotFoundError,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Activate, Append, Entries, Finish
from perdure_runtime.core.payload import Payload
from perdure_runtime.memory import MemoryDisk
from perdure_runtime.storage import StoreError
from tests.unit.engine_world import FLOW, Reopened, StumblingStore, entries, request, running, step
from tests.unit.scripted_worker import ScriptedWorker


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def asked(operation: ControlOperation, **fields: Any) -> ControlRequest:
    return ControlRequest("default", uuid.uuid4().hex, operation, **fields)


def selected(**fields: Any) -> ListRequest:
    return ListRequest("default", **fields)


async def all_pages(engine: Engine, first: ControlRequest) -> list[ControlReply]:
    assert first.filter is not None
    replies = [await engine.control(first)]
    while cursor := replies[-1].next_cursor:
        filter = msgspec.structs.replace(first.filter, cursor=cursor)
        replies.append(
            await engine.control(
                msgspec.structs.replace(first, request_id=uuid.uuid4().hex, filter=filter)
            )
        )
    return replies


async def test_a_filter_cancels_page_by_page_and_leaves_alone_what_starts_meanwhile(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        for number in range(5):
            await engine.start(request(f"a{number}"))
        wanted = selected(statuses=(Status.QUEUED,), service="orders", limit=2)
        first = await engine.control(asked(ControlOperation.CANCEL, filter=wanted, reason="why"))
        assert [(r.id, r.effect) for r in first.results] == [("a4", True), ("a3", True)]
        await engine.start(request("later"))
        rest = msgspec.structs.replace(wanted, cursor=first.next_cursor)
        replies = await all_pages(engine, asked(ControlOperation.CANCEL, filter=rest))
        assert [2, 1] == [len(reply.results) for reply in replies]
        assert Status.QUEUED is (await engine.describe("default", "later")).status
        assert Status.CANCELLED is (await engine.describe("default", "a0")).status


async def test_each_execution_has_a_result_of_its_own(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await engine.start(request("a"))
        ids = ("a", "nobody", "\0")
        reply = await engine.control(asked(ControlOperation.RESUME, ids=ids))
        codes = [result.error_code for result in reply.results]
        assert ["InvalidTransitionError", "NotFoundError", "InvalidArgumentError"] == codes


async def test_a_lost_answer_is_answered_again_without_doing_it_again(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await engine.start(request("a"))
        once = asked(ControlOperation.CANCEL, filter=selected(id_prefix="a"))
        first = await engine.control(once)
        await engine.start(request("a2"))
        assert first == await engine.control(once)
        assert Status.QUEUED is (await engine.describe("default", "a2")).status


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "ids or a filter"),
        ({"ids": ("a",), "filter": ListRequest("default")}, "ids or a filter"),
        ({"filter": ListRequest("other")}, "another namespace"),
        ({"ids": tuple(map(str, range(1_001)))}, "the limit is 1000"),
        ({"ids": ("a",), "reason": "x" * 5_000}, "the reason is longer"),
    ],
)
async def test_a_request_that_makes_no_sense_does_nothing(fields: Any, says: str) -> None:
    async with running(await Reopened(None).store()) as engine:
        with pytest.raises(InvalidArgumentError, match=says):
            await engine.control(asked(ControlOperation.CANCEL, **fields))


async def test_finished_ones_are_deleted_by_filter_and_others_refused(database: Reopened) -> None:
    async with running(await database.store(), max_finished=1) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        for number in range(module.MAX_IDS // 10):
            await engine.start(request(f"a{number}"))
            activation = await worker.activation()
            worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
            await engine.wait("default", f"a{number}")
        await engine.start(request("open"))
        replies = await all_pages(
            engine, asked(ControlOperation.DELETE, filter=selected(service="orders", limit=30))
        )
        results = [result for reply in replies for result in reply.results]
        assert 101 == len(results)
        refused = [result for result in results if not result.effect]
        assert [("open", "InvalidTransitionError")] == [(r.id, r.error_code) for r in refused]
        left = await engine.list(ListRequest("default"))
        assert ["open"] == [item.id for item in left.items]
        with pytest.raises(NotFoundError):
            await engine.describe("default", "a7")


async def test_a_delete_that_was_not_answered_is_answered_by_the_next_owner() -> None:
    """It was told that there is no such execution: the answer was not kept with the delete."""
    disk, fatal = MemoryDisk(), list[BaseException]()
    store = StumblingStore(disk)
    engine = await Engine.open(store, Config(), on_fatal=fatal.append)
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request("a"))
    activation = await worker.activation()
    worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
    await engine.wait("default", "a")
    once = asked(ControlOperation.DELETE, ids=("a", "nobody"))
    store.fails = StoreError("the disk broke")
    with pytest.raises(CoordinatorUnavailableError, match="the disk broke"):
        await engine.control(once)
    await engine.stop()
    assert [store.fails] == fatal
    async with running(StumblingStore(disk)) as engine:
        reply = await engine.control(once)
        assert [(True, ""), (False, "NotFoundError")] == [
            (each.effect, each.error_code) for each in reply.results
        ]


# --- forks ---------------------------------------------------------------------------------------


async def forked(engine: Engine, new_id: str = "f", at: str = "0:2") -> ControlReply:
    return await engine.control(asked(ControlOperation.FORK, ids=("a",), at=at, new_id=new_id))


async def a_source(engine: Engine, worker: ScriptedWorker) -> None:
    await engine.start(request("a"))
    activation = await worker.activation()
    commands = (step("0:1", b"first"), step("0:2", b"second"))
    worker.say(Append(activation.epoch, 0, 1, commands))
    await worker.hear(Entries)


async def test_a_fork_is_activated_with_what_was_copied_and_outlives_a_restart(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        await a_source(engine, ScriptedWorker(engine).hello(FLOW))
        (result,) = (await forked(engine)).results
        assert ("a", True) == (result.id, result.effect)
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "w2").hello(FLOW)
        fork = await worker.hear(Activate, lambda message: message.key.id == "f")
        assert ("f", 2, 1) == (fork.key.id, fork.run, fork.attempt)
        steps = [r.entry for r in fork.entries if isinstance(r.entry, StepCompleted)]
        assert [Payload(b"first")] == [entry.result for entry in steps]
        worker.say(Append(fork.epoch, 1, fork.entries[-1].index, (step("0:2", b"anew"),)))
        worker.say(Finish(fork.epoch, 2, fork.entries[-1].index + 1, Payload(b"42")))
        assert Payload(b"42") == (await engine.wait("default", "f")).result


async def test_the_same_fork_asked_for_twice_is_one(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await a_source(engine, ScriptedWorker(engine).hello(FLOW))
        assert [True, True] == [(await forked(engine)).results[0].effect for _ in range(2)]
        (other,) = (await forked(engine, at="0:1")).results
        assert "AlreadyExistsError" == other.error_code
        (taken,) = (await forked(engine, new_id="a")).results
        assert "AlreadyExistsError" == taken.error_code
        (unknown,) = (await forked(engine, new_id="g", at="0:7")).results
        assert "NotFoundError" == unknown.error_code
        assert 4 == len(await entries(engine, "a")), "the source is as it was"


@pytest.mark.parametrize(
    "fields",
    [
        {"ids": ("a", "b"), "at": "0:1", "new_id": "f"},
        {"ids": ("a",), "at": "", "new_id": "f"},
        {"ids": ("a",), "at": "0:1", "new_id": ""},
        {"ids": ("a",), "at": "0:1", "new_id": "~000-mine"},
        {"filter": ListRequest("default"), "at": "0:1", "new_id": "f"},
    ],
)
async def test_a_fork_that_makes_no_sense_is_refused(fields: Any) -> None:
    async with running(await Reopened(None).store()) as engine:
        with pytest.raises(InvalidArgumentError):
            await engine.control(asked(ControlOperation.FORK, **fields))


async def test_who_steers_when_the_disk_fails_is_told_to_ask_the_next_coordinator() -> None:
    store, fatal = StumblingStore(), list[BaseException]()
    engine = await Engine.open(store, Config(), on_fatal=fatal.append)
    await engine.start(request("a"))
    store.fails = StoreError("the disk broke")
    with pytest.raises(CoordinatorUnavailableError, match="the disk broke"):
        await engine.control(asked(ControlOperation.CANCEL, ids=("a",)))
    await engine.stop()
    assert [store.fails] == fatal
