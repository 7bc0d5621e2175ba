"""The deterministic event loop of one execution (semantics, section 4; architecture, section 6).

A ready queue and nothing else: no selector, no threads, no clock. A driver creates the root
task, resolves futures and fires timers, and runs one slice after each delivery. The order of
callbacks is that of a stock asyncio loop whose clock stands still during a slice.
Knows nothing of journals, machines or commands.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

from perdure_runtime.core.errors import NotDeterministicError
from perdure_runtime.core.limits import MAX_LOOP_TURNS
from perdure_runtime.loop import forbidden, primitives, virtual
from perdure_runtime.loop.generators import OpenGenerators
from perdure_runtime.loop.lineage import Node, owner_of_context, root_node
from perdure_runtime.loop.slices import current, enter, leave
from perdure_runtime.loop.tasks import Future, Task
from perdure_runtime.loop.timers import DurableTimer, Handle

ExceptionContext = dict[str, Any]

_BUSY_WAIT: Final = (
    f"busy wait: the body turned its loop {MAX_LOOP_TURNS:,} times without issuing or receiving "
    "anything. Wait for something durable instead of polling: await asyncio.sleep(seconds), "
    "an event, a call or a step."
)
_MAX_BUSY_WAITS: Final = 2
_MIN_SWEEP: Final = 64
_installed = False


def install() -> None:
    """Patch this process for slices, once; the first loop does it if nobody did before.

    An early call serves modules that then say `from time import time`.
    """
    global _installed
    if not _installed:
        _installed = True
        virtual.install()
        primitives.install()
        forbidden.install()


class DeterministicLoop(forbidden.NoRealIO):
    """The event loop of one execution.

    Args:
        seed: stable over replays and attempts; random streams and hashes come from it.
        now: virtual time at the start, epoch seconds.
        virtual: False leaves time, randomness and blocking calls real (`deterministic=False`).

    Attributes:
        now: virtual time, epoch seconds; moved by `advance_to` only.
        in_slice: whether a slice runs now; kept by `slices`.
        on_timer_cancelled: told of an issued timer that the body cancelled.
        on_exception: told of what asyncio gives its exception handler: errors of callbacks,
            exceptions nobody retrieved. May be called from the garbage collector.
    """

    def __init__(self, *, seed: bytes, now: float, virtual: bool = True) -> None:
        install()
        self.now = now
        self.is_virtual = virtual
        self.root_node = root_node(seed)
        self.generators = OpenGenerators(self)
        self.on_timer_cancelled: Callable[[DurableTimer], None] | None = None
        self.on_exception: Callable[[ExceptionContext], None] | None = None
        self._ready: deque[Any] = deque()
        self._due: list[DurableTimer] = []
        self._unissued: dict[int, DurableTimer] = {}
        self._timers = 0
        self._root: Task | None = None
        self._tasks: list[Task] = []
        self._sweep_at = _MIN_SWEEP
        self._turns = 0
        self._busy_waits = 0
        self.in_slice = False
        self._closed = False
        self._silent = False
        self._exception_handler: Callable[[Any, ExceptionContext], object] | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self.in_slice else "between slices"
        return f"<DeterministicLoop {state}, now={self.now}>"

    # --- for the driver -----------------------------------------------------------------

    def create_root(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        scope: Any = None,
        context: contextvars.Context | None = None,
    ) -> Task:
        """Make the root task, lineage "0"; its first step runs in the next slice.

        Raises:
            RuntimeError: there is a root task already, or the loop is closed.
        """
        if self._root is not None or self._closed:
            raise RuntimeError("a loop has one root task")
        self.root_node.scope = scope
        task = self._root = self._add_task(coroutine, self.root_node, context=context)
        return task

    def run_until_quiescent(self) -> None:
        """Run one slice: every ready callback, until none is left.

        Call it from a plain function or callback, on any thread, also inside a running asyncio
        or uvloop loop.

        Raises:
            RuntimeError: the loop is closed, or is in a slice.
            NotDeterministicError: a busy wait went on after that error had been thrown into the
                root task; callbacks are left, tear the loop down.
            SystemExit, KeyboardInterrupt: raised by a callback, as by a stock loop.
        """
        if self.in_slice or self._closed:
            raise RuntimeError(f"cannot run a slice of {self!r}")
        outside = enter(self)
        try:
            self.generators.adopt_orphans()
            while not self.drain(MAX_LOOP_TURNS):
                self._stop_busy_wait()
        finally:
            leave(self, outside)

    def note_progress(self) -> None:
        """Start the count of `MAX_LOOP_TURNS` anew: a command was issued or a result delivered."""
        self._turns = 0
        self._busy_waits = 0

    @property
    def root(self) -> Task | None:
        """Return the root task."""
        return self._root

    @property
    def owner(self) -> Node:
        """Return the node that runs now: of the current task, or of who scheduled the callback."""
        if self.in_slice:
            task = asyncio.current_task(self)
            if isinstance(task, Task):
                return task.node
        node = owner_of_context.get()
        if node is not None and node.root is self.root_node:
            return node
        return self.root_node

    def next_path(self) -> str:
        """Return the path of the next command of the current owner.

        Raises:
            NotDeterministicError: the owner is the finalizer of an async generator.
        """
        return self.owner.next_path()

    def advance_to(self, now: float) -> None:
        """Set virtual time to `now`, epoch seconds, unless it is later already."""
        if now > self.now:
            self.now = now
            for timer in list(self._unissued.values()):
                if timer.when() <= now and not timer.issued:
                    del self._unissued[timer.number]
                    self._due.append(timer)

    def unissued_timers(self) -> list[DurableTimer]:
        """Return the pending timers that the driver has not taken, in order of creation.

        Ask when the loop is quiescent; set `issued` on those that are taken.
        """
        if not self._unissued:
            return []
        for timer in [timer for timer in self._unissued.values() if timer.issued]:
            del self._unissued[timer.number]
        return list(self._unissued.values())

    def live_tasks(self) -> list[Task]:
        """Return the tasks that are not done, in order of creation."""
        self._tasks = [task for task in self._tasks if not task.done()]
        self._sweep_at = max(_MIN_SWEEP, 2 * len(self._tasks))
        return list(self._tasks)

    def cancel_all_except(self, kept: asyncio.Future[Any] | None = None) -> list[Task]:
        """Cancel every live task but `kept`, as asyncio does, and return those cancelled.

        They end, or catch it and go on, in the slices that follow.
        """
        cancelled = [task for task in self.live_tasks() if task is not kept]
        for task in cancelled:
            task.cancel()
        return cancelled

    def random(self) -> Random:
        """Return the random stream of the current lineage, the same in every replay."""
        return self.owner.random()

    def uuid4(self) -> uuid.UUID:
        """Return the next UUID of the current lineage, the same in every replay."""
        return virtual.uuid4_of(self.owner.entropy())

    def close(self) -> None:
        """Drop everything that is scheduled; what still happens on the loop goes nowhere.

        Call it when no task is live, or use `tear_down`.
        """
        self._closed = True
        self._ready.clear()
        self._due.clear()
        self._unissued.clear()
        self._tasks.clear()

    # --- for the other modules of this package ------------------------------------------

    def begin_tear_down(self) -> None:
        """Stop reporting exceptions: the signals of a tear-down are nobody's error."""
        self._silent = True

    def drain(self, max_turns: int) -> bool:
        """Run callbacks until none is ready, True, or `max_turns` ran without progress, False.

        Like a stock loop it runs one generation at a time, due timers behind what was ready.
        """
        ready = self._ready
        popleft = ready.popleft
        while True:
            if self._due:
                self._release_due()
            count = len(ready)
            if not count:
                return True
            self._turns += count
            if self._turns > max_turns:
                return False
            for _ in range(count):
                handle = popleft()
                if handle._cancelled:
                    continue
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self.call_exception_handler(
                        {
                            "message": f"Exception in callback {handle._callback!r}",
                            "exception": error,
                            "handle": handle,
                        }
                    )

    def timer_fired(self, timer: DurableTimer) -> None:
        """Put a fired timer on the ready queue."""
        if not self._closed:
            self._unissued.pop(timer.number, None)
            self._ready.append(timer)

    def timer_cancelled(self, timer: DurableTimer) -> None:
        """Forget a cancelled timer, and tell the driver if it knows the timer."""
        self._unissued.pop(timer.number, None)
        if timer.issued and self.on_timer_cancelled is not None:
            self.on_timer_cancelled(timer)

    def create_finalizer(self, coroutine: Coroutine[Any, Any, Any], number: int) -> Task:
        """Make the task that closes an async generator."""
        return self._add_task(coroutine, self.root_node.finalizer(number))

    def _release_due(self) -> None:
        due = sorted(self._due, key=lambda timer: (timer.when(), timer.number))
        self._due.clear()
        for timer in due:
            timer.fire()

    def _stop_busy_wait(self) -> None:
        """Fail the root task first; cancel what spins on after it has ended; at last raise."""
        root = self._root
        self._turns = 0
        self._busy_waits += 1
        if root is None or self._busy_waits > _MAX_BUSY_WAITS:
            raise NotDeterministicError(_BUSY_WAIT)
        if root.done():
            self.cancel_all_except(root)
        elif self._busy_waits == 1:
            root.interrupt(NotDeterministicError(_BUSY_WAIT))
        else:
            raise NotDeterministicError(_BUSY_WAIT)

    def _add_task(self, coroutine: Coroutine[Any, Any, Any], node: Node, **options: Any) -> Task:
        task = Task(coroutine, loop=self, node=node, **options)
        if len(self._tasks) >= self._sweep_at:
            self.live_tasks()
        self._tasks.append(task)
        return task

    # --- asyncio's interface ------------------------------------------------------------

    def time(self) -> float:
        """Return virtual time, epoch seconds."""
        return self.now

    def call_soon(  # type: ignore[override] # typeshed types *args by a TypeVarTuple
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Run a callback later in this slice, or in the next one."""
        handle = Handle(callback, args, contextvars.copy_context() if context is None else context)
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override] # as call_soon
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Run a callback later in this slice; a replay cannot repeat what other threads do.

        Raises:
            NotDeterministicError: called outside of this loop's slice.
        """
        if current.loop is not self and not self._closed:
            raise forbidden.refuse("A wake-up from another thread")
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override] # as call_soon
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> DurableTimer:
        """Run a callback after `delay` seconds of virtual time. Raises ValueError for NaN."""
        return self._add_timer(self.now + delay, delay, callback, args, context)

    def call_at(  # type: ignore[override] # as call_soon
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> DurableTimer:
        """Run a callback at a virtual time in epoch seconds. Raises ValueError for NaN."""
        # The sum and the difference lose bits at epoch size: ask for 0.1 s, not for 0.0999999.
        return self._add_timer(when, round(when - self.now, 6), callback, args, context)

    def _add_timer(
        self,
        when: float,
        delay: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> DurableTimer:
        if math.isnan(delay):
            raise ValueError("a delay must be a number of seconds, not NaN")
        node = self.owner
        number = self._timers = self._timers + 1
        is_due = delay <= 0
        ordinal = 0 if is_due else node.next_ordinal()
        if context is None:
            context = contextvars.copy_context()
        timer = DurableTimer(self, number, when, delay, node, ordinal, callback, args, context)
        if self._closed:
            return timer
        if is_due:
            self._due.append(timer)
        elif delay != math.inf:  # an infinite one never fires, on stock loops too
            self._unissued[number] = timer
        return timer

    def create_future(self) -> Future:
        """Return a future with a stable hash."""
        return Future(loop=self)

    def create_task(  # type: ignore[override] # one body for the signatures of 3.11 to 3.14
        self, coro: Coroutine[Any, Any, Any], *, name: object = None, **options: Any
    ) -> Task:
        """Make a task: the next child of the current owner."""
        return self._add_task(coro, self.owner.child(), name=name, **options)

    def set_task_factory(self, factory: Any) -> None:
        """Raise NotDeterministicError: every task needs a lineage."""
        if factory is not None:
            raise forbidden.refuse("loop.set_task_factory()", "Tasks carry their lineage here.")

    def get_task_factory(self) -> None:
        """Return None: there is no factory but ours."""

    def is_running(self) -> bool:
        """Return whether a slice runs."""
        return self.in_slice

    def is_closed(self) -> bool:
        """Return whether the loop was closed or torn down."""
        return self._closed

    def get_debug(self) -> bool:
        """Return False: asyncio's debug mode reads the clock."""
        return False

    def set_debug(self, enabled: bool) -> None:
        """Do nothing; see `get_debug`."""

    async def shutdown_asyncgens(self) -> None:
        """Schedule the closing of all open async generators."""
        self.generators.close_all()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: there is no executor."""

    def get_exception_handler(self) -> Callable[[Any, ExceptionContext], object] | None:
        """Return the handler that the body has set."""
        return self._exception_handler

    def set_exception_handler(
        self, handler: Callable[[Any, ExceptionContext], object] | None
    ) -> None:
        """Set the body's own handler of unhandled exceptions, before `on_exception`."""
        self._exception_handler = handler

    def default_exception_handler(self, context: ExceptionContext) -> None:
        """Hand an unhandled exception to `on_exception`."""
        if self.on_exception is not None and not self._silent:
            self.on_exception(context)

    def call_exception_handler(self, context: ExceptionContext) -> None:
        """Hand an unhandled exception to the body's handler, or to `on_exception`."""
        if self._silent:
            return
        if self._exception_handler is None:
            self.default_exception_handler(context)
            return
        try:
            self._exception_handler(self, context)
        except Exception as error:
            self.default_exception_handler(
                {"message": "Unhandled error in exception handler", "exception": error}
            )
