"""`DurableExecutor`: tasks, enqueued and run to their end, whatever crashes meanwhile.

A thin layer: a task is an execution of the engine, a parent task or a sequence a durable flow over
executions. Recovery, leases, retries, timeouts and the sharing of work are the engine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, Unpack, overload

from perdure.client.client import Client
from perdure.executor.checked import (
    CheckedInput,
    DecorateParentTask,
    DecorateTask,
    ParentReturn,
    ParentTaskKeywords,
    TaskKeywords,
    parent_task_of,
    task_of,
)
from perdure.executor.errors import refusal
from perdure.executor.handle import TaskHandle
from perdure.executor.making import Workshop
from perdure.executor.record import TaskExecution
from perdure.executor.signals import Signal
from perdure.executor.sleeping import sleeping_id, wake_up
from perdure.executor.storage import Place, Storage, check_storage, open_storage
from perdure.executor.task import DurableTask, LoopOutput, TaskKind
from perdure.executor.task_context import TaskContext
from perdure.executor.task_options import MAX_MS
from perdure.executor.validation import by_function, by_schema
from perdure.executor.values import TextSerializer, Values
from perdure.option_checks import check_count
from perdure.service import Service

if TYPE_CHECKING:
    from perdure.client.security import Tls

I = TypeVar("I")  # noqa: E741 - input
O = TypeVar("O")  # noqa: E741 - output
V = TypeVar("V")
DEFAULT_EXPIRE_MS: Final = 60_000
DEFAULT_CONCURRENCY: Final = 200
_SHUTDOWN: Final = "Executor shutdown"


class Logger(Protocol):
    """What `logger=` takes; a `logging.Logger` fits."""

    def debug(self, message: str, /) -> object: ...
    def info(self, message: str, /) -> object: ...
    def error(self, message: str, /) -> object: ...


class DurableExecutor:
    """Runs durable tasks. Several of them, in several processes, may share one storage.

    Args:
        storage: the path of a SQLite file, shared by all processes that open it; an endpoint
            `http://host:port` of a coordinator; or an open client, or a callable that gives one:
            its own runtime then runs `services`, as in tests.
        serializer: with `serialize(value) -> str` and `deserialize(text)`; JSON by type hints when
            None.
        logger: with `debug`, `info` and `error`; the logger `perdure.executor` when None.
        enable_debug: whether `logger.debug` is called.
        expire_ms: taken for compatibility; a lost executor's work goes on elsewhere in lease time,
            which is shorter than the default of 60,000.
        max_concurrent_task_executions: how many pieces of code run here at a time.
        name: of the tasks' service; executors of one name share their tasks.
        namespace, token, tls: of a coordinator at an endpoint.

    Raises:
        DurableTaskError, InvalidArgumentError: an option is not allowed.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        serializer: TextSerializer | None = None,
        logger: Logger | None = None,
        enable_debug: bool = False,
        expire_ms: int = DEFAULT_EXPIRE_MS,
        max_concurrent_task_executions: int = DEFAULT_CONCURRENCY,
        name: str = "executor",
        namespace: str | None = None,
        token: str | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.shutdown_signal = Signal()
        self.expire_ms = expire_ms if expire_ms > 0 else DEFAULT_EXPIRE_MS
        self._storage = check_storage(storage)
        slots = check_count(
            "DurableExecutor()",
            "max_concurrent_task_executions",
            max_concurrent_task_executions,
            minimum=1,
        )
        self._options = {"namespace": namespace, "token": token, "tls": tls}
        self._slots = slots
        self._logger: Logger = logger or logging.getLogger("perdure.executor")
        self._debugs = enable_debug
        self._workshop = Workshop.of(name, Values(serializer), self.shutdown_signal, self._changed)
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[Place] | None = None
        self._place: Place | None = None
        self._working: asyncio.Future[None] | None = None
        self._offering: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def services(self) -> list[Service]:
        """What runs the tasks: for a runtime that is to do it for an executor over its client."""
        return list(self._workshop.services)

    # --- making tasks --------------------------------------------------------------------------

    @overload
    def task(
        self, run: Callable[[TaskContext, I], Coroutine[Any, Any, O]], /
    ) -> DurableTask[I, O]: ...
    @overload
    def task(
        self, run: Callable[[TaskContext], Coroutine[Any, Any, O]], /
    ) -> DurableTask[None, O]: ...
    @overload
    def task(self, run: Callable[[TaskContext, I], O], /) -> DurableTask[I, O]: ...
    @overload
    def task(self, run: Callable[[TaskContext], O], /) -> DurableTask[None, O]: ...
    @overload
    def task(
        self,
        *,
        id: str | None = None,
        run: Callable[[TaskContext, I], Coroutine[Any, Any, O]],
        **options: Unpack[TaskKeywords],
    ) -> DurableTask[I, O]: ...
    @overload
    def task(
        self,
        *,
        id: str | None = None,
        run: Callable[[TaskContext], Coroutine[Any, Any, O]],
        **options: Unpack[TaskKeywords],
    ) -> DurableTask[None, O]: ...
    @overload
    def task(
        self,
        *,
        id: str | None = None,
        run: Callable[[TaskContext, I], O],
        **options: Unpack[TaskKeywords],
    ) -> DurableTask[I, O]: ...
    @overload
    def task(
        self,
        *,
        id: str | None = None,
        run: Callable[[TaskContext], O],
        **options: Unpack[TaskKeywords],
    ) -> DurableTask[None, O]: ...
    @overload
    def task(self, *, id: str | None = None, **options: Unpack[TaskKeywords]) -> DecorateTask: ...
    def task(self, *args: Any, **options: Any) -> Any:
        """A task: one unit of code, run whole, and again if its executor dies or it is retried.

        Without `run` it is a decorator; without an id the name of the function is the id.

        Args:
            id, run, timeout_ms, max_retry_attempts, sleep_ms_before_attempt, retry_options: see
                `TaskOptions`.

        Raises:
            DurableTaskError: an option is not allowed, or the id is taken.
        """
        self._check_open()
        return task_of(self._workshop, None, *args, **options)

    @overload
    def parent_task(
        self, run_parent: Callable[[TaskContext, I], ParentReturn], /
    ) -> DurableTask[I, Any]: ...
    @overload
    def parent_task(
        self, run_parent: Callable[[TaskContext], ParentReturn], /
    ) -> DurableTask[None, Any]: ...
    @overload
    def parent_task(
        self,
        *,
        id: str | None = None,
        run_parent: Callable[[TaskContext, I], ParentReturn],
        **options: Unpack[ParentTaskKeywords],
    ) -> DurableTask[I, Any]: ...
    @overload
    def parent_task(
        self,
        *,
        id: str | None = None,
        run_parent: Callable[[TaskContext], ParentReturn],
        **options: Unpack[ParentTaskKeywords],
    ) -> DurableTask[None, Any]: ...
    @overload
    def parent_task(
        self, *, id: str | None = None, **options: Unpack[ParentTaskKeywords]
    ) -> DecorateParentTask: ...
    def parent_task(self, *args: Any, **options: Any) -> Any:
        """A task that names children, which run in parallel when `run_parent` has returned.

        Its output is that of the finalizer, or a `ParentOutput` without one. When a child fails,
        the others are cancelled and it ends as `children_failed`.

        Args:
            id, run_parent, and the options of `task`: see `ParentTaskOptions`.
            on_run_and_children_complete, finalize: see `ParentTaskKeywords`.

        Raises:
            DurableTaskError: an option is not allowed, or an id is taken.
        """
        self._check_open()
        return parent_task_of(self._workshop, None, *args, **options)

    @overload
    def input_schema(self, schema: type[I], /) -> CheckedInput[Any, I]: ...
    @overload
    def input_schema(self, schema: Any, /) -> CheckedInput[Any, Any]: ...
    def input_schema(self, schema: Any, /) -> CheckedInput[Any, Any]:
        """Tasks whose input is read by a schema; `run` gets what the schema made of it.

        Args:
            schema: a pydantic model or `TypeAdapter`, a type that msgspec knows (a `Struct`, a
                dataclass, a `TypedDict`, `list[int]`), or any callable.
        """
        return CheckedInput(self._workshop, by_schema(schema))

    @overload
    def validate_input(
        self, check: Callable[[V], Coroutine[Any, Any, I]], /
    ) -> CheckedInput[V, I]: ...
    @overload
    def validate_input(self, check: Callable[[V], I], /) -> CheckedInput[V, I]: ...
    def validate_input(self, check: Callable[[Any], Any], /) -> CheckedInput[Any, Any]:
        """Tasks whose input goes through a function, sync or async; `run` gets what it returns."""
        return CheckedInput(self._workshop, by_function(check))

    def sequential_tasks(
        self, *tasks: DurableTask[Any, Any], id: str | None = None
    ) -> DurableTask[Any, Any]:
        """One task after the other: the output of each is the input of the next.

        Args:
            id: made of the tasks' ids when None, so that it is the same in every process.

        Raises:
            DurableTaskError: no tasks.
        """
        self._check_open()
        return self._workshop.sequence(tasks, id)

    def looping_task(
        self,
        id: str,
        iteration_task: DurableTask[I, Any],
        max_attempts: int,
        sleep_ms_before_run: int = 0,
    ) -> DurableTask[I, LoopOutput]:
        """The same task again and again, with the same input, until it says that it is done.

        Args:
            iteration_task: returns `{"is_done": False}`, or `{"is_done": True, "output": ...}`.
            sleep_ms_before_run: before each iteration but the first.
        """
        self._check_open()
        return self._workshop.loop(id, iteration_task, max_attempts, sleep_ms_before_run)

    polling_task = looping_task

    def sleeping_task(self, id: str, *, timeout_ms: int | None = None) -> DurableTask[str, Any]:
        """A task that waits for `wakeup_sleeping_task_execution`. Its input is a unique id."""
        self._check_open()
        return self._workshop.sleeping(id, timeout_ms)

    # --- running them --------------------------------------------------------------------------

    @overload
    async def enqueue_task(
        self,
        task: DurableTask[None, O],
        /,
        *,
        execution_id: str | None = None,
        priority: int = 0,
        delay_ms: int | None = None,
    ) -> TaskHandle[O]: ...
    @overload
    async def enqueue_task(
        self,
        task: DurableTask[I, O],
        input: I,
        /,
        *,
        execution_id: str | None = None,
        priority: int = 0,
        delay_ms: int | None = None,
    ) -> TaskHandle[O]: ...
    async def enqueue_task(
        self,
        task: DurableTask[Any, Any],
        input: Any = None,
        /,
        *,
        execution_id: str | None = None,
        priority: int = 0,
        delay_ms: int | None = None,
    ) -> TaskHandle[Any]:
        """Enqueue an execution of a task; returns when it is on disk.

        Args:
            execution_id: made up when None; the same id again, with the same input, attaches.
            priority: higher runs earlier.
            delay_ms: instead of the task's `sleep_ms_before_attempt` of its first attempt.

        Raises:
            DurableTaskError: the input is refused, the task belongs to another executor, or this
                one was shut down.
            SerializationError, LimitExceededError: the input cannot be encoded.
            AlreadyExistsError: the id is taken by another task or input.
        """
        self._check_open()
        own = self._workshop.tasks.own(task)
        shape = await self._workshop.tasks.run_input(own, input)
        if own.kind is TaskKind.SLEEP:
            execution_id = sleeping_id(own, input)
        delay = (own.first_delay_ms if delay_ms is None else delay_ms) / 1000
        client = await self._client()
        self._check_open()
        handle = await client.start(
            self._workshop.names.tasks,
            own.id,
            shape,
            id=execution_id,
            delay=delay or None,
            priority=priority,
        )
        self._debug(f"enqueued task {own.id} as {handle.id}")
        return self.get_task_handle(task, handle.id)

    def get_task_handle(self, task: DurableTask[Any, O], execution_id: str) -> TaskHandle[O]:
        """A handle on an execution that may exist; nothing is asked yet."""
        workshop = self._workshop
        workshop.tasks.own(task)
        return TaskHandle(self._client, workshop.names, workshop.tasks, task, execution_id)

    async def wakeup_sleeping_task_execution(
        self, task: DurableTask[str, O], unique_id: str, outcome: dict[str, Any], /
    ) -> TaskExecution[O]:
        """Wake up an execution of a sleeping task; the first wake-up counts.

        Args:
            outcome: `{"status": "completed", "output": ...}`, or `{"status": "failed",
                "error": ...}`.

        Returns:
            the finished execution.

        Raises:
            DurableTaskError: there is no such execution, or the outcome is neither of the two.
        """
        self._check_open()
        own = self._workshop.tasks.own(task)
        handle = self.get_task_handle(task, sleeping_id(own, unique_id))
        await wake_up(await self._client(), self._workshop.tasks.values, handle, outcome)
        return await handle.wait_and_get_execution()

    def get_running_task_execution_ids(self) -> frozenset[str]:
        """Ids of the executions whose code this executor runs now."""
        return self._workshop.units.running()

    # --- life ----------------------------------------------------------------------------------

    async def __aenter__(self) -> DurableExecutor:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown()

    async def start(self) -> None:
        """Begin to run tasks; returns when it does. What was left unfinished goes on at once.

        Raises:
            DurableTaskError: it was shut down.
            CoordinatorUnavailableError, DatabaseInUseError, ...: the storage cannot be used.
        """
        self._check_open()
        if self._working is None:
            place = await self._opened()
            if self._working is None:  # nobody else was faster
                self._working = asyncio.ensure_future(place.work())
        await asyncio.shield(self._working)
        self._logger.info(f"executor {self._workshop.names.tasks} started")

    async def run(self) -> None:
        """Start, and shut down on SIGTERM or SIGINT; returns then."""
        self._check_open()
        loop = asyncio.get_running_loop()
        added = []
        stop = Signal()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                with contextlib.suppress(NotImplementedError):  # Windows
                    loop.add_signal_handler(number, stop.give)
                    added.append(number)
        self.shutdown_signal.on_cancelled(stop.give)
        try:
            await self.start()  # a signal that comes meanwhile is heeded, too
            await stop.wait()
        finally:
            for number in added:
                loop.remove_signal_handler(number)
            await self.shutdown()

    async def shutdown(self, *, grace_ms: int | None = None) -> None:
        """Stop, in this order: nothing new is enqueued; no work is taken any more; the shutdown
        signal is given and what runs here is waited for. Twice is once.

        Args:
            grace_ms: what runs longer is cut off, and runs again elsewhere at once; without limit
                when None.
        """
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._shut_down(grace_ms))
        await asyncio.shield(self._ending)

    async def _shut_down(self, grace_ms: int | None) -> None:
        grace_s = (MAX_MS if grace_ms is None else max(0, grace_ms)) / 1000
        try:
            if self._opening is not None:
                await asyncio.wait((self._opening,))
            if self._opening is not None and self._opening.exception() is None:
                place = self._opening.result()
                if self._working is not None:
                    await asyncio.wait((self._working,))
                if place.worker is not None:
                    stopping = asyncio.ensure_future(place.worker.stop(grace_s))
                    await asyncio.sleep(0)  # it takes no work from here on
                    self.shutdown_signal.give()
                    await stopping
        finally:
            self.shutdown_signal.give()
            await self._stack.aclose()
        self._logger.info(f"executor {self._workshop.names.tasks} shut down")

    # --- inside --------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._ending is not None:
            raise refusal(_SHUTDOWN)

    async def _client(self) -> Client:
        if self._ending is not None and self._ending.done():
            raise refusal(_SHUTDOWN)
        return (await self._opened()).client()

    async def _opened(self) -> Place:
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            opening = open_storage(
                self._stack, self._storage, self._workshop.services, self._slots, self._options
            )
            self._opening = asyncio.ensure_future(opening)
        return await asyncio.shield(self._opening)

    def _changed(self) -> None:
        """A task was added: tell the coordinator, if it was told of the others already."""
        if self._working is None or self._offering is not None:
            return
        self._offering = asyncio.ensure_future(self._offer())

    async def _offer(self) -> None:
        assert self._working is not None
        await asyncio.wait((self._working,))
        self._offering = None  # what is added from here on is told of again
        place = await self._opened()
        if place.worker is not None:
            await place.worker.offer_again()

    def _debug(self, text: str) -> None:
        if self._debugs:
            self._logger.debug(text)
