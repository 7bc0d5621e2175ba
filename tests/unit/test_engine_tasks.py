"""Tasks in the engine: the table, claims and their leases, order, restarts."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from perdure_runtime.core.client import ControlOperation, ListRequest
from perdure_runtime.core.entries import ExecutionEnded
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import Retry
from perdure_runtime.core.tasks import TASK_TRANSITIONS, TaskStatus
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import Reopened, control, entries, running, until
from tests.unit.task_world import (
    AGENT,
    FAR_MS,
    HUMAN,
    OP,
    T,
    ask,
    bring,
    claim,
    create,
    done,
    events,
    status,
)

SEED = """
pending -> queued, scheduled, cancelled
scheduled -> queued, cancelled
queued -> assigned, blocked, cancelled
assigned -> in_progress, queued, cancelled
in_progress -> completed, failed, review, cancelled
blocked -> queued, cancelled
review -> completed, in_progress, cancelled
"""


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def test_the_table_is_the_one_of_the_seed() -> None:
    lines = (line.split(" -> ") for line in SEED.strip().splitlines())
    seed = {TaskStatus(one): {TaskStatus(o) for o in others.split(", ")} for one, others in lines}
    assert {status: set(after) for status, after in TASK_TRANSITIONS.items() if after} == seed
    assert set(TASK_TRANSITIONS) == set(TaskStatus)


async def test_all_hundred_pairs_follow_the_table() -> None:
    async with running(MemoryStore()) as engine:
        for number, (before, after) in enumerate(itertools.product(TaskStatus, TaskStatus)):
            id = f"t{number}"
            await bring(engine, before, id)
            assert await status(engine, id) is before
            result = await ask(engine, OP.MOVE, id, status=after, worker=AGENT, at_ms=FAR_MS)
            if after in TASK_TRANSITIONS[before]:
                assert (result.error_code, result.after) == ("", after), (before, after)
                assert await status(engine, id) is after
            else:
                assert result.error_code == "InvalidTransitionError", (before, after)
                assert before.value in result.error_message
                assert after.value in result.error_message
                assert await status(engine, id) is before


async def test_what_is_general_follows_the_table_too() -> None:
    async with running(MemoryStore()) as engine:
        for goal in TaskStatus:
            await bring(engine, goal, goal.value)
            paused = await control(engine, ControlOperation.PAUSE, goal.value)
            assert paused.error_code == "InvalidTransitionError"
            retried = await control(engine, ControlOperation.RETRY, goal.value)
            assert (retried.error_code == "") is (goal is T.FAILED)
        assert (await control(engine, ControlOperation.RESUME, "pending")).effect
        assert await status(engine, "pending") is T.QUEUED
        assert (await control(engine, ControlOperation.CANCEL, "review")).effect
        assert await status(engine, "review") is T.CANCELLED


async def test_the_highest_priority_comes_first_then_the_oldest(database: Reopened) -> None:
    priorities = {"a": 2, "b": 5, "c": 1, "d": 5, "e": 3}
    async with running(await database.store()) as engine:
        for id, priority in priorities.items():
            await create(engine, id, priority=priority)
        assert (await claim(engine)).id == "b"
        released = await claim(engine)
        assert released.id == "d"
        await done(engine, OP.RELEASE, "d", token=released.token)
        await done(engine, OP.UPDATE, "c", priority=9)
    async with running(await database.store()) as engine:
        assert [(await claim(engine)).id for _ in range(5)] == ["c", "d", "e", "a", ""]


async def test_only_workers_of_its_type_get_a_task() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, "people", allowed="human", priority=9)
        await create(engine, "all")
        assert (await claim(engine)).id == "all"
        assert (await claim(engine)).id == ""
        with pytest.raises(Exception, match="for workers of type 'human'"):
            await claim(engine, id="people")
        assert (await claim(engine, worker=HUMAN)).id == "people"


async def test_who_waits_gets_a_task_when_it_comes_the_first_one_first() -> None:
    async with running(MemoryStore()) as engine:
        first = asyncio.create_task(claim(engine, "other", "desk", wait_ms=None))
        second = asyncio.create_task(claim(engine, wait_ms=None))
        gone = asyncio.create_task(claim(engine, wait_ms=None))
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        for id in "abc":
            await create(engine, id)
        assert ((await first).id, (await second).id) == ("a", "b")
        assert (await claim(engine)).id == "c"


async def test_a_claim_that_is_asked_for_twice_is_one(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await create(engine, "a")
        await create(engine, "b")
        one = await claim(engine, request_id="r")
        again = await claim(engine, request_id="r")
        assert one == again
        assert one.input is not None
    async with running(await database.store()) as engine:
        assert await claim(engine, request_id="r") == one
        assert (await claim(engine)).id == "b"


async def test_a_stale_token_changes_nothing() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine)
        lost = await claim(engine, begin=True, lease_ms=20)
        assert await status(engine) is T.IN_PROGRESS
        now = await claim(engine, begin=True, wait_ms=None, worker=HUMAN)
        assert (now.id, now.token, now.starts) == ("t", 2, 2)
        for operation in (OP.PROGRESS, OP.HEARTBEAT, OP.RELEASE, OP.COMMENT):
            result = await ask(engine, operation, token=lost.token, percent=1)
            assert result.error_code == "ClaimLostError", operation
        result = await ask(engine, OP.MOVE, status=T.COMPLETED, token=lost.token)
        assert result.error_code == "ClaimLostError"
        assert await done(engine, OP.MOVE, status=T.COMPLETED, token=now.token) is T.COMPLETED
        ends = [e for e in await entries(engine, "t") if isinstance(e, ExecutionEnded)]
        assert len(ends) == 1
        assert (await events(engine))[:4] == ["assigned", "started", "released", "assigned"]


async def test_a_sign_of_life_keeps_the_claim() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine)
        held = await claim(engine, begin=True, lease_ms=150)
        other = asyncio.create_task(claim(engine, wait_ms=None))
        for _ in range(10):
            await asyncio.sleep(0.03)
            await done(engine, OP.HEARTBEAT, token=held.token)
        assert not other.done()
        assert await done(engine, OP.MOVE, status=T.COMPLETED, token=held.token) is T.COMPLETED
        other.cancel()


async def test_a_restart_keeps_the_claim_for_a_whole_lease(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        await create(engine)
        held = await claim(engine, begin=True, lease_ms=300)
        await create(engine, "forever")
        await claim(engine, begin=True, lease_ms=0)
    await asyncio.sleep(0.35)
    async with running(await database.store()) as engine:
        assert await done(engine, OP.HEARTBEAT, token=held.token) is T.IN_PROGRESS
        assert (await claim(engine, wait_ms=None, worker=HUMAN)).id == "t"  # silent from then on
        assert await status(engine, "forever") is T.IN_PROGRESS
        lost = await ask(engine, OP.HEARTBEAT, token=held.token)
        assert lost.error_code == "ClaimLostError"


async def test_a_failed_try_is_followed_by_another_after_its_delay() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, retry=Retry(1, 1))
        waits = asyncio.create_task(engine.wait("default", "t"))
        for expected in (T.SCHEDULED, T.FAILED):
            held = await claim(engine, begin=True, wait_ms=None)
            failure = Failure("RATE_LIMIT", "slow down", retry_after_ms=30)
            after = await done(engine, OP.MOVE, status=T.FAILED, failure=failure, token=held.token)
            assert after is expected
        assert (await waits).status is Status.FAILED
        await done(engine, OP.RETRY, input=Payload(b"2"))
        held = await claim(engine, begin=True)
        assert held.input == Payload(b"2")
        row = await engine.describe("default", "t")
        assert row.task is not None
        assert (row.task.starts, row.task.retries) == (3, 2)


async def test_progress_is_for_work_in_progress() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine)
        early = await ask(engine, OP.PROGRESS, percent=5)
        assert early.error_message.startswith("Cannot update the progress of a queued task")
        await done(engine, OP.START, worker=AGENT)
        for wrong in (-1, 100.5, 900, float("nan"), None):
            result = await ask(engine, OP.PROGRESS, percent=wrong)
            assert result.error_code == "InvalidArgumentError", wrong
        await done(engine, OP.PROGRESS, percent=75, message="Generating output")
        progress = (await engine.describe("default", "t")).progress
        assert progress is not None
        assert (progress.done, progress.message) == (75, "Generating output")


async def test_lists_filter_by_the_status_of_tasks(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        for goal in TaskStatus:
            await bring(engine, goal, goal.value)
        for wanted in ([T.PENDING], [T.ASSIGNED, T.REVIEW], list(TaskStatus)):
            page = await engine.list(ListRequest("default", task_statuses=tuple(wanted)))
            assert {item.id for item in page.items} == {goal.value for goal in wanted}


async def test_an_expired_deadline_cancels_also_one_that_was_held() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, hold=True, execution_timeout_ms=30)
        await asyncio.sleep(0.06)
        assert await status(engine) is T.PENDING  # its clock stands still
        await done(engine, OP.MOVE, status=T.QUEUED)
        assert (await engine.wait("default", "t")).status is Status.TIMED_OUT
        assert await status(engine) is T.CANCELLED
        assert (await claim(engine)).id == ""


async def test_a_scheduled_task_is_queued_at_its_time() -> None:
    async with running(MemoryStore()) as engine:
        await create(engine, delay_ms=30)
        assert await status(engine) is T.SCHEDULED
        assert (await claim(engine, wait_ms=None)).id == "t"
        assert (await events(engine)) == ["queued", "assigned"]


async def test_tasks_need_not_be_in_memory() -> None:
    async with running(MemoryStore(), max_resident=5, max_finished=2) as engine:
        for number in range(40):
            await create(engine, f"t{number:02}", priority=number % 2)
        await until(lambda: engine.resident() <= 10)
        got = [(await claim(engine, begin=True)).id for _ in range(40)]
        odd, even = ([f"t{n:02}" for n in range(40) if n % 2 == rest] for rest in (1, 0))
        assert got == odd + even
        for id in got:
            await done(engine, OP.MOVE, id, status=T.COMPLETED)
