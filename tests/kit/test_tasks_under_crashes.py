"""The users' page on tasks with a crash of the coordinator at every journal write."""

from __future__ import annotations

from datetime import timedelta

import pytest

from perdure import tasks
from perdure.tasks import Claim
from perdure.testing import MemoryRuntime
from perdure.testing.crashes import run_with_crashes
from tests.seeds import task_lifecycle as seed


async def test_the_whole_page() -> None:
    runtime = MemoryRuntime(auto_advance=False)

    async def run() -> None:
        task = await seed.creating_tasks()
        await seed.starting_tasks(task)
        await seed.progress_updates(task)
        await seed.adding_comments(task)
        await seed.completing_tasks(task)
        broken = [await tasks.create_task(seed.func) for _ in range(2)]
        for each in broken:
            await tasks.start_task(each.id, seed.agent)
        await seed.failing_tasks(*broken)
        await seed.retrying_tasks(*broken)
        await seed.cancelling_tasks(broken[0])
        assert (await seed.task_priority()).priority == "critical"
        held = [(await tasks.create_task(seed.func, hold=True)).id for _ in range(3)]
        updated, cancelled = await seed.bulk_operations([*held, task.id], held[:1])
        assert [result.success for result in updated] == [True, True, True, False]
        assert [result.success for result in cancelled] == [True]
        assert await seed.waiting_for_completion(task) == (
            "Output:",
            {"summary": "The article discusses...", "word_count": 150},
        )
        assert [event.type for event in await seed.event_history(task.id)] == [
            *("created", "queued", "assigned", "started", "progress", "progress", "progress"),
            *("comment", "completed"),
        ]

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 20


async def test_a_scheduled_task_and_one_that_is_tried_again() -> None:
    runtime = MemoryRuntime(auto_advance=False)

    async def run() -> None:
        task = await seed.scheduled_tasks(runtime.clock.now() + timedelta(hours=1))
        await runtime.clock.advance(minutes=59)
        assert await tasks.claim(worker=seed.agent) is None
        await runtime.clock.advance(minutes=1)
        await runtime.settle()
        claim = await tasks.claim(worker=seed.agent, lease=60, wait=None)
        assert claim is not None
        assert claim.id == task.id
        again = await tasks.create_task("again", retry=1, priority="high")
        held = await tasks.claim(worker=seed.agent, lease=0)
        assert held is not None
        await held.fail({"message": "later", "retry_after_ms": 1_000})
        for _ in range(2):  # a coordinator that begins anew gives the lease its time again
            await runtime.clock.advance(seconds=61)
            await runtime.settle()
        first, second = [await tasks.claim(worker=seed.worker, wait=None) for _ in range(2)]
        assert first is not None
        assert second is not None
        assert (first.id, second.id) == (again.id, task.id)
        with pytest.raises(tasks.ClaimLostError):
            await claim.complete("stale")
        await first.complete(1)
        await second.complete(2)

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 8


async def test_a_worker_does_each_task_once() -> None:
    runtime = MemoryRuntime(auto_advance=False)

    async def run() -> None:
        before = await tasks.create_task("before", priority="low")
        after = await tasks.create_task("after", depends_on=[before.id])
        others = [await tasks.create_task("other", n) for n in range(3)]
        done: list[str] = []

        async def handler(claim: Claim) -> str:
            await claim.progress(50)
            done.append(claim.id)
            return claim.id

        assert await tasks.work("tasks", handler, lease=0, until_empty=True) == 5
        assert done == [*(task.id for task in others), before.id, after.id]
        for id in done:
            assert await tasks.wait_for_task(id) == tasks.TaskResult(True, id)

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 12


async def test_operations_of_control_count_once() -> None:
    """A request that is repeated because its answer was lost gets the answer of the first one."""
    runtime = MemoryRuntime(auto_advance=False)

    async def run() -> None:
        task = await tasks.create_task("plain")
        await tasks.start_task(task.id, seed.agent)
        await tasks.fail_task(task.id, "no")
        assert await runtime.client.retry(task.id)
        assert await runtime.client.cancel(task.id)
        assert not await runtime.client.cancel(task.id)

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 5
