"""`ctx.saga`: commands with compensations, undone in reverse when the block fails or is cancelled.

Each compensation is a recorded branch of its own, run once to its end over crashes, in the grace of
a cancellation too. From its first success on, later attempts issue what it undid anew, under
another key; a compensation itself is never taken over (semantics, section 2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from perdure.context.ending import outlast, until_done
from perdure.context.future import DurableFuture
from perdure.context.undoing import undo
from perdure_runtime.core.errors import CompensationError
from perdure_runtime.core.payload import Failure

if TYPE_CHECKING:
    from perdure.context.context import DurableContext

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Compensation:
    command: DurableFuture[Any]
    function: Callable[[Any], Any]
    result: Any


class Saga:
    """Made by `ctx.saga()`; use it as `async with ctx.saga() as saga`."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context
        self._done: list[_Compensation] = []

    async def do(self, command: DurableFuture[T], undo: Callable[[T], Any]) -> T:
        """Await a command; from its success on, `undo(result)` is what compensates it.

        A cancellation that comes while the command runs has its callee cancelled and waits for the
        outcome: what succeeded nevertheless is compensated too.

        Args:
            command: of `ctx.call`, `ctx.run`, or a direct call of a durable function or step.
            undo: gives an awaitable: a command, or a coroutine of several. One that takes a
                context gets one.

        Raises:
            TypeError: `command` is no command, or `undo` is not callable.
            Exception: what the command raised.
        """
        if not isinstance(command, DurableFuture):
            raise TypeError(
                f"saga.do() takes a command such as ctx.call(...) or ctx.run(...), not {command!r}"
            )
        if not callable(undo):
            raise TypeError(f"saga.do(): undo must be callable with the result, not {undo!r}")
        future = command.command
        try:
            await until_done(future)
        except asyncio.CancelledError:
            self._context.surroundings.body.ask_cancel(future)
            await outlast(future)
            if not (future.cancelled() or isinstance(future.result(), Failure)):
                self._done.append(_Compensation(command, undo, await command))
            raise
        result = await command
        self._done.append(_Compensation(command, undo, result))
        return result

    async def compensate(self) -> None:
        """Undo, in reverse, what was done and is not undone yet.

        Raises:
            CompensationError: compensations failed; the others have run all the same.
            asyncio.CancelledError: a cancellation came meanwhile; all have run.
        """
        failures: list[tuple[str, Failure]] = []
        cancelled = False
        while self._done:
            done = self._done.pop()
            issued = done.command.command.issued
            failure, late = await undo(
                self._context,
                f"compensate {issued.name}"[:255],
                issued.key,
                done.function,
                (done.result,),
                issued.first_key,
            )
            cancelled = cancelled or late
            if failure is not None:
                failures.append((issued.name, failure))
        if failures:
            raise _error(failures)
        if cancelled:
            raise asyncio.CancelledError

    async def __aenter__(self) -> Saga:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(error, (Exception, asyncio.CancelledError)):
            return
        try:
            await self.compensate()
        except CompensationError as failed:
            raise failed from error


def _error(failures: list[tuple[str, Failure]]) -> CompensationError:
    told = "; ".join(
        f"{name}: {failure.type_name}: {failure.message}" for name, failure in failures
    )
    return CompensationError(
        f"{len(failures)} compensation(s) failed, what they were to undo may be in effect: {told}",
        details=[
            {"command": name, "type": failure.type_name, "message": failure.message}
            for name, failure in failures
        ],
    )
