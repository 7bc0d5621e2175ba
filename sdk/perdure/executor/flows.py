"""Tasks made of tasks, as durable flows: a parent with its children, a sequence, a loop, a sleep.

Their bodies are replayed after a crash, so they only hand shapes from one execution to the next;
code of the user's runs in executions of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from perdure.context.context import DurableContext
from perdure.definition import Definition, Kind
from perdure.executor.errors import DurableTaskTimedOutError
from perdure.executor.task import DurableTask, first_of
from perdure.options import NO_RETRIES, Options
from perdure_runtime.core.errors import (
    CallTimeoutError,
    EventTimeoutError,
    NonRetryableError,
    RecordedError,
)
from perdure_runtime.core.limits import MAX_NAME_CHARS

CHILDREN_FAILED: Final = "ChildrenFailed"
FINALIZER_FAILED: Final = "OnRunAndChildrenCompleteFailed"
WAKEUP: Final = "wakeup"
_PARTS: Final = ".parts"
_CHECKS: Final = ".checks"
_OPTIONS: Final = Options(retry=NO_RETRIES, step_retry=NO_RETRIES)

Body = Callable[[DurableContext, Any], Coroutine[Any, Any, Any]]
Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """The services of one executor: what users enqueue, and two that only its flows call."""

    tasks: str

    @property
    def parts(self) -> str:
        """Of the `run_parent`s of parent tasks."""
        return self.tasks + _PARTS

    @property
    def checks(self) -> str:
        """Of the checks of inputs."""
        return self.tasks + _CHECKS


def flow(names: Names, task_id: str, body: Body) -> Definition:
    """A body as a worker offers it."""
    return Definition(Kind.FLOW, task_id, body, _OPTIONS, service=names.tasks, takes_context=True)


def check_of(before: DurableTask[Any, Any], task: DurableTask[Any, Any]) -> str:
    """The name of the check of what one task hands to another."""
    text = f"{before.id} {task.id}"
    return text if len(text) <= MAX_NAME_CHARS else sha256(text.encode()).hexdigest()


def parent_body(names: Names, task: DurableTask[Any, Any]) -> Body:
    """`run_parent`, then all children in parallel, then the finalizer if there is one."""
    finalizer = task.finalizer

    async def body(ctx: DurableContext, input: Any = None) -> Any:
        arrived = {"execution_id": ctx.execution_id, "input": input}
        run: Shape = await ctx.call(names.parts, task.id, arrived)
        done: Shape = {"output": run["output"]}
        if task.settles:
            done["children"] = await _settled(ctx, names, run["children"])
        else:
            done["children_outputs"] = await _completed(ctx, names, task.id, run["children"])
        if finalizer is None:
            return done
        done["input"] = input
        call = ctx.call(names.tasks, finalizer.id, done, delay=_seconds(finalizer.first_delay_ms))
        try:
            return await call
        except Exception as error:
            raise NonRetryableError(
                f"On run and children complete task {finalizer.id} with execution id "
                f"{call.execution_id} failed: {error}",
                type_name=FINALIZER_FAILED,
            ) from error

    return body


def sequence_body(names: Names, id: str, tasks: Sequence[DurableTask[Any, Any]]) -> Body:
    """One task after the other; the output of each is checked as the input of the next."""

    async def body(ctx: DurableContext, input: Any = None) -> Any:
        value = input
        for position, task in enumerate(tasks):
            if position and first_of(task).check is not None:
                value = await ctx.call(names.checks, check_of(tasks[position - 1], task), value)
            delay = _seconds(task.first_delay_ms) if position else 0.0
            call = ctx.call(names.tasks, task.id, value, delay=delay)
            value = await _one(id, task.id, call.execution_id, call)
        return value

    return body


def loop_body(
    names: Names,
    id: str,
    iteration: DurableTask[Any, Any],
    max_attempts: int,
    sleep_ms: int,
    read: Callable[[Any], tuple[bool, Any]],
) -> Body:
    """The same task again and again until it says that it is done.

    Args:
        read: makes of an iteration's output whether it was the last, and the output of the loop.
    """

    async def body(ctx: DurableContext, input: Any = None) -> Any:
        for number in range(max_attempts):
            delay = _seconds(sleep_ms if number else 0) + _seconds(iteration.first_delay_ms)
            call = ctx.call(names.tasks, iteration.id, input, delay=delay)
            found = await _one(id, iteration.id, call.execution_id, call)
            done, output = read(found)
            if done:
                return {"is_success": True, "output": output}
        return {"is_success": False, "output": None}

    return body


def sleeping_body(timeout_ms: int | None) -> Body:
    """Wait to be woken up."""

    async def body(ctx: DurableContext, input: Any = None) -> Any:
        timeout_s = None if timeout_ms is None else timeout_ms / 1000
        try:
            woken: Shape = await ctx.wait_for_event(WAKEUP, timeout=timeout_s)
        except EventTimeoutError:
            raise DurableTaskTimedOutError(is_retryable=False) from None
        if woken["status"] == "completed":
            return woken["output"]
        raise NonRetryableError(woken["error"], type_name="DurableTaskError")

    return body


async def _completed(
    ctx: DurableContext, names: Names, parent_id: str, children: list[Shape]
) -> list[Shape]:
    """Outputs of all children; the first that fails ends the others and the parent."""
    calls = [_child(ctx, names, child) for child in children]
    running = [asyncio.ensure_future(call) for call in calls]
    if running:
        await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
    failed = [each for each in running if each.done() and _error(each) is not None]
    if failed:
        for each in running:
            each.cancel()
        first = running.index(failed[0])
        task_id, execution_id = children[first]["task_id"], calls[first].execution_id
        raise NonRetryableError(
            f"Parent task {parent_id} with execution id {ctx.execution_id} failed: child task "
            f"{task_id} with execution id {execution_id}: {_error(failed[0])}",
            type_name=CHILDREN_FAILED,
        )
    return [
        {
            "index": index,
            "task_id": child["task_id"],
            "execution_id": call.execution_id,
            "output": each.result(),
        }
        for index, (child, call, each) in enumerate(zip(children, calls, running, strict=True))
    ]


async def _settled(ctx: DurableContext, names: Names, children: list[Shape]) -> list[Shape]:
    """How all children ended."""
    calls = [_child(ctx, names, child) for child in children]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    return [
        {"index": index, "task_id": child["task_id"], "execution_id": call.execution_id}
        | _outcome(result)
        for index, (child, call, result) in enumerate(zip(children, calls, ended, strict=True))
    ]


def _outcome(result: Any) -> Shape:
    if not isinstance(result, BaseException):
        return {"status": "completed", "output": result}
    if isinstance(result, asyncio.CancelledError):
        raise result
    type_name = result.type_name if isinstance(result, RecordedError) else type(result).__name__
    status = "failed"
    if isinstance(result, CallTimeoutError) or type_name == DurableTaskTimedOutError.__name__:
        status = "timed_out"
    elif type_name in ("CallError", "DurableTaskCancelledError"):  # the engine's own: no class
        status = "cancelled"
    error = {
        "error_type": "generic" if status == "failed" else status,
        "message": str(result),
        "is_retryable": False,
        "type_name": type_name,
    }
    return {"status": status, "error": error}


async def _one(id: str, task_id: str, execution_id: str, call: Awaitable[Any]) -> Any:
    try:
        return await call
    except Exception as error:
        raise NonRetryableError(
            f"Task {id} failed: task {task_id} with execution id {execution_id}: {error}",
            type_name=CHILDREN_FAILED,
        ) from error


def _child(ctx: DurableContext, names: Names, child: Shape) -> Any:
    delay = _seconds(child["delay_ms"])
    return ctx.call(names.tasks, child["task_id"], child["input"], delay=delay)


def _error(task: asyncio.Future[Any]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _seconds(ms: int) -> float:
    return ms / 1000
