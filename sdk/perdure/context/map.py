"""`ctx.map`: one function over many items, with limits on what runs and on what may fail.

Items are issued in their order, the next one when an earlier one has ended; what counts as enough
or as too much is decided in the recorded order of deliveries, so a replay decides the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from perdure.context.ending import AnyFuture, end_all
from perdure.context.future import DurableFuture
from perdure.context.spawn import Task, check_task, issue_task
from perdure.option_checks import check_count
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.payload import Failure

if TYPE_CHECKING:
    from perdure.context.context import DurableContext

T = TypeVar("T")

_WHERE = "ctx.map()"


class MapResult(list[T]):
    """One element per item, in the order of the items: its result; where failures are tolerated
    also the exception it failed with, or a `CancelledError` where the result was not needed."""

    @property
    def succeeded(self) -> list[T]:
        """The results alone."""
        return [each for each in self if not isinstance(each, BaseException)]

    @property
    def failed(self) -> dict[int, Exception]:
        """What the failed items raised, by their position."""
        return {number: each for number, each in enumerate(self) if isinstance(each, Exception)}


@dataclass(frozen=True, slots=True)
class Limits:
    """Checked numbers of one map.

    Args:
        at_a_time: how many items run at once; None for all.
        enough: results after which the rest is not needed.
        tolerated: failures that are put into the result instead of being raised.
    """

    at_a_time: int | None
    enough: int
    tolerated: int


def check_map(
    context: DurableContext,
    function: Any,
    items: Iterable[Any],
    max_concurrency: int | None,
    min_successful: int | None,
    tolerated_failures: int | None,
) -> tuple[list[Task], Limits]:
    """The tasks and limits of a map. Raises TypeError or InvalidArgumentError; nothing runs."""
    if isinstance(items, (str, bytes)):
        raise TypeError(f"{_WHERE} takes a collection of items; got {items!r}")
    form = function if isinstance(function, tuple) else (function,)
    tasks = [
        check_task(context, f"{_WHERE}: item {number}", (*form, item))
        for number, item in enumerate(items)
    ]
    if max_concurrency is not None:
        check_count(_WHERE, "max_concurrency", max_concurrency, minimum=1)
    if min_successful is not None:
        check_count(_WHERE, "min_successful", min_successful, minimum=1)
        if min_successful > len(tasks):
            raise InvalidArgumentError(
                f"{_WHERE}: min_successful is {min_successful}, but there are {len(tasks)} items"
            )
    if tolerated_failures is not None:
        check_count(_WHERE, "tolerated_failures", tolerated_failures, minimum=0)
        tolerated = tolerated_failures
    else:
        tolerated = 0 if min_successful is None else len(tasks) - min_successful
    return tasks, Limits(
        max_concurrency or context.surroundings.spawn_limit,
        len(tasks) if min_successful is None else min_successful,
        tolerated,
    )


async def run_map(context: DurableContext, tasks: list[Task], limits: Limits) -> MapResult[Any]:
    """Run until enough succeeded, too many failed, or all have ended."""
    window = _Window(context, tasks, limits.at_a_time or len(tasks))
    failures = successes = 0
    try:
        while successes < limits.enough and (ended := await window.next()) is not None:
            if _failed(ended):
                failures += 1
            else:
                successes += 1
            if failures > limits.tolerated:
                await ended  # raises
    finally:
        await end_all([future.command for future in window.issued])
    return MapResult([await _settled(future) for future in window.issued] + window.left())


class _Window:
    """Keeps so many items running; tells which one ended next."""

    def __init__(self, context: DurableContext, tasks: list[Task], size: int) -> None:
        self._context = context
        self._tasks = tasks
        self._size = size
        self._ended: deque[DurableFuture[Any]] = deque()
        self._turn: asyncio.Future[None] | None = None
        self._running = 0
        self.issued: list[DurableFuture[Any]] = []

    async def next(self) -> DurableFuture[Any] | None:
        """The next item that ends; None when all have."""
        while self._running < self._size and len(self.issued) < len(self._tasks):
            future = issue_task(self._context, self._tasks[len(self.issued)])
            self.issued.append(future)
            self._running += 1
            future.when_done(partial(self._done, future))
        if not self._ended:
            if not self._running:
                return None
            self._turn = asyncio.get_running_loop().create_future()
            await self._turn
        return self._ended.popleft()

    def left(self) -> list[Any]:
        """What stands for the items that were never issued."""
        return [asyncio.CancelledError() for _ in self._tasks[len(self.issued) :]]

    def _done(self, future: DurableFuture[Any], command: AnyFuture) -> None:
        self._running -= 1
        self._ended.append(future)
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)


def _failed(future: DurableFuture[Any]) -> bool:
    command = future.command
    return command.cancelled() or isinstance(command.result(), Failure)


async def _settled(future: DurableFuture[Any]) -> Any:
    try:
        return await future
    except (Exception, asyncio.CancelledError) as error:
        return error
