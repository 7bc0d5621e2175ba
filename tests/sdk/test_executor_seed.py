"""AT3.1 to AT3.5: the page of the durable executor, by its headings."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.errors import PerdureError
from perdure.executor import (
    DurableExecutor,
    DurableTask,
    DurableTaskError,
    TaskContext,
    TaskStatus,
)
from tests.sdk.executors import Make, executor, finished, make_executor, patience, ran
from tests.seeds.durable_executor import INPUT, OUTPUT, SEED_INPUT, create_tasks, program

__all__ = ["executor", "make_executor"]


class Recorder:
    """A logger and a serializer that note what passes."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def debug(self, message: str) -> None:
        self.lines.append(("debug", message))

    def info(self, message: str) -> None:
        self.lines.append(("info", message))

    def error(self, message: str) -> None:
        self.lines.append(("error", message))

    def serialize(self, value: Any) -> str:
        text = "j" + json.dumps(value, default=list)
        self.texts.append(text)
        return text

    def deserialize(self, text: str) -> Any:
        assert text.startswith("j")
        return json.loads(text[1:])


# --- AT3.1 ---------------------------------------------------------------------------------------


async def test_class_example_with_the_input_of_the_page(make_executor: Make) -> None:
    with pytest.raises(DurableTaskError, match=r"^Invalid input to task uploadFile: ") as raised:
        await program(make_executor(), SEED_INPUT)
    assert str(raised.value).endswith("× Field required\n  → at upload_url")  # noqa: RUF001
    assert not raised.value.is_retryable


async def test_class_example_with_a_whole_input(make_executor: Make) -> None:
    async with patience():
        first, last = await program(make_executor(), INPUT)
    assert not first.is_finished or first == last
    assert last.status == "completed"
    assert last.output == OUTPUT
    assert last.run_output == {key: OUTPUT[key] for key in ("file_path", "upload_url", "file_size")}
    assert ["extractFileTitle", "summarizeFile"] == [child.task_id for child in last.children]
    assert last.on_run_and_children_complete is not None
    assert last.on_run_and_children_complete.task_id == "onUploadFileAndChildrenComplete"
    assert last.error is None
    assert last.finished_at is not None
    assert last.created_at <= last.finished_at


async def test_cancel_after_the_end_changes_nothing(executor: DurableExecutor) -> None:
    tasks = create_tasks(executor)
    await executor.start()
    handle = await executor.enqueue_task(tasks.upload_file, INPUT)
    assert (await finished(handle)).status == "completed"
    assert not await handle.cancel()
    assert (await handle.get_execution()).status is TaskStatus.COMPLETED


async def test_a_bad_input_of_a_child_fails_the_parent(executor: DurableExecutor) -> None:
    tasks = create_tasks(executor)
    execution = await ran(executor, tasks.upload_file, INPUT | {"file_path": "file.exe"})
    assert execution.status == "failed"
    assert execution.error is not None
    assert execution.error.message == "Invalid input to task summarizeFile: Invalid file path"
    assert not execution.error.is_retryable
    assert () == execution.children


# --- AT3.2 ---------------------------------------------------------------------------------------


async def test_shutdown_in_the_order_of_the_page(make_executor: Make) -> None:
    executor = make_executor()
    events: list[str] = []
    begun = asyncio.Event()

    @executor.task
    async def watching(ctx: TaskContext) -> str:
        begun.set()
        await ctx.shutdown_signal.wait()
        try:
            await executor.enqueue_task(watching)
        except DurableTaskError as error:
            events.append(str(error))
        events.append("finished")
        return "done"

    async with patience():
        await executor.start()
        handle = await executor.enqueue_task(watching)
        await begun.wait()
        assert {handle.execution_id} == executor.get_running_task_execution_ids()
        await asyncio.gather(executor.shutdown(), executor.shutdown())
        events.append("shut down")
    assert ["Executor shutdown", "finished", "shut down"] == events
    for use in (executor.start(), executor.enqueue_task(watching), handle.get_execution()):
        with pytest.raises(DurableTaskError, match="Executor shutdown"):
            await use
    with pytest.raises(DurableTaskError, match="Executor shutdown"):
        executor.task(id="later", run=watching_nothing)
    async with make_executor() as another:  # what ran was recorded before the storage was left
        again = another.task(id="watching", run=watching_nothing)
        execution = await finished(another.get_task_handle(again, handle.execution_id))
        assert ("completed", "done") == (execution.status, execution.output)


