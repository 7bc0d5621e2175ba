"""Cancellation of a body: delivered by cancelling its root task, again if it was swallowed.

A swallowed cancellation is delivered again at the next await (semantics, section 8), but `finally`
and `except` blocks that handle one may use the context in peace. Whether a suspended task still
handles one is read off its coroutines: an interpreter keeps the exception being handled on the
frame, where `gc.get_referents` shows it. That depends on the code alone, never on the collector.
"""

from __future__ import annotations

import asyncio
import gc
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

from perdure_runtime.loop import Task

MAX_DELIVERIES: Final = 100
_SUSPENDED: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)


class Cancellation:
    """A cancellation that was delivered to the root task."""

    def __init__(self, root: Task) -> None:
        self._root = root
        self._left = MAX_DELIVERIES
        self._waiter: object = None
        self._deliver()

    def deliver_again(self) -> bool:
        """Cancel once more if the root swallowed the cancellation; return whether it did.

        Bounded: a body that never ends is ended by the grace of its coordinator.
        """
        root = self._root
        if root.done() or not self._left:
            return False
        if _waiter_of(root) is self._waiter:  # it waits for what it awaited to be cancelled
            return False
        if is_handling_cancel(root):
            return False
        self._deliver()
        return True

    def _deliver(self) -> None:
        self._left -= 1
        self._waiter = _waiter_of(self._root)
        self._root.cancel()


def _waiter_of(task: Any) -> object:
    return task._fut_waiter


def is_handling_cancel(task: Task) -> bool:
    """Whether a suspended task is in an `except` or `finally` block entered by a cancellation."""
    suspended: Any = task.get_coro()
    while suspended is not None:
        for referent in gc.get_referents(suspended):
            if isinstance(referent, BaseException) and _comes_from_cancel(referent):
                return True
        suspended = _awaited_by(suspended)
    return False


def _comes_from_cancel(error: BaseException) -> bool:
    seen: BaseException | None = error
    for _ in range(MAX_DELIVERIES):
        if seen is None:
            return False
        if isinstance(seen, asyncio.CancelledError):
            return True
        seen = seen.__context__
    return False


def _awaited_by(suspended: Any) -> Any:
    match suspended:
        case CoroutineType():
            inner = suspended.cr_await
        case AsyncGeneratorType():
            inner = suspended.ag_await
        case GeneratorType():
            inner = suspended.gi_yieldfrom
        case _:
            inner = None
    if inner is None or isinstance(inner, _SUSPENDED):
        return inner
    # asend() and athrow() objects of an async generator hold it without saying so.
    for referent in gc.get_referents(inner):
        if isinstance(referent, AsyncGeneratorType):
            return referent
    return None
