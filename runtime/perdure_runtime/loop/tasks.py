"""Tasks and futures of a deterministic loop: C-accelerated, with a stable hash and a lineage.

Sets and dicts of them iterate in the same order in every process. A task can be interrupted
by any exception, which asyncio's own `cancel` cannot do. Nothing here schedules anything.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from types import CoroutineType
from typing import Any

from perdure_runtime.loop.lineage import Node, owner_of_context


class Interruptible:
    """A coroutine around a coroutine that can exchange a cancellation for another exception.

    asyncio's C task throws only `CancelledError` of its own accord. `send` is the inner
    coroutine's own bound method, so the way through here costs no Python frame.
    """

    __slots__ = ("coroutine", "send", "signal")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine
        self.send = coroutine.send
        self.signal: BaseException | None = None

    def throw(self, *error: Any) -> Any:
        """Throw `signal` into the coroutine if there is one, else what asyncio asks for."""
        signal = self.signal
        if signal is None:
            return self.coroutine.throw(*error)
        self.signal = None
        return self.coroutine.throw(signal)

    def close(self) -> None:
        """Close the inner coroutine."""
        self.coroutine.close()

    def __await__(self) -> Any:
        return self.coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        # cr_frame, cr_code, __qualname__: asyncio's reprs and stacks then show the user's code.
        return getattr(self.coroutine, name)


Coroutine.register(Interruptible)


class Task(asyncio.Task[Any]):
    """A task with a lineage. Made by `DeterministicLoop.create_task` only."""

    node: Node
    interruptible: Interruptible

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        loop: asyncio.AbstractEventLoop,
        node: Node,
        name: object = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> None:
        if type(coroutine) is not CoroutineType and not asyncio.iscoroutine(coroutine):
            raise TypeError(f"a coroutine was expected, got {coroutine!r}")
        self.node = node
        self.interruptible = Interruptible(coroutine)
        if context is None:
            context = contextvars.copy_context()
            context.run(owner_of_context.set, node)
        # asyncio would count "Task-N" over the whole process: another name in every replay.
        task_name = f"Task-{node.lineage}" if name is None else str(name)
        wrapped: Any = self.interruptible
        super().__init__(wrapped, loop=loop, name=task_name, context=context, **options)

    def __hash__(self) -> int:
        return self.node.key

    def get_coro(self) -> Any:
        """Return the coroutine that was given to `create_task`."""
        return self.interruptible.coroutine

    def interrupt(self, signal: BaseException) -> None:
        """Raise `signal` at the task's current await; nothing happens if the task is done.

        The task may catch it, as any exception.
        """
        if not self.done():
            self.interruptible.signal = signal
            self.cancel()

    def abandon(self) -> None:
        """End a task that does not let itself be ended: its coroutine is closed by force."""
        for _ in range(_CLOSE_TRIES):
            try:
                self.interruptible.close()
            except BaseException:
                continue
            break
        # Past Task.cancel, which only asks: this ends the future itself.
        asyncio.Future.cancel(self)


_CLOSE_TRIES = 100


def hash_of_future(future: Any) -> int:
    """Return the stable hash of a future that belongs to a deterministic loop.

    It is allotted when first asked for: most futures are never hashed.
    """
    # Not by __dict__: futures of asyncio's C type have attributes, but show no dict.
    key: int | None = getattr(future, "_perdure_key", None)
    if key is None:
        key = future._perdure_key = future.get_loop().owner.next_future_key()
    return key


class Future(asyncio.Future[Any]):
    """A future with a stable hash. Made by `DeterministicLoop.create_future`."""

    __hash__ = hash_of_future
