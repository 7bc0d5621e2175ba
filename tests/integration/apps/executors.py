"""One of several executors that share a storage, and do what their standard input says.

    python -m tests.integration.apps.executors STORAGE

Says `open PID` when it runs tasks. Lines of its input: `start N` enqueues so many tasks under ids
that all processes share, waits for them, and says `done SUM`; `end` shuts it down.
"""

import asyncio
import os
import sys

from perdure.executor import ChildTask, DurableExecutor, FinalizerInput, ParentRun, TaskContext
from tests.integration.apps.witness import witness

FAMILIES = 10  # every so manyth task has children


async def square(ctx: TaskContext, input: int) -> int:
    """An effect outside the engine that takes a moment."""
    witness("square")
    await asyncio.sleep(0.005)
    return input * input


def negate(ctx: TaskContext, input: int) -> int:
    """Another one, in a thread."""
    witness("negate")
    return -input


async def family(ctx: TaskContext, input: int) -> ParentRun[int]:
    """Its children's outputs sum up to what `square` gives."""
    witness("family")
    return ParentRun(
        input, [ChildTask(SQUARE, input), ChildTask(TWICE, input), ChildTask(TWICE, input)]
    )


async def add(ctx: TaskContext, done: FinalizerInput) -> int:
    """The finalizer."""
    witness("add")
    first, second, third = done.children_outputs
    return int(first.output + second.output - third.output)


def say(text: str) -> None:
    """One line of answer."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def one(number: int) -> int:
    """Enqueue one, or attach to it, and wait."""
    task = FAMILY if number % FAMILIES == 0 else SQUARE
    handle = await EXECUTOR.enqueue_task(task, number, execution_id=f"task-{number}")
    execution = await handle.wait_and_get_execution()
    assert execution.output is not None, execution
    return int(execution.output)


async def main() -> None:
    """See the module."""
    await EXECUTOR.start()
    say(f"open {os.getpid()}")
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while (line := (await reader.readline()).decode().split()) and line[0] != "end":
        say(f"done {sum(await asyncio.gather(*map(one, range(int(line[1])))))}")
    await EXECUTOR.shutdown()


if __name__ == "__main__":
    EXECUTOR = DurableExecutor(sys.argv[1], max_concurrent_task_executions=20)
    SQUARE = EXECUTOR.task(id="square", run=square)
    TWICE = EXECUTOR.sequential_tasks(
        EXECUTOR.task(id="negate", run=negate), EXECUTOR.task(id="negate_again", run=negate)
    )
    FAMILY = EXECUTOR.parent_task(
        id="family", run_parent=family, on_run_and_children_complete={"id": "add", "run": add}
    )
    asyncio.run(main())
