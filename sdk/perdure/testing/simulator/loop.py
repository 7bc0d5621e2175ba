"""The event loop of a simulation: virtual time, and processes that die or freeze in it.

Asyncio's own loop without a selector: when nothing is ready the clock jumps to the next timer. The
ready queue stays first in, first out, which code may rely on. What runs belongs to a process by its
context: callbacks of a dead process are dropped, those of a frozen one wait until it goes on. So
one dies as with SIGKILL: no `finally`, no cancellation, nothing is told.

Tasks and futures hash by their number, so that sets of them iterate alike in every process.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextvars import Context, ContextVar
from itertools import count
from typing import Any, Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
CALLBACK_S: Final = 1e-5
"""Virtual time that each callback takes."""
START_S: Final = 1000.0


class Process:
    """A simulated process: what runs in its context dies and freezes with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.held: list[asyncio.Handle] = []

    def __repr__(self) -> str:
        return self.name


_process: ContextVar[Process | None] = ContextVar("simulated process", default=None)


def current_process() -> Process | None:
    """The process whose code runs; None outside of all."""
    return _process.get()


class Stuck(Exception):
    """Nothing is ready and nothing is scheduled: nothing will ever happen again."""


class _Task(asyncio.Task[Any]):
    number: int

    def __new__(cls, *_: Any, loop: SimulatedLoop, **__: Any) -> _Task:
        task = super().__new__(cls)
        task.number = loop.next_number()
        return task

    def __hash__(self) -> int:
        return self.number


class _Future(asyncio.Future[Any]):
    number: int

    def __new__(cls, *, loop: SimulatedLoop) -> _Future:
        future = super().__new__(cls)
        future.number = loop.next_number()
        return future

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """See the module. `run` is the way in; `spend` lets time pass within a callback."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self._now_s = START_S
        self._numbers = count(1)
        self._tasks: list[asyncio.Task[Any]] = []
        self.set_exception_handler(self._told)
        self.errors: list[str] = []

    # --- for the simulation --------------------------------------------------------------------

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run until `main` is done.

        Raises:
            Stuck: nothing is left to happen.
        """
        return self.run_until_complete(self.create_task(main))

    def spawn(
        self, process: Process | None, work: Coroutine[Any, Any, T], name: str
    ) -> asyncio.Task[T]:
        """A task in a process, or outside of all."""
        return self.create_task(work, name=name, context=self.context_of(process))

    def context_of(self, process: Process | None) -> Context:
        """A context in which everything belongs to a process."""
        context = contextvars.copy_context()
        context.run(_process.set, process)
        return context

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on; what waited for it runs first, in its order."""
        process.frozen = False
        held, process.held = process.held, []
        self._ready.extend(held)

    def spend(self, seconds: float) -> None:
        """The running callback takes so long."""
        self._now_s += seconds

    def next_number(self) -> int:
        """For something that has to hash alike in every run."""
        return next(self._numbers)

    def tear_down(self) -> None:
        """Close what is left, of dead processes too; nothing of it runs on any more."""
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined] # it is known
                coroutine: Any = task.get_coro()
                try:
                    coroutine.close()
                except BaseException:  # whatever its finally blocks think of it
                    continue
        self._tasks.clear()
        self._ready.clear()
        self._scheduled.clear()
        self.close()

    def _told(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        process = current_process()
        if process is None or not process.dead:
            error = context.get("exception")
            self.errors.append(f"{context.get('message')}: {error!r}")

    # --- the event loop ------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_s

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
        **_: Any,
    ) -> asyncio.Task[T]:
        """See asyncio."""
        task: asyncio.Task[T] = _Task(
            coro, loop=self, name=None if name is None else str(name), context=context
        )
        self._tasks.append(task)
        if len(self._tasks) > 20_000:
            self._tasks = [each for each in self._tasks if not each.done()]
        return task

    def create_future(self) -> asyncio.Future[Any]:
        """See asyncio."""
        return _Future(loop=self)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """There are no threads: it runs on the loop, soon."""
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except BaseException as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.call_soon(work)
        return future

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined] # as asyncio
        if not ready:
            if not scheduled:
                raise Stuck("nothing is left to happen")
            self._now_s = max(self._now_s, scheduled[0].when())
        now_s = self._now_s
        while scheduled and scheduled[0].when() <= now_s:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined] # as asyncio does
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(_process)  # type: ignore[attr-defined] # its own
            if process is not None and (process.dead or process.frozen):
                if not process.dead:
                    process.held.append(handle)
                continue
            self._now_s += CALLBACK_S
            handle._run()

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when they come up."""


__all__ = ["Process", "SimulatedLoop", "Stuck", "current_process"]
