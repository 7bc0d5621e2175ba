"""The blocking twin: the client and the embedded runtime for code without an event loop.

One background thread runs one event loop for the whole process; each function hands it a coroutine
and waits. Ctrl-C ends the waiting, never the execution. Not for use inside of executions.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError, thread  # noqa: F401 - see _Portal
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import wraps
from os import PathLike
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from perdure.client.ambient import ambient_client
from perdure.client.client import Client
from perdure.client.handle import ExecutionHandle
from perdure.client.schedule import ScheduleHandle, ScheduleKeywords
from perdure.client.start_options import StartKeywords
from perdure.context.ambient import current_context
from perdure.embedding import RETENTION_S
from perdure.objects.proxy import RemoteMethod
from perdure_runtime.core.errors import NotDeterministicError

if TYPE_CHECKING:
    from perdure.client.security import Tls
    from perdure.service import Service

__all__ = ["SyncClient", "SyncHandle", "SyncRuntime", "connect", "embedded", "run"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")

_CLOSE_SECONDS = 5.0


class _Portal:
    """A thread with an event loop, made at the first use."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="perdure-sync", daemon=True)
        self._thread.start()
        # Before the interpreter stops thread pools, which a runtime may need to close its files;
        # `atexit` would be too late. Calls are made last in, first out: pools registered theirs
        # when they were imported.
        threading._register_atexit(self.close)  # type: ignore[attr-defined] # as pools do it

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it; an interrupt of the wait cancels the coroutine."""
        task: asyncio.Task[Any] | None = None

        async def tracked() -> T:
            nonlocal task
            task = asyncio.current_task()
            return await work

        def cancel() -> None:
            if task is not None:
                task.cancel()

        # An interrupt may come between any two lines here: what was handed over is cancelled by
        # the loop, which knows whether it has begun.
        try:
            return asyncio.run_coroutine_threadsafe(tracked(), self._loop).result()
        except BaseException:
            self._loop.call_soon_threadsafe(cancel)
            raise

    def close(self) -> None:
        """Close what the loop holds open, as `asyncio.run` does, and stop the thread."""
        if self.process == os.getpid() and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            # As `asyncio.Runner` closes, but for the wait for the thread pool: it takes a new
            # thread, which Python 3.12.0 and 3.12.1 cannot start any more at this time.
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


_lock = threading.Lock()
_portal: _Portal | None = None


def _the_portal() -> _Portal:
    global _portal
    with _lock:
        if _portal is None or _portal.process != os.getpid():  # threads do not survive a fork
            _portal = _Portal()
        return _portal


def _wait(work: Coroutine[Any, Any, T]) -> T:
    if current_context() is not None:
        work.close()
        raise NotDeterministicError("perdure.sync blocks; in an execution, await instead")
    try:
        return _the_portal().call(work)
    except CancelledError:
        raise asyncio.CancelledError from None


class _Twin(Generic[S]):
    """Wraps one asynchronous object."""

    def __init__(self, original: S) -> None:
        self._original = original


def _blocking(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Any, P], R]:
    """The method of a twin that runs `method` of the original and waits."""

    @wraps(method)
    def call(self: _Twin[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return _wait(method(self._original, *args, **kwargs))

    return call


def _iterating(
    method: Callable[Concatenate[S, P], AsyncIterator[R]],
) -> Callable[Concatenate[Any, P], Iterator[R]]:
    """The method of a twin that iterates over what `method` of the original gives."""

    @wraps(method)
    def iterate(self: _Twin[S], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        iterator = method(self._original, *args, **kwargs)
        try:
            while True:
                try:
                    item = _wait(_next(iterator))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            close = getattr(iterator, "aclose", None)
            if close is not None:
                _wait(close())

    return iterate


async def _next(iterator: AsyncIterator[R]) -> R:
    return await anext(iterator)


class SyncHandle(_Twin[ExecutionHandle[T]], Generic[T]):
    """`ExecutionHandle`, blocking."""

    @property
    def id(self) -> str:
        """Of the execution."""
        return self._original.id

    @property
    def created(self) -> bool | None:
        """See `ExecutionHandle.created`."""
        return self._original.created

    def __repr__(self) -> str:
        return f"SyncHandle({self.id!r})"

    def result(self, timeout: float | None = None) -> T:
        """See `ExecutionHandle.result`."""
        return _wait(self._original.result(timeout))

    describe = _blocking(ExecutionHandle.describe)
    cancel = _blocking(ExecutionHandle.cancel)
    history = _iterating(ExecutionHandle.history)
    stream = _iterating(ExecutionHandle.stream)
    watch = _iterating(ExecutionHandle.watch)
    read_state = _blocking(ExecutionHandle.read_state)


class SyncSchedule(_Twin[ScheduleHandle]):
    """`ScheduleHandle`, blocking."""

    @property
    def id(self) -> str:
        """Of the schedule."""
        return self._original.id

    describe = _blocking(ScheduleHandle.describe)
    pause = _blocking(ScheduleHandle.pause)
    resume = _blocking(ScheduleHandle.resume)
    delete = _blocking(ScheduleHandle.delete)


class _SyncObject:
    """A durable object whose methods wait for their results."""

    def __init__(self, proxy: object) -> None:
        self._proxy = proxy

    def __repr__(self) -> str:
        return repr(self._proxy)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._proxy, name)
        if not isinstance(method, RemoteMethod):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            return _wait(method(*args, **kwargs))

        return call


class SyncClient(_Twin[Client]):
    """`Client`, blocking."""

    @overload
    def start(
        self,
        function: Callable[..., Coroutine[Any, Any, T]],
        /,
        *args: Any,
        **options: Unpack[StartKeywords],
    ) -> SyncHandle[T]: ...
    @overload
    def start(
        self,
        service: str,
        method: str,
        payload: Any = None,
        /,
        **options: Unpack[StartKeywords],
    ) -> SyncHandle[Any]: ...
    def start(self, function: Any, /, *args: Any, **options: Any) -> SyncHandle[Any]:
        """See `Client.start`."""
        start: Any = self._original.start
        return SyncHandle(_wait(start(function, *args, **options)))

    @property
    def namespace(self) -> str:
        """Of its executions."""
        return self._original.namespace

    def new_id(self) -> str:
        """See `Client.new_id`."""
        return self._original.new_id()

    @overload
    def get(self, id: str) -> SyncHandle[Any]: ...
    @overload
    def get(self, id: str, function: Callable[..., Coroutine[Any, Any, T]]) -> SyncHandle[T]: ...
    def get(self, id: str, function: object = None) -> SyncHandle[Any]:
        """See `Client.get`."""
        get: Any = self._original.get
        return SyncHandle(get(id, function))

    def object(self, cls: type[T], id: str) -> T:
        """See `Client.object`; its methods wait, whatever the class says of them."""
        return cast("T", _SyncObject(self._original.object(cls, id)))

    list = _iterating(Client.list)
    read_state = _blocking(Client.read_state)
    send_event = _blocking(Client.send_event)
    annotate = _blocking(Client.annotate)
    complete_promise = _blocking(Client.complete_promise)
    fail_promise = _blocking(Client.fail_promise)
    heartbeat_promise = _blocking(Client.heartbeat_promise)
    cancel = _blocking(Client.cancel)
    retry = _blocking(Client.retry)
    pause = _blocking(Client.pause)
    resume = _blocking(Client.resume)
    delete = _blocking(Client.delete)
    control = _blocking(Client.control)

    def fork(self, id: str, *, at: str, new_id: str | None = None) -> SyncHandle[Any]:
        """See `Client.fork`."""
        return SyncHandle(_wait(self._original.fork(id, at=at, new_id=new_id)))

    def schedule(
        self,
        function: Callable[..., Coroutine[Any, Any, Any]] | str,
        /,
        *args: Any,
        **options: Unpack[ScheduleKeywords],
    ) -> SyncSchedule:
        """See `Client.schedule`."""
        schedule: Any = self._original.schedule
        return SyncSchedule(_wait(schedule(function, *args, **options)))

    def get_schedule(self, id: str) -> SyncSchedule:
        """See `Client.get_schedule`."""
        return SyncSchedule(self._original.get_schedule(id))

    schedules = _blocking(Client.schedules)
    workers = _blocking(Client.workers)
    services = _blocking(Client.services)
    health = _blocking(Client.health)


class SyncRuntime:
    """The embedded runtime, blocking."""

    def __init__(self, client: SyncClient, drain: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.client = client
        self._drain = drain

    def drain(self) -> None:
        """Wait until nothing runs any more."""
        _wait(self._drain())


def run(
    function: Callable[..., Coroutine[Any, Any, T]], /, *args: Any, **options: Unpack[StartKeywords]
) -> T:
    """Start a function through the ambient client and wait for its result; see `Client.start`."""

    async def start_and_wait() -> T:
        client = await ambient_client()
        handle = await client.start(function, *args, **options)
        return await handle.result()

    return _wait(start_and_wait())


@contextmanager
def connect(
    endpoint: str | None = None,
    *,
    namespace: str | None = None,
    token: str | None = None,
    tls: Tls | None = None,
    ambient: bool = True,
    retry_s: float = 60.0,
) -> Iterator[SyncClient]:
    """See `perdure.connect`."""
    from perdure.client.connection import connect as connect_async

    block = connect_async(
        endpoint, namespace=namespace, token=token, tls=tls, ambient=ambient, retry_s=retry_s
    )
    with _entered(block) as client:
        yield SyncClient(client)


@contextmanager
def embedded(
    path: str | PathLike[str] | None = None,
    *,
    services: Sequence[Service] | None = None,
    namespace: str = "default",
    slots: int = 200,
    max_cached: int = 10_000,
    ambient: bool = True,
    retention: float = RETENTION_S,
) -> Iterator[SyncRuntime]:
    """See `perdure.embedded`."""
    from perdure.embedding import embedded as embedded_async

    block = embedded_async(
        path,
        services=services,
        namespace=namespace,
        slots=slots,
        max_cached=max_cached,
        ambient=ambient,
        retention=retention,
    )
    with _entered(block) as runtime:
        yield SyncRuntime(SyncClient(runtime.client), runtime.drain)


@contextmanager
def _entered(block: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep an asynchronous block open in the background while a blocking one runs."""
    opened = _wait(block.__aenter__())
    try:
        yield opened
    finally:
        _wait(block.__aexit__(None, None, None))
