"""`ctx.spawn`: several tasks at once, all or nothing (semantics, section 5).

Each task is a call, a branch or a step, told by what is callable in it. All are checked before any
is issued. The first failure ends the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure.context.branch import issue_branch
from perdure.context.call import Request, issue_call, local_body, request
from perdure.context.ending import end_all
from perdure.context.future import DurableFuture
from perdure.context.run import StepOptions, issue_step
from perdure.decorators.shape import looks_durable
from perdure.definition import Definition
from perdure.registry import definition_of
from perdure_runtime.core.payload import Failure
from perdure_runtime.serde import step_input

if TYPE_CHECKING:
    from perdure.context.context import DurableContext
    from perdure_runtime.driver import CommandFuture

_FORMS = (
    "(label, callable, *args), (callable, *args) or (service, method, payload), "
    "with the arguments that the callable takes"
)


@dataclass(frozen=True, slots=True)
class _Call:
    request: Request


@dataclass(frozen=True, slots=True)
class _Branch:
    label: str | None
    function: Callable[..., Any]
    args: tuple[Any, ...]
    definition: Definition | None


@dataclass(frozen=True, slots=True)
class _Step:
    label: str | None
    function: Callable[..., Any]
    args: tuple[Any, ...]


Task = _Call | _Branch | _Step
"""What one tuple asks for, checked; nothing was issued yet."""


def check_tasks(context: DurableContext, tasks: Iterable[Any]) -> list[Task]:
    """What each tuple asks for. Raises TypeError that names the first bad one."""
    if isinstance(tasks, (str, bytes)):
        raise TypeError(f"ctx.spawn() takes a list of tuples {_FORMS}; got {tasks!r}")
    return [
        check_task(context, f"ctx.spawn(): task {number}", task)
        for number, task in enumerate(tasks)
    ]


async def run_tasks(
    context: DurableContext, tasks: list[Task], return_exceptions: bool
) -> list[Any]:
    """Issue all, wait for all, give the results in order."""
    limit = context.surroundings.spawn_limit
    admission = None if limit is None else asyncio.Semaphore(limit)
    futures = [issue_task(context, task, admission) for task in tasks]
    failed = await _wait(futures, return_exceptions)
    if failed is not None:
        return [await failed]  # raises
    return [await _settled(future, return_exceptions) for future in futures]


def check_task(context: DurableContext, where: str, task: Any) -> Task:
    """What a tuple asks for. Raises TypeError that begins with `where`."""
    if not isinstance(task, tuple):
        raise TypeError(f"{where} is {task!r}, not a tuple {_FORMS}")
    match task:
        case (str(), str(), *_):
            return _Call(request(context.surroundings, task[0], task[1:], {}))
        case (str() as label, function, *args) if callable(function):
            return _told(context, where, label, function, tuple(args))
        case (function, *args) if callable(function):
            return _told(context, where, None, function, tuple(args))
    raise TypeError(f"{where} is {task!r}; a task is {_FORMS}")


def _told(
    context: DurableContext,
    where: str,
    label: str | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> Task:
    try:
        local = local_body(function)
        if local is not None:
            unseen = (None, *args) if local.takes_context else args
            step_input(local.function, unseen, {}, label)
            return _Branch(label, local.function, args, local)
        definition = definition_of(function)
        if definition is not None and definition.is_durable:
            return _Call(request(context.surroundings, function, args, {}))
        if definition is None and looks_durable(function):
            step_input(function, (None, *args), {}, label)
            return _Branch(label, function, args, None)
        step_input(definition.function if definition else function, args, {}, label)
        return _Step(label, function, args)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{where}: {error}") from None


def issue_task(
    context: DurableContext,
    task: Task,
    admission: asyncio.Semaphore | None = None,
    reuse: bool | None = None,
) -> DurableFuture[Any]:
    """Issue what was checked.

    Args:
        admission: entered by a branch before it starts.
        reuse: whether a later attempt takes over the result; None: as the options say.
    """
    around = context.surroundings
    match task:
        case _Call(request):
            return issue_call(around, request, reuse_on_retry=reuse)
        case _Branch(label, function, args, definition):
            return issue_branch(
                context,
                function,
                args,
                {},
                name=label,
                definition=definition,
                admission=admission,
                reuse_on_retry=reuse,
            )
        case _Step(label, function, args):
            options = StepOptions(name=label, reuse_on_retry=reuse)
            return issue_step(around, function, args, {}, options)


async def _wait(
    futures: Sequence[DurableFuture[Any]], return_exceptions: bool
) -> DurableFuture[Any] | None:
    """Wait until all are done, or one failed and the others were cancelled: that one."""
    failed: list[DurableFuture[Any]] = []
    left = len(futures)
    turn = asyncio.get_running_loop().create_future()

    def done(future: DurableFuture[Any], outcome: CommandFuture) -> None:
        nonlocal left
        left -= 1
        if outcome.cancelled() or isinstance(outcome.result(), Failure):
            failed.append(future)
        if not turn.done() and (left == 0 or (failed and not return_exceptions)):
            turn.set_result(None)

    for future in futures:
        future.when_done(partial(done, future))
    try:
        if futures:
            await turn
    finally:
        await end_all([future.command for future in futures])
    return failed[0] if failed and not return_exceptions else None


async def _settled(future: DurableFuture[Any], return_exceptions: bool) -> Any:
    try:
        return await future
    except (Exception, asyncio.CancelledError) as error:
        if return_exceptions:
            return error
        raise
