"""The simulated network: gRPC streams between processes, as `grpc.aio` shows them.

Each stream is a connection of its own. Messages of a stream keep their order and take their time;
those of different streams overtake each other. A connection that breaks loses what is in flight,
and its two ends hear of it at different times. What was handed to the network by a process that
dies may still arrive.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any, Final

import grpc
from grpc import aio

from perdure.testing.simulator.chaos import Chaos
from perdure.testing.simulator.loop import Process, SimulatedLoop, current_process
from perdure.testing.simulator.trace import Trace
from perdure_runtime.wire.v1.rpc import WORKER_SESSION

Metadata = tuple[tuple[str, str | bytes], ...]
Item = bytes | BaseException | None  # a message, the error it ended with, or its end
Lookup = Callable[[str], Any]  # the handler of a method, by path
Watch = Callable[["Wire", bool, bytes], None]

EOF: Final[Any] = getattr(aio, "EOF")  # noqa: B009 - the published types lack it
LATENCY_S: Final = (0.0001, 0.002)
JITTER: Final = 0.05
JITTER_S: Final = 0.05
DELAY_S: Final = 3.0
WRITE_S: Final = 0.0003
LATE_NEWS_S: Final = 5.0


def unavailable(reason: str) -> aio.AioRpcError:
    """What a caller gets when nobody is there."""
    empty = aio.Metadata()
    return aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, empty, empty, details=reason, debug_error_string=""
    )


class Network:
    """Where callers find the coordinator that listens.

    Args:
        stream: of random numbers, for how long everything takes.
        watch: sees each message when it is sent: the wire, whether by the handler, the bytes.
        kill: ends a process.
        freeze: stops a process for a while.
        stop: ends a worker in good order.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        stream: Random,
        chaos: Chaos,
        trace: Trace,
        watch: Watch,
        *,
        kill: Callable[[Process, str], None],
        freeze: Callable[[Process], None],
        stop: Callable[[Process], None],
    ) -> None:
        self.loop = loop
        self.stream = stream
        self.chaos = chaos
        self.trace = trace
        self.watch = watch
        self.kill = kill
        self.freeze = freeze
        self.stop = stop
        self._server: Process | None = None
        self._lookup: Lookup = lambda path: None
        self._wires: dict[int, Wire] = {}
        self._count = 0
        self._outside = loop.context_of(None)

    def listen(self, process: Process, lookup: Lookup) -> None:
        """Calls go to this process from now on."""
        self._server, self._lookup = process, lookup

    def server(self, path: str) -> tuple[Process | None, Any]:
        """Who answers, and with what."""
        if self._server is None or self._server.dead:
            return None, None
        return self._server, self._lookup(path)

    def open(self, path: str, metadata: Any, request: bytes | None = None) -> Wire:
        """A call of the running process."""
        self._count += 1
        wire = Wire(self, self._count, path, tuple(metadata or ()), request)
        self._wires[wire.number] = wire
        return wire

    def forget(self, wire: Wire) -> None:
        """It is over."""
        self._wires.pop(wire.number, None)

    def died(self, process: Process) -> None:
        """The other ends of its connections hear of it, after or before what it had sent."""
        for wire in list(self._wires.values()):
            if process in (wire.caller, wire.handler):
                wire.lose(self.stream.random() < 0.5, "connection reset by peer")

    def at(self, when_s: float, action: Callable[..., None], *args: Any) -> None:
        """Something that happens outside of all processes."""
        self.loop.call_at(when_s, action, *args, context=self._outside)

    def latency_s(self) -> float:
        """Of one message."""
        stream = self.stream
        if stream.random() < JITTER:
            return stream.uniform(0.0, JITTER_S)
        return stream.uniform(*LATENCY_S)


