"""`DurableFuture`: a command that was issued, awaited as often as one likes (semantics, section 5).

To asyncio it is a coroutine, so `gather`, `create_task` and `TaskGroup` take it. Unlike one it
has begun already: the command was issued by the call that returned it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from perdure_runtime.core.payload import Failure, Payload

if TYPE_CHECKING:
    from perdure_runtime.driver import CommandFuture

T_co = TypeVar("T_co", covariant=True)

Outcome = Payload | Failure


class DurableFuture(Coroutine[Any, Any, T_co], Generic[T_co]):
    """The result to come of a call, a step or a branch.

    Args:
        command: the issued command.
        decode: makes the value of its outcome, or raises what it failed with.
    """

    __slots__ = ("_decode", "_runs", "command")

    def __init__(self, command: CommandFuture, decode: Callable[[Outcome], T_co]) -> None:
        self.command = command
        self._decode = decode
        self._runs: dict[object, Generator[Any, Any, T_co]] = {}

    def __repr__(self) -> str:
        state = "done" if self.command.done() else "pending"
        return f"<DurableFuture {self.command.path} {state}>"

    @property
    def execution_id(self) -> str:
        """Of the child execution that a call made; empty for steps and branches."""
        return self.command.child_id

    def done(self) -> bool:
        """Whether the outcome is there, or the command was cancelled."""
        return self.command.done()

    def cancel(self) -> bool:
        """Give the command up: a callee is cancelled, a step that waits does not start.

        Returns:
            False when it is done already. Awaiting it then raises `asyncio.CancelledError`.
        """
        return self.command.cancel()

    def when_done(self, call: Callable[[CommandFuture], object]) -> None:
        """Call `call` with the command when it is done."""
        self.command.add_done_callback(call)

    def __await__(self) -> Generator[Any, Any, T_co]:
        outcome = yield from self.command.__await__()
        return self._decode(outcome)

    # What a task does with a coroutine. Several tasks may do it, each with a run of its own.

    def send(self, value: Any, /) -> Any:
        """Go on, in the current task."""
        owner = asyncio.current_task()
        run = self._runs.get(owner)
        if run is None:
            run = self._runs[owner] = self.__await__()
        try:
            return run.send(value)
        except BaseException:
            del self._runs[owner]
            raise

    def throw(self, *error: Any) -> Any:
        """Raise an error at the await of the current task."""
        owner = asyncio.current_task()
        run = self._runs.pop(owner, None)
        if run is None:  # the task was cancelled before its first step: nobody will await
            self.command.cancel()
            run = self.__await__()
            return run.throw(*error)
        self._runs[owner] = run
        try:
            return run.throw(*error)
        except BaseException:
            del self._runs[owner]
            raise

    def close(self) -> None:
        """End the run of the current task."""
        run = self._runs.pop(asyncio.current_task(), None)
        if run is not None:
            run.close()