async def watching_nothing(ctx: TaskContext) -> str:
    return "nothing"


async def test_shutdown_of_what_was_never_started(make_executor: Make) -> None:
    executor = make_executor()
    await executor.shutdown()
    await executor.shutdown()


async def test_shutdown_of_what_could_not_be_opened(tmp_path: Path) -> None:
    executor = DurableExecutor(tmp_path)  # a directory
    with pytest.raises(PerdureError):
        await executor.start()
    await executor.shutdown()


async def test_a_grace_cuts_off_what_runs_longer_and_another_takes_it_over(
    make_executor: Make,
) -> None:
    first, second = make_executor(), make_executor()
    begun = asyncio.Event()

    async def stubborn(ctx: TaskContext) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    async def willing(ctx: TaskContext) -> int:
        return ctx.attempt

    async with patience():
        await first.start()
        handle = await first.enqueue_task(first.task(id="long", run=stubborn))
        await begun.wait()
        await first.shutdown(grace_ms=10)
        async with second:
            task = second.task(id="long", run=willing)
            execution = await finished(second.get_task_handle(task, handle.execution_id))
    assert ("completed", 0) == (execution.status, execution.output)  # the same attempt, again


# --- AT3.3 ---------------------------------------------------------------------------------------


async def test_sharing_storage_distributes_the_work(make_executor: Make) -> None:
    ran_on: dict[str, list[int]] = {}
    both = asyncio.Event()

    def prepared(number: int) -> tuple[DurableExecutor, DurableTask[int, int]]:
        executor = make_executor()

        async def square(ctx: TaskContext, input: int) -> int:
            ran_on.setdefault(ctx.execution_id, []).append(number)
            if len({place for places in ran_on.values() for place in places}) == 2:
                both.set()
            await both.wait()
            return input * input

        return executor, executor.task(id="square", run=square)

    (first, task), (second, _) = prepared(0), prepared(1)
    async with patience(), first, second:
        handles = await asyncio.gather(*(first.enqueue_task(task, n) for n in range(250)))
        executions = await asyncio.gather(*map(finished, handles))
    assert [n * n for n in range(250)] == [each.output for each in executions]
    assert all(len(places) == 1 for places in ran_on.values())


async def test_a_task_that_an_executor_lacks_waits_for_one_that_has_it(
    make_executor: Make,
) -> None:
    old, new = make_executor(), make_executor()

    async def known(ctx: TaskContext) -> str:
        return "known"

    async def added(ctx: TaskContext) -> str:
        return "added"

    known_task = old.task(id="known", run=known)
    new.task(id="known", run=known)
    added_task = new.task(id="added", run=added)
    async with patience(), old:
        handle = await new.enqueue_task(added_task)  # the new one is not started
        assert (await ran(old, known_task)).output == "known"
        assert (await handle.get_execution()).status == "ready"
        async with new:
            assert (await finished(handle)).output == "added"


# --- AT3.4 ---------------------------------------------------------------------------------------


async def test_sequential_tasks(executor: DurableExecutor) -> None:
    checked = executor.validate_input(str.strip)
    add = executor.task(id="add", run=lambda_named("add", lambda n: f" {n + 1} "))
    count = checked.task(id="count", run=lambda_named("count", len))
    square = executor.task(id="square", run=lambda_named("square", lambda n: n * n))
    with pytest.raises(DurableTaskError, match="No tasks provided"):
        executor.sequential_tasks()
    assert executor.sequential_tasks(add) is add
    three = executor.sequential_tasks(add, count, square)
    assert executor.sequential_tasks(add, count, square) is three
    execution = await ran(executor, three, 99)
    assert (9, "completed") == (execution.output, execution.status)
    assert ["add", "count", "square"] == [child.task_id for child in execution.children]


