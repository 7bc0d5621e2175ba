"""The types that users of `perdure.executor` get; checked by `test_call_shapes.py`, never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from pydantic import BaseModel

from perdure.executor import (
    CheckedInput,
    ChildTask,
    DurableExecutor,
    DurableTask,
    FinalizerInput,
    LoopOutput,
    ParentRun,
    TaskContext,
    TaskExecution,
    TaskHandle,
)


class Model(BaseModel):
    path: str


@dataclass
class File:
    path: str


async def size(ctx: TaskContext, input: File) -> int:
    return len(input.path)


def name(ctx: TaskContext, input: Model) -> str:
    return input.path


async def tick(ctx: TaskContext) -> float:
    return 0.0


def tock(ctx: TaskContext) -> bytes:
    return b""


def to_file(text: str) -> File:
    return File(text)


async def to_file_later(text: str) -> File:
    return File(text)


async def split(ctx: TaskContext, input: File) -> ParentRun[int]:
    return ParentRun(1)


def split_at_once(ctx: TaskContext) -> dict[str, Any]:
    return {"output": 1}


async def combine(ctx: TaskContext, done: FinalizerInput) -> int:
    return len(done.children_outputs)


async def tasks(executor: DurableExecutor) -> None:
    sized = executor.task(id="size", timeout_ms=1_000, run=size)
    assert_type(sized, DurableTask[File, int])
    assert_type(executor.task(id="name", run=name), DurableTask[Model, str])
    assert_type(executor.task(id="tick", run=tick), DurableTask[None, float])
    assert_type(executor.task(id="tock", run=tock), DurableTask[None, bytes])

    @executor.task(max_retry_attempts=3, sleep_ms_before_attempt=lambda attempt: 2**attempt)
    async def decorated(ctx: TaskContext, input: list[int]) -> set[int]:
        return set(input)

    @executor.task
    def bare(ctx: TaskContext) -> str:
        return "x"

    assert_type(decorated, DurableTask[list[int], set[int]])
    assert_type(bare, DurableTask[None, str])

    handle = await executor.enqueue_task(sized, File("x"))
    assert_type(handle, TaskHandle[int])
    assert_type(await handle.get_execution(), TaskExecution[int])
    assert_type((await handle.wait_and_get_execution()).output, int | None)
    assert_type(await handle.cancel(), bool)
    assert_type(await executor.enqueue_task(bare, execution_id="x"), TaskHandle[str])
    assert_type(executor.get_task_handle(sized, "x"), TaskHandle[int])
    assert_type(executor.looping_task("loop", sized, 3), DurableTask[File, LoopOutput])
    assert_type(executor.get_running_task_execution_ids(), frozenset[str])
    await executor.enqueue_task(sized, "no file")  # type: ignore[misc]
    executor.task(id="x", run=size, timeout=3)  # type: ignore[call-overload]


def checked(executor: DurableExecutor) -> None:
    assert_type(executor.input_schema(Model), CheckedInput[Any, Model])
    assert_type(executor.input_schema(Model).task(id="a", run=name), DurableTask[Any, str])
    assert_type(executor.validate_input(to_file).task(id="b", run=size), DurableTask[str, int])
    later = executor.validate_input(to_file_later)
    assert_type(later.task(id="c", run=size), DurableTask[str, int])
    assert_type(later.parent_task(id="d", run_parent=split), DurableTask[str, Any])
    executor.input_schema(Model).task(id="e", run=size)  # type: ignore[arg-type]


def parents(executor: DurableExecutor) -> None:
    parent = executor.parent_task(
        id="parent",
        run_parent=split,
        on_run_and_children_complete={"id": "combine", "run": combine},
    )
    assert_type(parent, DurableTask[File, Any])
    assert_type(executor.parent_task(id="other", run_parent=split_at_once), DurableTask[None, Any])
    assert_type(executor.sequential_tasks(parent, parent), DurableTask[Any, Any])
    ChildTask(parent, File("x"))
