"""The executor with a crash before and after every journal write."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from perdure.executor import (
    ChildTask,
    DurableExecutor,
    DurableTask,
    DurableTaskError,
    FinalizeInput,
    FinalizerInput,
    ParentRun,
    TaskContext,
)
from perdure.testing import MemoryRuntime
from perdure.testing.crashes import run_with_crashes
from tests.seeds.durable_executor import INPUT, OUTPUT, app, create_tasks

Steps = Callable[[], Coroutine[Any, Any, None]]


async def crashing(
    build: Callable[[DurableExecutor], Steps], *, always_suspend: bool = False
) -> int:
    """Run what `build` gives again and again, with crashes; how many there were."""
    executor = DurableExecutor(lambda: runtime.client)
    steps = build(executor)
    runtime = MemoryRuntime(services=executor.services, always_suspend=always_suspend)
    async with asyncio.timeout(100):
        return await run_with_crashes(steps, runtime, "every-entry")


@pytest.mark.parametrize("always_suspend", [False, True])
async def test_the_example_of_the_page(always_suspend: bool) -> None:
    def build(executor: DurableExecutor) -> Steps:
        tasks = create_tasks(executor)

        async def steps() -> None:
            first, last = await app(executor, tasks.upload_file, INPUT)
            assert first.status in ("ready", "running", "waiting_for_children") or first.is_finished
            assert (last.status, last.output) == ("completed", OUTPUT)

        return steps

    assert 10 < await crashing(build, always_suspend=always_suspend)


async def test_a_sequence() -> None:
    def build(executor: DurableExecutor) -> Steps:
        def add_one(value: int) -> int:
            return value + 1

        checked = executor.validate_input(add_one)
        parts = [
            checked.task(id=f"add_{number}", run=lambda ctx, input: input * 10)
            for number in range(3)
        ]
        three = executor.sequential_tasks(*parts)

        async def steps() -> None:
            handle = await executor.enqueue_task(three, 0)
            execution = await handle.wait_and_get_execution()
            assert (execution.status, execution.output) == ("completed", 1110)

        return steps

    assert 10 < await crashing(build)


async def test_retries_delays_and_failing_children() -> None:
    def build(executor: DurableExecutor) -> Steps:
        attempts: Counter[str] = Counter()

        async def flaky(ctx: TaskContext, input: int) -> int:
            attempts[f"{ctx.execution_id} {ctx.attempt}"] += 1
            if ctx.attempt < 2:
                assert (ctx.prev_error is None) == (ctx.attempt == 0)
                raise DurableTaskError(f"attempt {ctx.attempt}")
            return input

        async def refuse(ctx: TaskContext, input: int) -> int:
            raise DurableTaskError("no", is_retryable=False)

        retried = executor.task(
            id="flaky",
            max_retry_attempts=2,
            sleep_ms_before_attempt=lambda attempt: 60_000 * (attempt + 1),
            timeout_ms=lambda attempt: 3_600_000,
            run=flaky,
        )
        failing = executor.task(id="refuse", run=refuse)

        async def tell(ctx: TaskContext, done: FinalizeInput) -> list[str]:
            return [child.status for child in done.children]

        settled: DurableTask[int, Any] = executor.parent_task(
            id="settled",
            run_parent=lambda ctx, input: ParentRun(
                input, [ChildTask(retried, input), ChildTask(failing, input)]
            ),
            finalize={"id": "tell", "run": tell},
        )
        strict: DurableTask[int, Any] = executor.parent_task(
            id="strict",
            run_parent=lambda ctx, input: ParentRun(input, [ChildTask(failing, input)]),
            on_run_and_children_complete={"id": "never", "run": never},
        )

        async def steps() -> None:
            handles = [await executor.enqueue_task(task, 7) for task in (settled, strict)]
            first, second = [await handle.wait_and_get_execution() for handle in handles]
            assert (first.status, first.output) == ("completed", ["completed", "failed"])
            assert second.status == "children_failed"
            assert ["no"] == [each.error.message for each in second.children_errors]

        return steps

    assert 10 < await crashing(build)


def never(ctx: TaskContext, done: FinalizerInput) -> None:
    raise AssertionError("a finalizer ran though a child had failed")


async def test_tasks_that_sleep_and_loop() -> None:
    def build(executor: DurableExecutor) -> Steps:
        asleep = executor.sleeping_task("asleep", timeout_ms=3_600_000)
        once: DurableTask[Any, Any] = executor.task(
            id="once", run=lambda ctx, input: {"is_done": False}
        )
        loop = executor.looping_task("loop", once, 3, sleep_ms_before_run=60_000)

        async def steps() -> None:
            await executor.enqueue_task(asleep, "one")
            handle = await executor.enqueue_task(loop, None)
            woken = await executor.wakeup_sleeping_task_execution(
                asleep, "one", {"status": "completed", "output": 5}
            )
            assert (woken.status, woken.output) == ("completed", 5)
            looped = await handle.wait_and_get_execution()
            assert looped.output is not None
            assert not looped.output.is_success
            late = await executor.enqueue_task(asleep, "two")
            assert (await late.wait_and_get_execution()).status == "timed_out"

        return steps

    assert 10 < await crashing(build)
