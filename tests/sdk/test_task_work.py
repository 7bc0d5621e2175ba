"""Workers of task queues: they claim, run a callable, and tell what came of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import Client, tasks
from perdure.tasks import Claim, ClaimLostError, Tasks, WorkerRef

AGENT = WorkerRef("agent_1", "agent")
HUMAN = WorkerRef("ada", "human")


@pytest.fixture
async def client(endpoint: str | None, tmp_path: Path) -> AsyncIterator[Client]:
    if endpoint is None:
        async with perdure.embedded(tmp_path / "perdure.db", services=[]) as runtime:
            yield runtime.client
    else:
        async with perdure.connect(endpoint, namespace=tmp_path.name) as client:
            yield client


pytestmark = pytest.mark.usefixtures("client")


async def test_several_at_a_time_by_priority() -> None:
    for number in range(12):
        await tasks.create_task("add", number, priority="high" if number % 3 == 0 else "low")
    running, most, order = 0, 0, []

    async def handler(claim: Claim) -> int:
        nonlocal running, most
        order.append(claim.priority)
        running += 1
        most = max(most, running)
        await claim.progress(50, "half")
        running -= 1
        number: int = claim.input
        return number + 1

    assert await tasks.work("tasks", handler, worker=AGENT, concurrency=3, until_empty=True) == 12
    assert most == 3
    assert sorted(order[:4]) == ["high"] * 4
    done = [await tasks.get_task(task.id) for task in await tasks.list_tasks(status="completed")]
    assert {task.input + 1 for task in done if task} == {
        task.result.output for task in done if task and task.result
    }


async def test_an_exception_fails_the_task_and_sync_callables_run_in_a_thread() -> None:
    task = await tasks.create_task("boom")

    def handler(claim: Claim) -> None:
        assert threading.current_thread() is not threading.main_thread()
        raise ValueError(f"boom {claim.function.name}")

    await tasks.work("tasks", handler, worker=AGENT, until_empty=True)
    result = await tasks.wait_for_task(task.id)
    assert result.error is not None
    assert (result.error.code, result.error.message) == ("ValueError", "boom boom")


async def test_an_output_that_cannot_be_encoded_fails_the_task() -> None:
    task = await tasks.create_task("odd")
    await tasks.work("tasks", lambda claim: object(), worker=AGENT, until_empty=True)
    result = await tasks.wait_for_task(task.id)
    assert result.error is not None
    assert result.error.code == "SerializationError"


async def test_work_waits_for_tasks_and_stops_when_cancelled() -> None:
    begun = asyncio.Event()

    async def handler(claim: Claim) -> str:
        if claim.input == "long":
            begun.set()
            await asyncio.get_running_loop().create_future()
        return "ok"

    working = asyncio.create_task(tasks.work(["a", "b"], handler, worker=AGENT, concurrency=2))
    quick = await tasks.create_task("quick", "quick", queue="b")
    assert (await tasks.wait_for_task(quick.id, timeout=20)).output == "ok"
    slow = await tasks.create_task("slow", "long", queue="a")
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    given_back = await tasks.get_task(slow.id)
    assert given_back is not None
    assert (given_back.status, given_back.events[-1].type) == ("queued", "released")
    later = await tasks.create_task("later", queue="b")
    waiting = await tasks.get_task(later.id)
    assert waiting is not None
    assert waiting.status == "queued"  # nobody claims for the worker that has gone


async def test_the_claim_is_kept_alive_and_a_lost_one_stops_the_callable() -> None:
    task = await tasks.create_task("long")
    stopped = asyncio.Event()
    lasted = asyncio.Event()

    async def handler(claim: Claim) -> str:
        try:
            await asyncio.sleep(0.5)  # several leases
            lasted.set()
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            stopped.set()
            raise
        return "never"

    working = asyncio.create_task(tasks.work("tasks", handler, worker=AGENT, lease=0.2))
    await asyncio.wait_for(lasted.wait(), 20)
    await tasks.release_task(task.id, "an operator takes it away")
    await asyncio.wait_for(stopped.wait(), 20)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_people_and_agents_share_a_queue(client: Client) -> None:
    book = Tasks(client)
    review = await book.create_task({"name": "approve", "type": "human"}, priority="critical")
    draft = await book.create_task({"name": "draft", "type": "agentic"})
    assert (review.worker_type, draft.worker_type) == ("human", "agent")
    mine = await book.claim(worker=AGENT, begin=False)
    assert mine is not None
    assert (mine.id, mine.worker, mine.execution_count) == (draft.id, AGENT, 0)
    await mine.start()
    await mine.comment("looks easy")
    await mine.submit_for_review("please")
    with pytest.raises(ClaimLostError):
        await mine.complete(1)
    await book.complete_task(draft.id, "approved")
    theirs = await book.claim(worker=HUMAN, id=review.id)
    assert theirs is not None
    await theirs.release("lunch")
    assert await book.claim(worker=AGENT) is None


async def test_dependencies_between_tasks(client: Client) -> None:
    first = await tasks.create_task("first")
    second = await tasks.create_task("second", depends_on=[first.id], on_dependency_failed="fail")
    await tasks.start_task(first.id, AGENT)
    await tasks.fail_task(first.id, "no")
    result = await tasks.wait_for_task(second.id)
    assert result.error is not None
    assert result.error.code == "TASK_CANCELLED"
    a, b = [await tasks.create_task(name) for name in "ab"]
    await tasks.add_dependency(b.id, a.id)
    with pytest.raises(perdure.PerdureError, match="which waits for it"):
        await tasks.add_dependency(a.id, b.id)
    blocked: Any = await tasks.get_task(b.id)
    assert (blocked.status, blocked.waits_for, blocked.depends_on) == ("blocked", (a.id,), (a.id,))
    await tasks.remove_dependency(b.id, a.id)
    free: Any = await tasks.get_task(b.id)
    assert (free.status, free.waits_for) == ("queued", ())
