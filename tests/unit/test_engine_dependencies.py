"""Executions that wait for the ends of others: any kind, over restarts, without circles."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure_runtime.core.client import ControlOperation
from perdure_runtime.core.dependencies import Dependency, OnDependency
from perdure_runtime.core.entries import StartOptions
from perdure_runtime.core.errors import NotFoundError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure
from perdure_runtime.core.tasks import TaskStatus
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import Reopened, control, request, running
from tests.unit.task_world import AGENT, OP, T, ask, claim, create, done, status

ON = OnDependency


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def after(
    *ids: str, failed: OnDependency = ON.BLOCK, cancelled: OnDependency = ON.BLOCK
) -> tuple[Dependency, ...]:
    return tuple(Dependency(id, failed, cancelled) for id in ids)


async def test_the_last_completion_queues_who_waits(database: Reopened) -> None:
    async with running(await database.store(), max_resident=1) as engine:
        await create(engine, "one")
        await create(engine, "two")
        await create(engine, "both", after=after("one", "two"))
        await engine.start(request("any", options=StartOptions(after=after("both"))))
        assert await status(engine, "both") is T.BLOCKED
        assert (await engine.describe("default", "any")).status is Status.SCHEDULED
        await done(engine, OP.START, "one", worker=AGENT)
        await done(engine, OP.MOVE, "one", status=T.COMPLETED)
        assert await status(engine, "both") is T.BLOCKED
        waiting = (await engine.describe("default", "both")).waiting_for
        assert waiting == ("execution two",)
    async with running(await database.store()) as engine:
        assert (await claim(engine)).id == "two"
        await done(engine, OP.START, "two")
        await done(engine, OP.MOVE, "two", status=T.COMPLETED)
        assert (await claim(engine, wait_ms=None)).id == "both"
        await done(engine, OP.START, "both")
        await done(engine, OP.MOVE, "both", status=T.COMPLETED)
        assert (await engine.describe("default", "any")).status is Status.QUEUED


async def test_a_dependency_that_has_ended_already_holds_nobody_up() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, "one")
        await done(engine, OP.START, "one", worker=AGENT)
        await done(engine, OP.MOVE, "one", status=T.COMPLETED)
        await create(engine, "two", after=after("one"))
        assert await status(engine, "two") is T.QUEUED


@pytest.mark.parametrize(
    ("policy", "task", "plain"),
    [
        (ON.BLOCK, T.BLOCKED, Status.SCHEDULED),
        (ON.FAIL, T.CANCELLED, Status.FAILED),
        (ON.CANCEL, T.CANCELLED, Status.CANCELLED),
        (ON.IGNORE, T.QUEUED, Status.QUEUED),
    ],
)
@pytest.mark.parametrize("how", [T.FAILED, T.CANCELLED])
async def test_policies_of_a_dependency_that_does_not_complete(
    policy: OnDependency, task: TaskStatus, plain: Status, how: TaskStatus
) -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, "one")
        deps = after("one", failed=policy) if how is T.FAILED else after("one", cancelled=policy)
        await create(engine, "task", after=deps)
        await engine.start(request("plain", options=StartOptions(after=deps)))
        await done(engine, OP.START, "one", worker=AGENT)
        await done(engine, OP.MOVE, "one", status=how, failure=Failure("E", "no"))
        assert await status(engine, "task") is task
        assert (await engine.describe("default", "plain")).status is plain


async def test_a_retried_dependency_lets_who_was_blocked_go_on() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, "one")
        await create(engine, "two", after=after("one"))
        await done(engine, OP.START, "one", worker=AGENT)
        await done(engine, OP.MOVE, "one", status=T.FAILED)
        assert await status(engine, "two") is T.BLOCKED
        await done(engine, OP.RETRY, "one")
        await done(engine, OP.START, "one", worker=AGENT)
        await done(engine, OP.MOVE, "one", status=T.COMPLETED)
        assert await status(engine, "two") is T.QUEUED


async def test_a_long_chain_of_failures_falls_at_once() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, "t0")
        for number in range(1, 2_000):
            id, other = f"t{number}", f"t{number - 1}"
            deps = after(other, failed=ON.FAIL, cancelled=ON.FAIL)
            await engine.start(request(id, options=StartOptions(after=deps)))
        await done(engine, OP.MOVE, "t0", status=T.CANCELLED)
        assert (await engine.describe("default", "t1999")).status is Status.FAILED


async def test_circles_cannot_be_made() -> None:
    async with running(MemoryStore()) as engine:
        with pytest.raises(NotFoundError):
            await create(engine, "a", after=after("nobody"))
        with pytest.raises(NotFoundError):
            await create(engine, "a", after=after("a"))
        await create(engine, "a")
        await create(engine, "b", after=after("a"))
        await create(engine, "c", after=after("b"))
        for id in ("a", "b", "c"):
            result = await ask(engine, OP.DEPEND, "a", dependency=Dependency(id))
            assert result.error_code == "InvalidArgumentError", id
        assert await done(engine, OP.DEPEND, "c", dependency=Dependency("a")) is T.BLOCKED
        assert await done(engine, OP.UNDEPEND, "c", dependency=Dependency("b")) is T.BLOCKED
        assert await done(engine, OP.UNDEPEND, "c", dependency=Dependency("a")) is T.QUEUED
        assert await done(engine, OP.DEPEND, "a", dependency=Dependency("c")) is T.BLOCKED


async def test_one_that_was_deleted_is_as_one_that_was_cancelled() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, "one")
        await create(engine, "two", after=after("one"))
        await done(engine, OP.MOVE, "one", status=T.CANCELLED)
        await control(engine, ControlOperation.DELETE, "one")
        assert await status(engine, "two") is T.BLOCKED
        await done(engine, OP.UNDEPEND, "two", dependency=Dependency("one"))
        assert await status(engine, "two") is T.QUEUED
