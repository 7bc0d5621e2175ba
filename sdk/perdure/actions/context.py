"""`ActionContext`: what the handler of an action gets beside its input."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar, TypeVarTuple, overload

from perdure.context.log import ExecutionLogger
from perdure.context.step_context import StepContext
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.messages import Progress

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
STEP: Final = "step:"
EACH: Final = "each:"
OWN: Final = "own:"


class ActionContext:
    """Made for each run of a handler; a run after a crash or a failure knows what was recorded."""

    def __init__(self, step: StepContext) -> None:
        self._step = step
        self._loops = 0

    # --- what it is ----------------------------------------------------------------------------

    @property
    def action_id(self) -> str:
        """The id of the action."""
        return self._step.execution_id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1. A run after a crash is the same attempt."""
        return self._step.attempt

    @property
    def idempotency_key(self) -> str:
        """32 hex digits, the same in every run of the action: for systems that take such a key."""
        return self._step.idempotency_key

    @property
    def cancelled(self) -> bool:
        """Whether the action was cancelled; a coroutine is cancelled too."""
        return self._step.cancelled

    @property
    def log(self) -> ExecutionLogger:
        """A logger whose records carry the action's id."""
        return self._step.log

    # --- progress ------------------------------------------------------------------------------

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the action is; not awaited, from any thread.

        Who watches sees it at once. What comes faster than it is written is joined, and it never
        goes back: a handler that begins anew repeats what was told already.
        """
        self._step.progress(done, total, message)

    @property
    def last_progress(self) -> Progress | None:
        """`done`, `total` and `message` that were on disk when this run began."""
        return self._step.last_progress

    # --- checkpoints ---------------------------------------------------------------------------

    async def checkpoint(self, key: str, value: Any = None) -> None:
        """Record something for later runs of this action; it is on disk when this returns.

        Raises:
            SerializationError, LimitExceededError: the value cannot be encoded.
        """
        await self._step.checkpoint(OWN + check_name("checkpoint", key), value)

    @property
    def checkpoints(self) -> dict[str, Any]:
        """The last value of each key of `checkpoint`, of this run and earlier ones."""
        known = self._step.checkpoints
        return {key.removeprefix(OWN): known[key] for key in known if key.startswith(OWN)}

    @overload
    async def step(
        self, key: str, function: Callable[[*Ts], Coroutine[Any, Any, T]], /, *args: *Ts
    ) -> T: ...
    @overload
    async def step(self, key: str, function: Callable[[*Ts], T], /, *args: *Ts) -> T: ...
    async def step(self, key: str, function: Any, /, *args: object) -> Any:
        """Run a function and record its result under a key; run before, give what was recorded.

        A crash between the effect and the record runs it again. A sync function runs in a thread.
        Results come back in JSON shape where they were recorded by an earlier run.
        """
        known = self._step.checkpoints
        name = STEP + check_name("step", key)
        if name in known:
            return known[name]
        if inspect.iscoroutinefunction(function):
            result = await function(*args)
        else:
            result = await asyncio.to_thread(function, *args)
            if inspect.isawaitable(result):
                result = await result
        await self._step.checkpoint(name, result)
        return result

    async def each(self, items: Iterable[T], *, name: str | None = None) -> AsyncIterator[T]:
        """Give the items one by one; those that are done stay done over crashes and retries.

        An item counts as done, once and for all, when the loop asks for the next one; that is on
        disk before it gets it. Progress is told by itself. An item whose run a crash interrupted
        is given again. The items must be the same ones, in the same order, in every run.

        Args:
            name: of this loop in the handler; its number when None.

        Raises:
            InvalidArgumentError: there are fewer items than were done.
        """
        self._loops += 1
        key = EACH + check_name("loop", name or str(self._loops))
        todo = list(items)
        total, done = len(todo), int(self._step.checkpoints.get(key, 0))
        if done > total:
            raise InvalidArgumentError(
                f"each() has {total} items, but {done} were done in an earlier run of "
                f"{self.action_id}: give the same items in every run"
            )
        if done:
            self.progress(done, total)
        for place in range(done, total):
            yield todo[place]
            await self._step.checkpoint(key, place + 1)
            self.progress(place + 1, total)