async def test_a_sequence_goes_on_in_another_executor(make_executor: Make) -> None:
    first, second = make_executor(), make_executor()
    begun = asyncio.Event()
    opened: list[int] = []

    async def open_file(ctx: TaskContext, input: int) -> int:
        opened.append(input)
        return input + 1

    async def stuck(ctx: TaskContext, input: int) -> int:
        begun.set()
        await asyncio.Event().wait()
        return input

    async def add_one(ctx: TaskContext, input: int) -> int:
        return input + 1

    def tasks(executor: DurableExecutor, middle: Any) -> DurableTask[Any, Any]:
        return executor.sequential_tasks(
            executor.task(id="open", run=open_file),
            executor.task(id="middle", run=middle),
            executor.task(id="last", run=add_one),
        )

    async with patience():
        await first.start()
        handle = await first.enqueue_task(tasks(first, stuck), 1)
        await begun.wait()
        await first.shutdown(grace_ms=0)
        async with second:
            again = second.get_task_handle(tasks(second, add_one), handle.execution_id)
            execution = await finished(again)
    assert ("completed", 4) == (execution.status, execution.output)
    assert [1] == opened


async def test_a_failing_task_ends_its_sequence(executor: DurableExecutor) -> None:
    def refuse(ctx: TaskContext, input: int) -> int:
        raise DurableTaskError(f"no {input}", is_retryable=False)

    first = executor.task(id="same", run=lambda_named("same", lambda n: n))
    second = executor.task(id="refuse", run=refuse)
    execution = await ran(executor, executor.sequential_tasks(first, second, first), 7)
    assert execution.status == "children_failed"
    (error,) = execution.children_errors
    assert (1, "refuse", "no 7") == (error.index, error.task_id, error.error.message)


def lambda_named(name: str, function: Any) -> Any:
    def run(ctx: TaskContext, input: Any) -> Any:
        return function(input)

    run.__name__ = name
    return run


# --- AT3.5 ---------------------------------------------------------------------------------------


async def test_options_serializer_and_logger(make_executor: Make) -> None:
    recorder = Recorder()
    executor = make_executor(
        serializer=recorder, logger=recorder, enable_debug=True, expire_ms=5_000
    )

    async def pair(ctx: TaskContext, input: Any) -> Any:
        return {"output": input, "children": [{"task": twice, "input": input}]}

    twice = executor.task(id="twice", run=lambda_named("twice", lambda value: [value, value]))
    parent = executor.parent_task(id="pair", run_parent=pair)
    both = executor.sequential_tasks(twice, parent)
    async with patience(), executor:
        assert (await ran(executor, twice, "x")).output == ["x", "x"]
        output: Any = (await ran(executor, both, "x")).output
        assert output.output == ["x", "x"]
        assert output.children_outputs[0].output == [["x", "x"]] * 2
    assert 'j"x"' in recorder.texts
    assert {"debug", "info"} == {level for level, _ in recorder.lines}
    assert executor.expire_ms == 5_000


async def test_options_without_debug(make_executor: Make) -> None:
    recorder = Recorder()
    executor = make_executor(logger=recorder, expire_ms=-1)
    async with patience(), executor:
        await ran(executor, executor.task(id="same", run=lambda_named("same", str)), 1)
    assert {"info"} == {level for level, _ in recorder.lines}
    assert executor.expire_ms == 60_000


async def test_the_default_logger(make_executor: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "perdure.executor"):
        async with make_executor():
            pass
    assert any("executor started" in record.message for record in caplog.records)


@pytest.mark.parametrize("storage", [None, "", 7])
def test_a_bad_storage_is_refused(storage: Any) -> None:
    with pytest.raises(DurableTaskError, match="storage is a path"):
        DurableExecutor(storage)


async def test_an_open_client_as_storage(tmp_path: Path) -> None:
    """The client's own runtime runs the services."""
    services: list[Any] = []
    async with perdure.embedded(tmp_path / "perdure.db", services=services) as runtime:
        executor = DurableExecutor(runtime.client)
        task = executor.task(id="same", run=lambda_named("same", lambda value: value))
        services.extend(executor.services)
        await executor.start()
        handle = await executor.enqueue_task(task, 5)
        async with patience():
            assert (await finished(handle)).output == 5
        await executor.shutdown()
        assert await runtime.client.get(handle.execution_id).result() == 5


async def test_what_an_executor_runs_is_an_execution_like_any_other(tmp_path: Path) -> None:
    executor = DurableExecutor(tmp_path / "perdure.db")
    tasks = create_tasks(executor)
    await ran(executor, tasks.upload_file, INPUT)
    await executor.shutdown()
    async with perdure.embedded(tmp_path / "perdure.db", services=[], ambient=False) as runtime:
        targets = [info.target async for info in runtime.client.list(status="completed")]
    assert 5 == len(targets)
    assert "executor/uploadFile" in targets
    assert issubclass(DurableTaskError, PerdureError)
