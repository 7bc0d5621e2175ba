"""How worker and client reach a coordinator on another thread of their process.

The worker link and the client transport hand the same values over that a wire would carry. This
module does not run user code; that is the worker's executor.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Final, Generic, TypeVar

from perdure._compose.coordinator import EmbeddedCoordinator
from perdure.client.transport import Transport
from perdure.worker.link import LinkReceiver
from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    ControlReply,
    ControlRequest,
    Description,
    ListReply,
    ListRequest,
    MethodInfo,
    Outcome,
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
    TaskReply,
    TaskRequest,
    WorkerInfo,
)
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import CoordinatorUnavailableError, PerdureError, ProtocolError
from perdure_runtime.core.messages import CoordinatorMessage, Hello, Welcome, WorkerMessage
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest
from perdure_runtime.failpoints import failpoint
from perdure_runtime.wire.v1.pages import StoredPage

T = TypeVar("T")
AGAIN_S: Final = 0.1


class EmbeddedLink:
    """A worker link without a wire: batches of values from thread to thread."""

    def __init__(self, coordinator: EmbeddedCoordinator) -> None:
        self._coordinator = coordinator
        self._receiver: LinkReceiver
        self._home: asyncio.AbstractEventLoop
        self._session_id = ""
        self._outgoing = Hatch[WorkerMessage](self._pass_on)
        self._incoming = Hatch[CoordinatorMessage](self._arrive)
        self._heartbeat: asyncio.TimerHandle | None = None
        self.port: _Port | None = None
        self._closed = False

    def open(self, receiver: LinkReceiver) -> None:
        """Register the worker; returns at once. Call it on the executor's loop."""
        self._receiver = receiver
        self._home = asyncio.get_running_loop()
        self._incoming.loop = self._home
        self._outgoing.loop = self._coordinator.loop
        self.connect_again()

    def connect_again(self) -> None:
        """Begin a session, and end the one before: the worker has other methods now."""
        self._coordinator.loop.call_soon_threadsafe(self._connect, self._receiver.hello())

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """Hand messages to the engine's thread, in one call for all that piles up."""
        self._outgoing.put(messages)

    async def close(self, grace_s: float = 5.0) -> None:
        """End the session. Twice is once."""
        if not self._closed:
            self._closed = True

            async def disconnect(engine: Engine) -> None:
                if self._heartbeat is not None:
                    self._heartbeat.cancel()
                engine.disconnect(self._session_id)

            with contextlib.suppress(CoordinatorUnavailableError):
                await self._coordinator.call(disconnect)

    # On the engine's loop.

    def _connect(self, hello: Hello) -> None:
        self.port = _Port(self)
        try:
            self._session_id = self._coordinator.engine.connect(self.port, hello)
        except CoordinatorUnavailableError:
            self.closed(self.port, "the engine is reloading")
            return
        except PerdureError as error:
            self._home.call_soon_threadsafe(self._receiver.refused, error)
            return
        if self._heartbeat is None:
            self._beat()

    def _beat(self) -> None:
        failpoint("before-heartbeat")
        self._coordinator.engine.heartbeat(self._session_id)
        self._heartbeat = self._coordinator.loop.call_later(1.0, self._beat)

    def _pass_on(self, messages: list[WorkerMessage]) -> None:
        try:
            self._coordinator.engine.receive(self._session_id, messages)
        except (ProtocolError, CoordinatorUnavailableError) as error:
            if not self._closed and not self._home.is_closed():
                self._home.call_soon_threadsafe(self._lost, error)

    def deliver(self, messages: Sequence[CoordinatorMessage]) -> None:
        """Messages of the engine, on its loop, for the executor's loop."""
        self._incoming.put(messages)

    def closed(self, port: _Port, reason: str) -> None:
        """The engine ended the session, say because it reloads after the disk was full."""
        if port is self.port and not self._closed and not self._home.is_closed():
            again = functools.partial(self._lost, ProtocolError(reason))
            self._coordinator.loop.call_later(AGAIN_S, self._home.call_soon_threadsafe, again)

    # On the executor's loop.

    def _lost(self, error: PerdureError) -> None:
        """The session was taken from us, say after the machine had slept: begin another."""
        self._receiver.disconnected(error)
        self.connect_again()

    def _arrive(self, messages: list[CoordinatorMessage]) -> None:
        rest: list[CoordinatorMessage] = []
        for message in messages:
            if isinstance(message, Welcome):
                self._receiver.connected(message)
            else:
                rest.append(message)
        if rest:
            self._receiver.receive(rest)


