"""Timeouts, retries, cancels, children that fail, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from perdure.errors import InvalidArgumentError
from perdure.executor import (
    CancelSignal,
    ChildTask,
    DurableExecutor,
    DurableTask,
    DurableTaskCancelledError,
    DurableTaskError,
    DurableTaskTimedOutError,
    FinalizeInput,
    ParentRun,
    RetryOptions,
    TaskContext,
)
from tests.sdk.executors import Make, executor, finished, make_executor, patience, ran

__all__ = ["executor", "make_executor"]


def same(ctx: TaskContext, input: Any) -> Any:
    return input


# --- timeouts and retries ------------------------------------------------------------------------


async def test_timeouts_by_attempt(executor: DurableExecutor) -> None:
    ended: list[tuple[int, bool]] = []

    async def run(ctx: TaskContext) -> int:
        if ctx.attempt == 2:
            return ctx.attempt
        try:
            await asyncio.Event().wait()
        finally:
            ended.append((ctx.attempt, ctx.cancel_signal.is_cancelled()))
        raise AssertionError

    task = executor.task(
        id="slow",
        timeout_ms=lambda attempt: (20, 40, 30_000)[attempt],
        max_retry_attempts=2,
        run=run,
    )
    execution = await ran(executor, task)
    assert ("completed", 2, 2) == (execution.status, execution.output, execution.retry_attempts)
    assert [(0, True), (1, True)] == ended


async def test_a_last_timeout_is_the_status(executor: DurableExecutor) -> None:
    async def run(ctx: TaskContext) -> None:
        await asyncio.Event().wait()

    execution = await ran(executor, executor.task(id="hangs", timeout_ms=20, run=run))
    assert execution.status == "timed_out"
    assert execution.error is not None
    assert execution.error.error_type == "timed_out"


async def test_a_sync_task_sees_its_cancel_signal(executor: DurableExecutor) -> None:
    seen = threading.Event()

    def run(ctx: TaskContext) -> None:
        if ctx.cancel_signal.wait_in_thread(30_000):
            seen.set()

    execution = await ran(executor, executor.task(id="blocks", timeout_ms=20, run=run))
    assert execution.status == "timed_out"
    assert await asyncio.to_thread(seen.wait, 30)


@pytest.mark.parametrize(
    ("error", "status", "retries"),
    [
        (RuntimeError("plain"), "failed", 1),
        (DurableTaskError("again"), "failed", 1),
        (DurableTaskError("never", is_retryable=False), "failed", 0),
        (DurableTaskTimedOutError(), "timed_out", 1),
        (DurableTaskTimedOutError("at once", is_retryable=False), "timed_out", 0),
        (DurableTaskCancelledError("enough"), "cancelled", 0),
    ],
)
async def test_errors_of_a_task(
    executor: DurableExecutor, error: Exception, status: str, retries: int
) -> None:
    async def run(ctx: TaskContext) -> None:
        raise error

    task = executor.task(id="raises", max_retry_attempts=1, run=run)
    execution = await ran(executor, task)
    assert (status, retries) == (execution.status, execution.retry_attempts)
    assert execution.error is not None
    assert execution.error.message == str(error)
    assert execution.error.type_name == type(error).__name__
    assert execution.output is None


async def test_retry_options(executor: DurableExecutor) -> None:
    options = RetryOptions(max_attempts=3, base_delay_ms=4, delay_multiplier=2, max_delay_ms=10)
    assert [0, 4, 8, 10] == [options.delay_ms(attempt) for attempt in range(4)]

    async def run(ctx: TaskContext) -> int:
        if ctx.attempt < 3:
            raise RuntimeError
        return ctx.attempt

    task = executor.task(id="backs_off", retry_options={"max_attempts": 3}, run=run)
    assert (await ran(executor, task)).output == 3


# --- cancels -------------------------------------------------------------------------------------


async def test_cancel_stops_a_running_task(executor: DurableExecutor) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def run(ctx: TaskContext) -> None:
        ctx.cancel_signal.on_cancelled(stopped.set)
        begun.set()
        await asyncio.Event().wait()

    async with patience():
        await executor.start()
        handle = await executor.enqueue_task(executor.task(id="runs", run=run))
        await begun.wait()
        assert (await handle.get_execution()).status == "running"
        assert await handle.cancel("enough")
        await stopped.wait()
        execution = await finished(handle)
    assert execution.status == "cancelled"
    assert execution.error is not None
    assert "enough" in execution.error.message


async def test_cancel_of_a_parent_reaches_its_children(executor: DurableExecutor) -> None:
    begun = asyncio.Event()

    async def run(ctx: TaskContext) -> None:
        begun.set()
        await asyncio.Event().wait()

    child = executor.task(id="child", run=run)
    parent = executor.parent_task(
        id="parent", run_parent=lambda ctx: ParentRun(None, [ChildTask(child)])
    )
    async with patience():
        await executor.start()
        handle = await executor.enqueue_task(parent)
        await begun.wait()
        waiting = await handle.get_execution()
        assert waiting.status == "waiting_for_children"
        await handle.cancel()
        assert (await finished(handle)).status == "cancelled"
        of_child = executor.get_task_handle(child, waiting.children[0].execution_id)
        assert (await finished(of_child)).status == "cancelled"


# --- children and finalizers that fail -----------------------------------------------------------


async def test_a_failed_child_ends_its_siblings_and_the_parent(executor: DurableExecutor) -> None:
    hanging = asyncio.Event()

    async def hang(ctx: TaskContext) -> None:
        hanging.set()
        await asyncio.Event().wait()

    async def fail(ctx: TaskContext, input: str) -> None:
        await hanging.wait()
        raise DurableTaskError(input, is_retryable=False)

    sibling, failing = executor.task(id="hang", run=hang), executor.task(id="fail", run=fail)
    parent = executor.parent_task(
        id="family",
        run_parent=lambda ctx: ParentRun(
            "own", [ChildTask(sibling), ChildTask(failing, "no luck")]
        ),
        on_run_and_children_complete={"id": "never", "run": same},
    )
    async with patience():
        execution = await ran(executor, parent)
        assert execution.status == "children_failed"
        (error,) = execution.children_errors
        assert (1, "fail", "no luck") == (error.index, error.task_id, error.error.message)
        assert execution.run_output == "own"
        assert execution.error is not None
        assert execution.error.message.startswith(
            f"Parent task family with execution id {execution.execution_id} failed: "
        )
        of_sibling = executor.get_task_handle(sibling, execution.children[0].execution_id)
        assert (await finished(of_sibling)).status == "cancelled"


async def test_a_failed_finalizer(executor: DurableExecutor) -> None:
    def fail(ctx: TaskContext, done: Any) -> None:
        raise ValueError("bad end")

    parent = executor.parent_task(
        id="ends_badly",
        run_parent=lambda ctx: ParentRun(1),
        on_run_and_children_complete={"id": "bad_end", "run": fail, "max_retry_attempts": 1},
    )
    execution = await ran(executor, parent)
    assert execution.status == "on_run_and_children_complete_failed"
    assert execution.on_run_and_children_complete_error is not None
    assert execution.on_run_and_children_complete_error.message == "bad end"
    assert execution.on_run_and_children_complete is not None
    finalizer = execution.on_run_and_children_complete
    assert finalizer.task_id == "bad_end"


async def test_a_run_parent_is_retried_and_fails_the_parent(executor: DurableExecutor) -> None:
    ids: list[str] = []

    async def run_parent(ctx: TaskContext) -> ParentRun[None]:
        ids.append(ctx.execution_id)
        raise RuntimeError(f"attempt {ctx.attempt}")

    parent = executor.parent_task(id="unready", max_retry_attempts=2, run_parent=run_parent)
    execution = await ran(executor, parent)
    assert ("failed", 2) == (execution.status, execution.retry_attempts)
    assert execution.error is not None
    assert execution.error.message == "attempt 2"
    assert [execution.execution_id] * 3 == ids


async def test_a_finalizer_for_all_that_ended(executor: DurableExecutor) -> None:
    async def hang(ctx: TaskContext) -> None:
        await asyncio.Event().wait()

    async def give_up(ctx: TaskContext) -> None:
        raise DurableTaskCancelledError

    def fail(ctx: TaskContext) -> None:
        raise DurableTaskError("no", is_retryable=False)

    children = [
        ChildTask(executor.task(id="good", run=same), [1]),
        ChildTask(executor.task(id="fail", run=fail)),
        ChildTask(executor.task(id="hang", timeout_ms=20, run=hang)),
        ChildTask(executor.task(id="give_up", run=give_up)),
    ]

    async def tell(ctx: TaskContext, done: FinalizeInput) -> list[Any]:
        return [(each.status, each.output, each.error is None) for each in done.children]

    parent = executor.parent_task(
        id="settles",
        run_parent=lambda ctx: ParentRun(None, children),
        finalize={"id": "tell", "run": tell},
    )
    execution = await ran(executor, parent)
    assert execution.output == [
        ["completed", [1], True],
        ["failed", None, False],
        ["timed_out", None, False],
        ["cancelled", None, False],
    ]


# --- tasks of later versions ---------------------------------------------------------------------


async def test_looping_task(executor: DurableExecutor) -> None:
    calls: list[Any] = []

    async def iterate(ctx: TaskContext, input: int) -> dict[str, Any]:
        calls.append(input)
        done = len(calls) >= input
        return {"is_done": True, "output": len(calls)} if done else {"is_done": False}

    once = executor.task(id="once", run=iterate)
    loop = executor.looping_task("loop", once, 5, sleep_ms_before_run=1)
    execution = await ran(executor, loop, 3)
    assert execution.output is not None
    assert (True, 3) == (execution.output.is_success, execution.output.output)
    assert 3 == len(execution.children)
    never = await ran(executor, executor.polling_task("short", once, 2), 99)
    assert never.output is not None
    assert not never.output.is_success


async def test_sleeping_task(executor: DurableExecutor) -> None:
    asleep = executor.sleeping_task("asleep", timeout_ms=30_000)
    short = executor.sleeping_task("short", timeout_ms=10)
    async with patience():
        await executor.start()
        handle = await executor.enqueue_task(asleep, "order 1")
        assert (await executor.enqueue_task(asleep, "order 1")).execution_id == handle.execution_id
        woken = await executor.wakeup_sleeping_task_execution(
            asleep, "order 1", {"status": "completed", "output": {"paid": True}}
        )
        assert ("completed", {"paid": True}) == (woken.status, woken.output)
        again = await executor.wakeup_sleeping_task_execution(
            asleep, "order 1", {"status": "failed", "error": "late"}
        )
        assert again == woken
        await executor.enqueue_task(asleep, "order 2")
        failed = await executor.wakeup_sleeping_task_execution(
            asleep, "order 2", {"status": "failed", "error": "not paid"}
        )
        assert failed.status == "failed"
        assert (await ran(executor, short, "x")).status == "timed_out"
        with pytest.raises(DurableTaskError, match="not found"):
            await executor.wakeup_sleeping_task_execution(
                asleep, "order 3", {"status": "completed"}
            )


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": ""}, "Id cannot be empty"),
        ({"id": "x" * 256}, "Id cannot be longer than 255 characters"),
        ({"id": "a-b"}, "Id can only contain alphanumeric characters and underscores"),
        ({"id": "taken"}, "Task taken already exists. Use unique ids for tasks"),
        ({"timeout_ms": 0}, "task t: timeout_ms must be 1 ms or more, as an int, not 0"),
        ({"timeout_ms": 1.5}, "not 1.5"),
        ({"timeout_ms": lambda attempt: -1}, r"timeout_ms\(0\) must be 1 ms or more"),
        ({"timeout_ms": lambda attempt: 1 // attempt}, r"timeout_ms\(0\) raised ZeroDivisionEr"),
        ({"sleep_ms_before_attempt": -1}, "sleep_ms_before_attempt must be 0 ms or more"),
        ({"max_retry_attempts": "3"}, "max_retry_attempts must be 0 to"),
        ({"max_retry_attempts": 1, "retry_options": {}}, "not both"),
        ({"retry_options": {"attempts": 1}}, "retry_options: .*attempts"),
        ({"run": 7}, "run of task t must be a callable"),
        ({"run": lambda: None}, "takes no context"),
        ({"run": lambda ctx, one, two: None}, "needs one, two; a task has one input"),
    ],
)
async def test_what_a_task_refuses(tmp_path: Any, options: dict[str, Any], message: str) -> None:
    executor: Any = DurableExecutor(tmp_path / "never_opened.db")
    executor.task(id="taken", run=same)
    with pytest.raises(DurableTaskError, match=message) as raised:
        executor.task(**({"id": "t", "run": same} | options))
    assert not raised.value.is_retryable


def test_an_unknown_option_is_a_type_error(tmp_path: Any) -> None:
    executor: Any = DurableExecutor(tmp_path / "never_opened.db")
    with pytest.raises(TypeError, match=r"task t: .*timeout"):
        executor.task(id="t", run=same, timeout=5)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "returned NoneType"),
        ({"children": []}, "returned a dict with children"),
        ({"output": 1, "children": [5]}, "child 0 of task bad is 5"),
        ({"output": 1, "children": [{"task": "same", "input": 5}]}, "child 0 of task bad is"),
    ],
)
async def test_what_a_run_parent_may_return(
    executor: DurableExecutor, returned: Any, message: str
) -> None:
    task: DurableTask[Any, Any] = executor.parent_task(
        id="bad", max_retry_attempts=3, run_parent=lambda ctx, input: returned
    )
    execution = await ran(executor, task, 1)
    assert ("failed", 0) == (execution.status, execution.retry_attempts)
    assert execution.error is not None
    assert message in execution.error.message


async def test_a_child_of_another_executor_fails_the_parent(make_executor: Make) -> None:
    stranger = make_executor().task(id="stranger", run=same)
    executor = make_executor()
    task: DurableTask[Any, Any] = executor.parent_task(
        id="host", run_parent=lambda ctx, input: ParentRun(1, [ChildTask(stranger, input)])
    )
    async with patience(), executor:
        execution = await ran(executor, task, 1)
    assert execution.status == "failed"
    assert execution.error is not None
    assert "Task stranger not found" in execution.error.message


def test_a_bad_concurrency_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="max_concurrent_task_executions must be 1 to"):
        DurableExecutor("never_opened.db", max_concurrent_task_executions=0)


# --- handles -------------------------------------------------------------------------------------


async def test_handles(executor: DurableExecutor) -> None:
    task = executor.task(id="same", run=same)
    other = executor.task(id="other", run=same)
    await executor.start()
    handle = await executor.enqueue_task(task, 1, execution_id="mine", priority=5)
    assert ("same", "mine") == (handle.get_task_id(), handle.get_execution_id())
    assert "mine" == handle.get_task_execution_id() == handle.execution_id
    attached = await executor.enqueue_task(task, 1, execution_id="mine")
    assert await finished(handle) == await finished(attached)
    assert await handle.get_task_execution() == await handle.wait_and_get_finished_execution()
    unknown = executor.get_task_handle(task, "unknown")
    for use in (unknown.get_execution(), unknown.wait_and_get_execution(), unknown.cancel()):
        with pytest.raises(DurableTaskError, match=r"^Execution unknown not found$"):
            await use
    with pytest.raises(DurableTaskError, match="is one of executor/same, not of task other"):
        await executor.get_task_handle(other, "mine").get_execution()
    foreign = DurableExecutor("never_opened.db").task(id="foreign", run=same)
    with pytest.raises(DurableTaskError, match="Task foreign not found"):
        await executor.enqueue_task(foreign, 1)


async def test_waits_end_by_signal_and_by_time(executor: DurableExecutor) -> None:
    task = executor.task(id="later", sleep_ms_before_attempt=3_600_000, run=same)
    handle = await executor.enqueue_task(task, 1)
    assert (await handle.get_execution()).status == "ready"
    signal = CancelSignal()
    waiting = asyncio.ensure_future(handle.wait_and_get_execution(signal=signal))
    signal.cancel()
    with pytest.raises(DurableTaskCancelledError):
        await waiting
    with pytest.raises(TimeoutError, match="it goes on"):
        await handle.wait_and_get_execution(timeout_ms=1)
    assert await handle.cancel()
    assert (await finished(handle)).status == "cancelled"


async def test_a_task_that_is_made_while_the_executor_runs(executor: DurableExecutor) -> None:
    async with patience():
        await executor.start()
        first = executor.task(id="first", run=same)
        assert (await ran(executor, first, 1)).output == 1
        second, third = (executor.task(id=id, run=same) for id in ("second", "third"))
        assert (await ran(executor, third, 3)).output == 3
        assert (await ran(executor, second, 2)).output == 2
