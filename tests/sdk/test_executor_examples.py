"""AT3.6: the fourteen task examples of the origin's readme."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec
import pydantic
import pytest

from perdure.executor import (
    ChildTask,
    DurableExecutor,
    DurableTask,
    DurableTaskError,
    FinalizerInput,
    ParentOutput,
    ParentRun,
    ParentTaskOptions,
    TaskContext,
    TaskOptions,
)
from tests.sdk.executors import executor, make_executor, patience, ran

__all__ = ["executor", "make_executor"]


class Person(msgspec.Struct):
    name: str


async def greet(ctx: TaskContext, input: Person) -> str:
    return f"Hello, {input.name}!"


async def test_simple_sync_task(executor: DurableExecutor) -> None:
    places: list[threading.Thread] = []

    def run(ctx: TaskContext, input: Person) -> str:
        places.append(threading.current_thread())
        return f"Hello, {input.name}!"

    task = executor.task(id="syncGreet", timeout_ms=1_000, run=run)
    execution = await ran(executor, task, Person("world"))
    assert ("completed", "Hello, world!") == (execution.status, execution.output)
    assert places[0] is not threading.current_thread()


async def test_simple_async_task(executor: DurableExecutor) -> None:
    task = executor.task(id="asyncGreet", timeout_ms=5_000, run=greet)
    execution = await ran(executor, task, Person("world"))
    assert ("completed", "Hello, world!") == (execution.status, execution.output)
    assert Person("world") == execution.run_input


async def test_validate_input_task(executor: DurableExecutor) -> None:
    def validate(input: dict[str, str]) -> Person:
        if input["name"] == "":
            raise ValueError("Name is required")
        return Person(input["name"])

    task = executor.validate_input(validate).task(id="validated", timeout_ms=1_000, run=greet)
    assert (await ran(executor, task, {"name": "world"})).output == "Hello, world!"
    with pytest.raises(DurableTaskError, match=r"^Invalid input to task validated: Name is requ"):
        await executor.enqueue_task(task, {"name": ""})


async def test_input_schema_task(executor: DurableExecutor) -> None:
    class Model(pydantic.BaseModel):
        name: str = pydantic.Field(min_length=1)

    by_model = executor.input_schema(Model).task(
        id="by_model", run=lambda ctx, input: f"Hello, {input.name}!"
    )
    by_struct = executor.input_schema(Person).task(id="by_struct", run=greet)
    by_adapter = executor.input_schema(pydantic.TypeAdapter(list[int])).task(
        id="by_adapter", run=add
    )
    by_type = executor.input_schema(list[int]).task(id="by_type", run=add)
    by_callable = executor.input_schema(lambda value: [int(each) for each in value]).task(
        id="by_callable", run=add
    )
    models: list[DurableTask[Any, Any]] = [by_model, by_struct]
    for task in models:
        assert (await ran(executor, task, {"name": "world"})).output == "Hello, world!"
    lists: list[DurableTask[Any, Any]] = [by_adapter, by_callable]
    for task in lists:
        assert (await ran(executor, task, ["1", 2])).output == 3
    assert (await ran(executor, by_type, [1, 2])).output == 3
    refused: list[tuple[DurableTask[Any, Any], Any, str]] = [
        (by_model, {"name": ""}, "String should have at least 1 character\n  → at name"),
        (by_struct, {"name": 5}, "Expected `str`, got `int`\n  → at name"),
        (by_adapter, ["x"], "unable to parse string as an integer\n  → at 0"),
        (by_type, ["1"], "Expected `int`, got `str`\n  → at [0]"),
        (by_callable, ["x"], "invalid literal for int() with base 10: 'x'"),
    ]
    for task, input, message in refused:
        with pytest.raises(DurableTaskError) as raised:
            await executor.enqueue_task(task, input)
        assert str(raised.value).startswith(f"Invalid input to task {task.id}: ")
        assert str(raised.value).endswith(message)


def add(ctx: TaskContext, input: list[int]) -> int:
    return sum(input)


async def test_task_with_retries_and_sleep_before_attempt(executor: DurableExecutor) -> None:
    seen: list[tuple[int, str | None]] = []
    asked: list[int] = []

    def sleep_ms(attempt: int) -> int:
        asked.append(attempt)
        return 10 * attempt

    async def run(ctx: TaskContext) -> str:
        seen.append((ctx.attempt, ctx.prev_error.message if ctx.prev_error else None))
        if ctx.attempt < 2:
            raise RuntimeError(f"not yet {ctx.attempt}")
        return "done"

    task = executor.task(
        id="retried", max_retry_attempts=5, sleep_ms_before_attempt=sleep_ms, run=run
    )
    execution = await ran(executor, task)
    assert [(0, None), (1, "not yet 0"), (2, "not yet 1")] == seen
    assert [*range(6)] == asked  # when it is made, so that the coordinator can keep the times
    assert (execution.retry_attempts, execution.output) == (2, "done")


async def test_task_execution_context(executor: DurableExecutor) -> None:
    async def run(ctx: TaskContext) -> dict[str, Any]:
        return {
            "task_id": ctx.task_id,
            "execution_id": ctx.execution_id,
            "attempt": ctx.attempt,
            "prev_error": ctx.prev_error,
            "signals": [ctx.cancel_signal.is_cancelled(), ctx.shutdown_signal.is_cancelled()],
            "key": len(ctx.idempotency_key),
        }

    execution = await ran(executor, executor.task(id="contextual", run=run))
    assert execution.output == {
        "task_id": "contextual",
        "execution_id": execution.execution_id,
        "attempt": 0,
        "prev_error": None,
        "signals": [False, False],
        "key": 32,
    }


async def test_parent_task(executor: DurableExecutor) -> None:
    def double(ctx: TaskContext, input: int) -> int:
        return 2 * input

    child = executor.task(id="double", run=double)

    async def run_parent(ctx: TaskContext, input: int) -> ParentRun[str]:
        return ParentRun(f"own {ctx.execution_id}", [ChildTask(child, n) for n in range(input)])

    execution = await ran(executor, executor.parent_task(id="doubles", run_parent=run_parent), 3)
    assert isinstance(execution.output, ParentOutput)
    assert execution.output.output == execution.run_output == f"own {execution.execution_id}"
    outputs = execution.output.children_outputs
    assert [(0, 0), (1, 2), (2, 4)] == [(each.index, each.output) for each in outputs]
    assert [c.execution_id for c in execution.children] == [each.execution_id for each in outputs]
    handle = executor.get_task_handle(child, outputs[2].execution_id)
    of_child = await handle.get_execution()
    assert of_child.parent_task == of_child.root_task
    assert of_child.parent_task is not None
    assert of_child.parent_task.execution_id == execution.execution_id


async def test_parent_task_with_a_combined_output(executor: DurableExecutor) -> None:
    child = executor.task(id="one", run=greet)

    async def run_parent(ctx: TaskContext, input: Person) -> ParentRun[Person]:
        return ParentRun(Person("own"), [ChildTask(child, input)])

    async def combine(ctx: TaskContext, done: FinalizerInput) -> list[Any]:
        assert isinstance(done.output, Person)
        return [done.input.name, done.output.name, done.children_outputs[0].output]

    parent = executor.parent_task(
        id="combined",
        run_parent=run_parent,
        on_run_and_children_complete=TaskOptions(id="combine", timeout_ms=1_000, run=combine),
    )
    assert (await ran(executor, parent, Person("x"))).output == ["x", "own", "Hello, x!"]


async def test_a_finalizer_without_children(executor: DurableExecutor) -> None:
    async def combine(ctx: TaskContext, done: FinalizerInput) -> list[Any]:
        return [done.output, done.children_outputs]

    parent = executor.parent_task(
        id="childless",
        run_parent=lambda ctx: {"output": 1},
        on_run_and_children_complete={"id": "end", "run": combine},
    )
    assert (await ran(executor, parent)).output == [1, []]


async def test_a_finalizer_that_is_a_parent_task(executor: DurableExecutor) -> None:
    leaf: DurableTask[Any, Any] = executor.task(id="leaf", run=lambda ctx, input: input * 10)

    async def first(ctx: TaskContext, input: int) -> Any:
        return {"output": input + 1, "children": [{"task": leaf, "input": input}]}

    async def second(ctx: TaskContext, done: FinalizerInput) -> Any:
        value = done.children_outputs[0].output
        return {"output": [done.input, done.output], "children": [ChildTask(leaf, value)]}

    async def last(ctx: TaskContext, done: FinalizerInput) -> Any:
        return [done.input.input, done.output, done.children_outputs[0].output]

    parent = executor.parent_task(
        id="nested",
        run_parent=first,
        on_run_and_children_complete=ParentTaskOptions(
            id="nested_end",
            run_parent=second,
            on_run_and_children_complete={"id": "nested_last", "run": last},
        ),
    )
    assert (await ran(executor, parent, 3)).output == [3, [3, 4], 300]


async def test_sequential_tasks_by_hand(executor: DurableExecutor) -> None:
    task_c: DurableTask[Any, Any] = executor.task(id="c", run=lambda ctx, input: f"{input} c")

    async def b(ctx: TaskContext, input: str) -> Any:
        return {"output": None, "children": [{"task": task_c, "input": f"{input} b"}]}

    async def a(ctx: TaskContext) -> Any:
        return {"output": None, "children": [{"task": task_b, "input": "a"}]}

    def only_child(ctx: TaskContext, done: FinalizerInput) -> Any:
        return done.children_outputs[0].output

    task_b = executor.parent_task(
        id="b", run_parent=b, on_run_and_children_complete={"id": "b_end", "run": only_child}
    )
    task_a = executor.parent_task(
        id="a", run_parent=a, on_run_and_children_complete={"id": "a_end", "run": only_child}
    )
    assert (await ran(executor, task_a)).output == "a b c"


async def test_task_tree(executor: DurableExecutor) -> None:
    leaf: DurableTask[Any, Any] = executor.task(id="leaf", run=lambda ctx, input: 1)

    async def grow(ctx: TaskContext, input: int) -> Any:
        child = ChildTask(tree, input - 1) if input else ChildTask(leaf, 0)
        return {"output": input, "children": [child, child]}

    def count(ctx: TaskContext, done: FinalizerInput) -> int:
        return sum(int(each.output) for each in done.children_outputs)

    tree: DurableTask[int, Any] = executor.parent_task(
        id="tree", run_parent=grow, on_run_and_children_complete={"id": "count", "run": count}
    )
    assert (await ran(executor, tree, 2)).output == 8


async def test_recursive_task_count_ten(executor: DurableExecutor) -> None:
    async def run(ctx: TaskContext, input: dict[str, int]) -> Any:
        await asyncio.sleep(0)
        children = []
        if input["index"] < input["count"] - 1:
            children = [{"task": recursive, "input": input | {"index": input["index"] + 1}}]
        return {"output": None, "children": children}

    def add_one(ctx: TaskContext, done: FinalizerInput) -> int:
        return 1 + sum(int(each.output) for each in done.children_outputs)

    recursive: DurableTask[dict[str, int], Any] = executor.parent_task(
        id="recursive",
        timeout_ms=1_000,
        run_parent=run,
        on_run_and_children_complete={"id": "add_one", "timeout_ms": 1_000, "run": add_one},
    )
    execution = await ran(executor, recursive, {"index": 0, "count": 10})
    assert (execution.output, execution.status) == (10, "completed")


async def test_polling_task_by_recursion(executor: DurableExecutor) -> None:
    polls: list[int] = []

    async def poll(ctx: TaskContext, input: int) -> bool:
        polls.append(input)
        return input == 3

    poll_once = executor.task(id="poll", sleep_ms_before_attempt=5, run=poll)

    async def begin(ctx: TaskContext, input: int) -> Any:
        return {"output": input, "children": [{"task": poll_once, "input": input}]}

    async def decide(ctx: TaskContext, done: FinalizerInput) -> Any:
        if done.children_outputs[0].output:
            return {"output": {"polls": done.output}, "children": []}
        return {"output": None, "children": [{"task": polling, "input": done.output + 1}]}

    def tell(ctx: TaskContext, done: FinalizerInput) -> Any:
        return done.children_outputs[0].output if done.children_outputs else done.output

    polling: DurableTask[int, Any] = executor.parent_task(
        id="polling",
        run_parent=begin,
        on_run_and_children_complete={
            "id": "decide",
            "run_parent": decide,
            "on_run_and_children_complete": {"id": "tell", "run": tell},
        },
    )
    async with patience():
        assert (await ran(executor, polling, 1)).output == {"polls": 3}
    assert [1, 2, 3] == polls