class End:
    """One end of a wire: what has arrived there and is not yet read."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._items: deque[Item] = deque()
        self._reader: asyncio.Future[None] | None = None
        self.over = False
        self.last_s = 0.0  # when the last message arrives that was sent to here

    def arrive(self, item: Item) -> None:
        """From the network."""
        if not self.over:
            self.over = not isinstance(item, bytes)
            self._items.append(item)
            if self._reader is not None and not self._reader.done():
                self._reader.set_result(None)

    async def peek(self) -> Item:
        """What is next; waits for it."""
        while not self._items:
            self._reader = self._loop.create_future()
            await self._reader
        return self._items[0]

    async def take(self) -> Item:
        """What is next; the end comes again and again."""
        item = await self.peek()
        if isinstance(item, bytes):
            self._items.popleft()
        return item


class Wire:
    """One call: a stream each way between the caller and the handler."""

    def __init__(
        self, network: Network, number: int, path: str, metadata: Metadata, request: bytes | None
    ) -> None:
        self.number = number
        self.path = path
        self.metadata = metadata
        self.caller = current_process()
        self.handler: Process | None = None
        self.is_session = path == WORKER_SESSION
        self._network = network
        self._request = request
        self._ends = {False: End(network.loop), True: End(network.loop)}  # key: the handler's
        self._broken = False
        self._task: asyncio.Task[None] | None = None
        self._greeted: asyncio.Future[None] = network.loop.create_future()
        caller = "client" if self.caller is None else self.caller.name
        self.name = f"{caller}#{number}"
        network.at(network.loop.time() + network.latency_s(), self._connect)

    def end(self, of_handler: bool) -> End:
        """One of the two."""
        return self._ends[of_handler]

    # --- the life of a call --------------------------------------------------------------------

    def _connect(self) -> None:
        network = self._network
        self.handler, handler = network.server(self.path)
        if self.handler is None or self._broken:
            self._tell_caller(unavailable("connection refused"))
            return
        network.trace.note(self.name, f"opened {self.path}")
        if handler is None:
            self._tell_caller(_status(grpc.StatusCode.UNIMPLEMENTED, self.path, ()))
            return
        self._task = network.loop.spawn(self.handler, self._handle(handler), f"wire {self.number}")

    async def _handle(self, handler: Any) -> None:
        context: Any = HandlerContext(self)
        try:
            if handler.stream_stream is not None:
                await handler.stream_stream(None, context)
            elif handler.unary_stream is not None:
                await handler.unary_stream(self._request, context)
            else:
                await context.write(await handler.unary_unary(self._request, context))
        except aio.AbortError:
            return
        except Exception as error:
            self._send(False, _status(grpc.StatusCode.UNKNOWN, repr(error), ()))
        else:
            self._send(False, None)

    def greet(self) -> None:
        """The handler has begun to answer."""
        network = self._network
        network.at(network.loop.time() + network.latency_s(), self._greet)

    def _greet(self) -> None:
        if not self._greeted.done() and not self._broken:
            self._greeted.set_result(None)

    def _tell_caller(self, error: BaseException) -> None:
        self._broken = True
        self._network.forget(self)
        self._ends[False].arrive(error)
        if not self._greeted.done():
            self._greeted.set_exception(error)
            self._greeted.exception()  # not everybody waits for it

    def lose(self, delivered: bool, reason: str) -> None:
        """The connection breaks.

        Args:
            delivered: whether what is in flight still arrives.
        """
        if self._broken:
            return
        network, now_s = self._network, self._network.loop.time()
        network.trace.note(self.name, f"lost: {reason}")
        network.forget(self)
        self._broken = not delivered
        stream = network.stream
        for of_handler in (False, True):
            late_s = stream.uniform(0.0, LATE_NEWS_S) if stream.random() < 0.2 else 0.0
            at_s = now_s + network.latency_s() + late_s
            if delivered:
                at_s = max(at_s, self._ends[of_handler].last_s)
            action = self._cancel if of_handler else self._lost
            network.at(at_s, action, reason)

    def _lost(self, reason: str) -> None:
        self._tell_caller(unavailable(reason))

    def _cancel(self, reason: str = "") -> None:
        self._broken = True
        if self._task is not None and self.handler is not None and not self.handler.dead:
            self._network.loop.call_soon(
                self._task.cancel, context=self._network.loop.context_of(self.handler)
            )

    def cancel(self) -> None:
        """The caller gives up."""
        if not self._broken:
            self._broken = True
            network = self._network
            network.forget(self)
            network.at(network.loop.time() + network.latency_s(), self._cancel)
        self._ends[False].arrive(_status(grpc.StatusCode.CANCELLED, "cancelled", ()))

    # --- messages ------------------------------------------------------------------------------

    async def greeted(self) -> None:
        """Wait for the handler's first sign of life."""
        await asyncio.shield(self._greeted)

    async def write(self, to_handler: bool, data: bytes) -> None:
        """Send a message; takes a moment. Faults of who sends happen here."""
        network, chaos = self._network, self._network.chaos
        sender = self.caller if to_handler else self.handler
        network.watch(self, not to_handler, data)
        dies = freezes = False
        if self.is_session and to_handler and sender is not None:
            dies, freezes = chaos.happens("worker_crash"), chaos.happens("freeze")
            if chaos.happens("worker_stop"):
                network.stop(sender)
        if not (dies and chaos.stream("worker_crash").random() < 0.5):
            self._send(to_handler, data)
        if dies and sender is not None:
            network.kill(sender, "crash")
        elif freezes and sender is not None:
            network.freeze(sender)
        if chaos.happens("drop"):
            self.lose(False, "connection dropped")
        elif not to_handler and chaos.happens("lost_answer"):
            self.lose(False, "answer lost")
        await asyncio.sleep(network.stream.uniform(0.0, WRITE_S))

    def _send(self, to_handler: bool, item: Item) -> None:
        network, end = self._network, self._ends[to_handler]
        if self._broken:
            return
        delay_s = network.latency_s()
        if network.chaos.happens("delay"):
            delay_s += network.chaos.stream("delay").uniform(0.0, DELAY_S)
        end.last_s = max(end.last_s + 1e-9, network.loop.time() + delay_s)
        network.at(end.last_s, self._arrive, to_handler, item)

    def _arrive(self, at_handler: bool, item: Item) -> None:
        if self._broken:
            return
        if isinstance(item, bytes):
            arrow = ">" if at_handler else "<"
            self._network.trace.note(self.name, f"{arrow} {len(item)} bytes", item)
        elif not at_handler:
            self._broken = True
            self._network.forget(self)
        if not at_handler:
            self._greet()
            if isinstance(item, BaseException) and not self._greeted.done():
                self._greeted.set_exception(item)
                self._greeted.exception()
        self._ends[at_handler].arrive(item)

    def done_writing(self) -> None:
        """The caller says no more."""
        self._send(True, None)

    def abort(self, error: BaseException) -> None:
        """The handler ends the call with an error."""
        self._send(False, error)