class Hatch(Generic[T]):
    """Hands items over to another thread's loop, in order, all that piled up at once."""

    def __init__(self, take: Callable[[list[T]], None]) -> None:
        self.loop: asyncio.AbstractEventLoop
        self._take = take
        self._lock = threading.Lock()
        self._items: list[T] = []

    def put(self, items: Sequence[T]) -> None:
        """From any thread. Dropped when the other loop is closed."""
        with self._lock:
            first = not self._items
            self._items.extend(items)
        if first and items:
            with contextlib.suppress(RuntimeError):  # closed in this moment
                self.loop.call_soon_threadsafe(self._pass)

    def _pass(self) -> None:
        with self._lock:
            items, self._items = self._items, []
        self._take(items)


class _Port:
    """The engine's way to an embedded worker."""

    def __init__(self, link: EmbeddedLink) -> None:
        self._link = link

    def send(self, messages: Sequence[CoordinatorMessage]) -> None:
        """Hand over."""
        self._link.deliver(messages)

    def send_page(self, page: StoredPage) -> None:
        """Hand over, read."""
        self._link.deliver([page.opened()])

    def close(self, reason: str) -> None:
        """The engine has given up on the session."""
        self._link.closed(self, reason)


class EmbeddedTransport(Transport):
    """Client calls handed to the engine's thread."""

    def __init__(self, coordinator: EmbeddedCoordinator) -> None:
        self._coordinator = coordinator

    async def start(self, request: StartRequest) -> StartReply:
        return await self._coordinator.call(lambda engine: engine.start(request))

    async def describe(self, namespace: str, id: str) -> Description:
        return await self._coordinator.call(lambda engine: engine.describe(namespace, id))

    async def wait(self, namespace: str, id: str) -> Outcome:
        return await self._coordinator.call(lambda engine: engine.wait(namespace, id))

    async def list(self, request: ListRequest) -> ListReply:
        return await self._coordinator.call(lambda engine: engine.list(request))

    async def control(self, request: ControlRequest) -> ControlReply:
        return await self._coordinator.call(lambda engine: engine.control(request))

    async def send_event(self, request: SendEventRequest) -> SendEventReply:
        return await self._coordinator.call(lambda engine: engine.send_event(request))

    async def settle_promise(self, request: SettlePromiseRequest) -> SettlePromiseReply:
        return await self._coordinator.call(lambda engine: engine.settle_promise(request))

    async def schedule(self, request: ScheduleRequest) -> ScheduleReply:
        return await self._coordinator.call(lambda engine: engine.schedule(request))

    async def update_tasks(self, request: TaskRequest) -> TaskReply:
        return await self._coordinator.call(lambda engine: engine.update_tasks(request))

    async def claim_task(self, request: ClaimRequest) -> ClaimReply:
        return await self._coordinator.call(lambda engine: engine.claim_task(request))

    async def read_state(self, namespace: str, id: str) -> dict[str, Payload]:
        return await self._coordinator.call(lambda engine: engine.read_state(namespace, id))

    async def read_object_state(self, namespace: str, class_name: str, key: str) -> Payload:
        return await self._coordinator.call(
            lambda engine: engine.read_object_state(namespace, class_name, key)
        )

    async def list_workers(self, namespace: str) -> Sequence[WorkerInfo]:
        async def ask(engine: Engine) -> list[WorkerInfo]:
            return engine.list_workers(namespace)

        return await self._coordinator.call(ask)

    async def list_methods(self, namespace: str) -> Sequence[MethodInfo]:
        async def ask(engine: Engine) -> list[MethodInfo]:
            return engine.list_methods(namespace)

        return await self._coordinator.call(ask)

    async def stats(self) -> dict[str, float]:
        async def ask(engine: Engine) -> dict[str, float]:
            return engine.stats.snapshot() | engine.gauges()

        return await self._coordinator.call(ask)

    async def health(self) -> dict[str, str]:
        return {"status": "serving", "database": self._coordinator.database}

    async def history(
        self, namespace: str, id: str, from_index: int, follow: bool, values_only: bool = False
    ) -> AsyncIterator[Recorded]:
        async for recorded in self._pumped(
            lambda engine: engine.history(namespace, id, from_index, follow, values_only)
        ):
            yield recorded

    async def watch(self, namespace: str, id: str) -> AsyncIterator[Description]:
        async for description in self._pumped(lambda engine: engine.watch(namespace, id)):
            yield description

    async def _pumped(self, read: Callable[[Engine], AsyncGenerator[T, None]]) -> AsyncIterator[T]:
        """What the engine gives on its loop, on this one."""
        home = asyncio.get_running_loop()
        queue: asyncio.Queue[T | BaseException | None] = asyncio.Queue()

        async def pump(engine: Engine) -> None:
            try:
                async with contextlib.aclosing(read(engine)) as items:
                    async for item in items:
                        home.call_soon_threadsafe(queue.put_nowait, item)
                home.call_soon_threadsafe(queue.put_nowait, None)
            except PerdureError as error:
                home.call_soon_threadsafe(queue.put_nowait, error)

        reading = asyncio.ensure_future(self._coordinator.call(pump))
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            reading.cancel()

    async def close(self) -> None:
        """Nothing of its own to close; the runtime closes the coordinator."""
