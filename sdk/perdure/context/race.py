"""`ctx.race`: several at once, the first to end counts (semantics, section 5).

"First" is by the recorded order of deliveries, so a replay has the same winner. The others are
cancelled and have ended when the race returns.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure.context.ending import AnyFuture, end_all
from perdure.context.future import DurableFuture
from perdure.context.shield import future_of
from perdure.context.spawn import Task, check_task, issue_task

if TYPE_CHECKING:
    from perdure.context.context import DurableContext

_WHERE = "ctx.race()"


def check_contenders(
    context: DurableContext, contenders: Sequence[Any]
) -> list[Task | Awaitable[Any]]:
    """Tuples as `ctx.spawn` takes them, and awaitables. Raises TypeError for anything else."""
    if not contenders:
        raise TypeError(f"{_WHERE} needs at least one contender")
    try:
        return [
            each
            if inspect.isawaitable(each)
            else check_task(context, f"{_WHERE}: contender {number}", each)
            for number, each in enumerate(contenders)
        ]
    except TypeError:
        for each in contenders:
            if inspect.iscoroutine(each):
                each.close()
        raise


async def run_race(context: DurableContext, contenders: list[Task | Awaitable[Any]]) -> Any:
    """Issue all, wait for the first that ends, end the others, give its value or raise."""
    awaitables: list[Awaitable[Any]] = [
        each if inspect.isawaitable(each) else issue_task(context, each) for each in contenders
    ]
    futures = [future_of(each) for each in awaitables]
    won: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for number, future in enumerate(futures):
        future.add_done_callback(partial(_ended, won, number))
    try:
        winner = await won
    finally:
        await end_all(futures)
    awaitable = awaitables[winner]
    return await (awaitable if isinstance(awaitable, DurableFuture) else futures[winner])


def _ended(won: asyncio.Future[int], number: int, future: AnyFuture) -> None:
    if not won.done():
        won.set_result(number)
