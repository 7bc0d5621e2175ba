"""`asyncio.wait`, `as_completed` and `wait_for` in slices: the same outcome in every process.

Stock `wait` and `as_completed` put their arguments into sets, so the order depends on
addresses; here it is the order of the arguments. Stock `wait_for` of Python 3.11 makes a task
where later ones make none; here it follows 3.12, so that a journal replays on either.
Outside of slices the stock functions run. Their code objects are replaced, not their names:
`from asyncio import wait` of a module imported earlier is served as well.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

from perdure_runtime.loop.slices import current
from perdure_runtime.loop.tasks import hash_of_future

_tasks: Any = asyncio.tasks


class OrderedSet(set[Any]):
    """A set that iterates, and pops, in the order it was made in; later additions come last."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._order = dict.fromkeys(items)
        super().__init__(self._order)

    def __iter__(self) -> Iterator[Any]:
        known = [item for item in self._order if item in self]
        return iter([*known, *(item for item in set.__iter__(self) if item not in self._order)])

    def pop(self) -> Any:
        """Remove and return the first item. Raises KeyError when empty."""
        for item in self:
            self.remove(item)
            return item
        raise KeyError("pop from an empty set")


class Completions:
    """What `as_completed` returns in a slice; an iterator of both kinds, as from Python 3.13 on."""

    def __init__(self, awaitables: Iterable[Any], timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._done: asyncio.Queue[Any] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        futures = [asyncio.ensure_future(item, loop=loop) for item in dict.fromkeys(awaitables)]
        self._waiting = dict.fromkeys(futures)
        self._left = len(self._waiting)
        for future in self._waiting:
            future.add_done_callback(self._completed)
        if self._waiting and timeout is not None:
            self._timer = loop.call_later(timeout, self._timed_out)

    def __aiter__(self) -> Completions:
        return self

    def __iter__(self) -> Completions:
        return self

    async def __anext__(self) -> Any:
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return await self._next_done()

    def __next__(self) -> Any:
        if not self._left:
            raise StopIteration
        self._left -= 1
        return self._next_result()

    def _timed_out(self) -> None:
        for future in self._waiting:
            future.remove_done_callback(self._completed)
            self._done.put_nowait(None)
        self._waiting.clear()

    def _completed(self, future: asyncio.Future[Any]) -> None:
        if future not in self._waiting:
            return  # the timeout was first
        del self._waiting[future]
        self._done.put_nowait(future)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()

    async def _next_done(self) -> Any:
        future = await self._done.get()
        if future is None:
            raise TimeoutError
        return future

    async def _next_result(self) -> Any:
        return (await self._next_done()).result()


def _copy_of(function: Any) -> Any:
    """Return a function with the code that `function` has now."""
    copy = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


_stock_wait = _copy_of(asyncio.wait)
_stock_as_completed = _copy_of(asyncio.as_completed)
_stock_wait_for = _copy_of(asyncio.wait_for)


async def _perdure_wait(fs: Any, timeout: float | None, return_when: str) -> Any:
    if current.loop is None:
        return await _stock_wait(fs, timeout=timeout, return_when=return_when)
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"expect a list of futures, not {type(fs).__name__}")
    # Truth is asked of `fs` itself, as in stock: a generator is no empty collection.
    if not fs:
        raise ValueError("Set of Tasks/Futures is empty.")
    if return_when not in ("FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"):
        raise ValueError(f"Invalid return_when value: {return_when}")
    futures = list(dict.fromkeys(fs))
    if any(asyncio.iscoroutine(future) for future in futures):
        raise TypeError("Passing coroutines is forbidden, use tasks explicitly.")
    done, _ = await _tasks._wait(futures, timeout, return_when, asyncio.get_running_loop())
    return (
        OrderedSet(future for future in futures if future in done),
        OrderedSet(future for future in futures if future not in done),
    )


def _perdure_as_completed(fs: Any, timeout: float | None) -> Any:
    if current.loop is None:
        return _stock_as_completed(fs, timeout=timeout)
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"expects an iterable of awaitables, not {type(fs).__name__}")
    return Completions(fs, timeout)


async def wait_for_as_in_3_12(awaitable: Any, timeout: float | None) -> Any:
    """Await with a timeout in seconds, without a task of its own. Raises TimeoutError."""
    if timeout is not None and timeout <= 0:
        future = asyncio.ensure_future(awaitable)
        if future.done():
            return future.result()
        await _tasks._cancel_and_wait(future, loop=asyncio.get_running_loop())
        try:
            return future.result()
        except asyncio.CancelledError as error:
            raise TimeoutError from error
    async with asyncio.timeout(timeout):
        return await awaitable


async def _perdure_wait_for(awaitable: Any, timeout: float | None) -> Any:
    if current.loop is None:
        return await _stock_wait_for(awaitable, timeout)
    return await wait_for_as_in_3_12(awaitable, timeout)


# The code of these runs in the globals of asyncio.tasks, hence the unusual names above.
async def _wait(fs: Any, *, timeout: Any = None, return_when: Any = "ALL_COMPLETED") -> Any:
    return await _perdure_wait(fs, timeout, return_when)


def _as_completed(fs: Any, *, timeout: Any = None) -> Any:
    return _perdure_as_completed(fs, timeout)


async def _wait_for(fut: Any, timeout: Any) -> Any:
    return await _perdure_wait_for(fut, timeout)


def _hash_of_gathering(future: Any) -> int:
    if hasattr(future.get_loop(), "owner"):
        return hash_of_future(future)
    return object.__hash__(future)


def install() -> None:
    """Replace the code of the stock functions; call it once per process."""
    _tasks._perdure_wait = _perdure_wait
    _tasks._perdure_as_completed = _perdure_as_completed
    _tasks.wait.__code__ = _wait.__code__
    _tasks.as_completed.__code__ = _as_completed.__code__
    if sys.version_info < (3, 12):
        _tasks._perdure_wait_for = _perdure_wait_for
        _tasks.wait_for.__code__ = _wait_for.__code__
    _tasks._GatheringFuture.__hash__ = _hash_of_gathering