class HandlerContext:
    """The part of `grpc.aio.ServicerContext` that services use."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def invocation_metadata(self) -> Metadata:
        """See gRPC."""
        return self._wire.metadata

    async def send_initial_metadata(self, _: object) -> None:
        """See gRPC."""
        self._wire.greet()

    async def read(self) -> Any:
        """See gRPC."""
        item = await self._wire.end(True).take()
        return item if isinstance(item, bytes) else EOF

    async def write(self, data: bytes) -> None:
        """See gRPC."""
        await self._wire.write(False, data)

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing: Any = ()) -> None:
        """See gRPC."""
        self._wire.abort(_status(code, details, trailing))
        raise aio.AbortError


class CallerStream:
    """The caller's side of a stream, as `grpc.aio` has it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def wait_for_connection(self) -> None:
        """See gRPC."""
        await self._wire.greeted()

    async def read(self) -> Any:
        """See gRPC."""
        item = await self._wire.end(False).take()
        if isinstance(item, BaseException):
            raise item
        return EOF if item is None else item

    async def write(self, data: bytes) -> None:
        """See gRPC."""
        await self._wire.write(True, data)

    def done_writing(self) -> None:
        """See gRPC; at once."""
        self._wire.done_writing()

    def cancel(self) -> bool:
        """See gRPC."""
        self._wire.cancel()
        return True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(item := await self.read(), bytes):
            yield item


class SimulatedChannel:
    """The part of `grpc.aio.Channel` that clients use."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def stream_stream(self, path: str, *_: object) -> Callable[..., CallerStream]:
        """See gRPC."""
        return lambda _=None, metadata=(): CallerStream(self._network.open(path, metadata))

    def unary_stream(self, path: str, *_: object) -> Callable[..., CallerStream]:
        """See gRPC."""
        return lambda data, metadata=(): CallerStream(self._network.open(path, metadata, data))

    def unary_unary(self, path: str, *_: object) -> Callable[..., Any]:
        """See gRPC."""

        async def call(data: bytes, metadata: Any = ()) -> bytes:
            stream = CallerStream(self._network.open(path, metadata, data))
            try:
                reply = await stream.read()
                if not isinstance(reply, bytes):
                    raise unavailable("it ended without a reply")
                return reply
            finally:
                stream.cancel()

        return call

    async def close(self, grace: float | None = None) -> None:
        """See gRPC."""


def _status(code: grpc.StatusCode, details: str, trailing: Any) -> aio.AioRpcError:
    return aio.AioRpcError(
        code, aio.Metadata(), aio.Metadata(*trailing), details=details, debug_error_string=""
    )
