"""One try of a plain callable: on the real loop or in a thread, with a timeout.

Used for steps and handlers alike. It knows nothing of journals and retries: it tells its outcome
once, or nothing at all if the process that runs it is being stopped.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from perdure.context.ambient import enter_step
from perdure.context.step_context import StepContext
from perdure.decorators.shape import is_coroutine_function
from perdure.worker.threads import StepThreads

Told = Callable[[Any, BaseException | None], None]


def _nobody(result: Any, error: BaseException | None) -> None:
    """Was told."""


class Try:
    """A running callable. Made, used and told about on the worker's loop.

    Args:
        tell: called once with the result or the error, soon after it is known.
    """

    def __init__(
        self, name: str, timeout_ms: int | None, tell: Told, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._name = name
        self._timeout_ms = timeout_ms
        self._tell = tell
        self._loop = loop
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timed_out = False
        self._over = False
        self._step: StepContext | None = None
        self.cancelled = False

    def start(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        variables: contextvars.Context,
        step: StepContext,
        threads: StepThreads,
    ) -> None:
        """Start it. `variables` belongs to this try alone."""
        self._step = step
        variables.run(enter_step, step)
        if self._timeout_ms is not None:
            self._timer = self._loop.call_later(self._timeout_ms / 1000, self._time_is_up)
        if is_coroutine_function(function):
            try:
                awaitable = variables.run(function, *args, **kwargs)
            except Exception as error:  # a wrapper that is no coroutine function itself
                self._loop.call_soon(self._end, None, error)
            else:
                self._begin(awaitable, variables)
        else:
            threads.submit(lambda: self._in_thread(function, args, kwargs, variables))

    def cancel(self) -> None:
        """Nobody wants the result: an async one is cancelled, a thread goes on unheard."""
        self.cancelled = True
        self._tell_step()
        if self._task is not None:
            self._task.cancel()
        else:
            self._end(None, asyncio.CancelledError("abandoned"))

    def drop(self) -> None:
        """Stop without telling: the worker stops, another one will run it again."""
        self._over = True
        self.cancel()

    def _begin(self, awaitable: Coroutine[Any, Any, Any], variables: contextvars.Context) -> None:
        self._task = self._loop.create_task(awaitable, context=variables, name=self._name)
        self._task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        if self._over:
            if not task.cancelled():
                task.exception()  # seen: asyncio need not complain
            return
        if task.cancelled():
            error: BaseException | None = asyncio.CancelledError()
        else:
            error = task.exception()
        if error is None:
            self._end(task.result(), None)
        elif self._timed_out:
            self._end(None, self._timeout_error())
        elif task.cancelling() and not self.cancelled:
            self._over = True  # the loop is shutting down: what was cut off has no outcome
        else:
            self._end(None, error)

    def _in_thread(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        variables: contextvars.Context,
    ) -> None:
        if self._over:
            return
        error: BaseException | None = None
        result: Any = None
        try:
            result = variables.run(function, *args, **kwargs)
        except BaseException as caught:
            error = caught
        try:
            self._loop.call_soon_threadsafe(self._thread_done, result, error, variables)
        except RuntimeError:  # the loop is closed: the worker is gone, and so is its lease
            return

    def _thread_done(
        self, result: Any, error: BaseException | None, variables: contextvars.Context
    ) -> None:
        if self._over:
            if inspect.iscoroutine(result):
                result.close()
        elif error is None and inspect.iscoroutine(result):
            self._begin(result, variables)  # a plain callable around an async one
        else:
            self._end(result, error)

    def _time_is_up(self) -> None:
        self._timed_out = True
        self._tell_step()
        if self._task is not None:
            self._task.cancel()
        else:
            self._end(None, self._timeout_error())

    def _tell_step(self) -> None:
        if self._step is not None:
            self._step.tell_cancelled()

    def _timeout_error(self) -> TimeoutError:
        seconds = (self._timeout_ms or 0) / 1000
        return TimeoutError(f"{self._name} ran longer than {seconds:g} s")

    def _end(self, result: Any, error: BaseException | None) -> None:
        if not self._over:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()
            tell, self._tell = self._tell, _nobody
            self._task = self._step = None  # these lead back here: no garbage in circles
            tell(result, error)
