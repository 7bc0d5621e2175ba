"""A worker process of a simulation: the real worker over a simulated session.

`SimulatedLink` does on the loop what `GrpcLink` and `WorkerStream` do on threads of their own, with
their delays: connect, say hello, beat, give up on silence, connect again. Like them it hands over
to the executor in batches, a moment later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

import grpc

from perdure.client.endpoint import REFUSALS, error_of
from perdure.testing.simulator.network import CallerStream, Network
from perdure.worker.link import LinkReceiver
from perdure.worker.session import DELAY_S, FIRST_DELAY_S, FRESH_DELAY_S, FRESH_S
from perdure.worker.stream import WELCOME_S, Unwelcome, welcome_in
from perdure.worker.threads import StepThreads
from perdure.worker.watch import SliceWatch
from perdure_runtime.core.errors import CoordinatorUnavailableError, PerdureError
from perdure_runtime.core.messages import (
    CoordinatorMessage,
    Heartbeat,
    Hello,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.wire.v1.rpc import WORKER_SESSION
from perdure_runtime.wire.v1.streams import join, read_coordinator_frame, worker_chunks
from perdure_runtime.wire.v1.version import protocol_metadata

STEP_S = 0.05


class SimulatedStream:
    """One stream: see `WorkerStream`."""

    def __init__(self, network: Network) -> None:
        self._loop = network.loop
        self._call = CallerStream(network.open(WORKER_SESSION, (protocol_metadata(),)))
        self._chunks: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._finished = False
        self._silence_s = self._heartbeat_s = WELCOME_S
        self._heard_s = self._loop.time()
        self._writing = self._loop.create_task(self._write(), name="link writes")

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """Queue messages."""
        self._chunks.extend(worker_chunks(messages))
        self._wake.set()

    def keep_alive(self, lease_ms: int) -> None:
        """Send heartbeats from now on, and expect the coordinator's."""
        self._silence_s = lease_ms / 1000
        self._heartbeat_s = lease_ms / 3000
        self._wake.set()

    async def receive(self) -> list[CoordinatorMessage]:
        """The next frame. Raises as `WorkerStream.receive`."""
        try:
            data = await self._call.read()
        except grpc.RpcError as raised:
            error = error_of(raised)
            if raised.code() in REFUSALS:
                raise Unwelcome(error) from None
            raise error from None
        if not isinstance(data, bytes):
            raise CoordinatorUnavailableError("the coordinator ended the session")
        self._heard_s = self._loop.time()
        return read_coordinator_frame(data)

    def finish(self) -> None:
        """Send what is queued, then end the session."""
        self._finished = True
        self._wake.set()

    def close(self) -> None:
        """End the session now."""
        self._call.cancel()
        self._writing.cancel()

    async def _write(self) -> None:
        heartbeat = worker_chunks([Heartbeat()])[0]
        while True:
            while self._chunks:
                await self._call.write(join(self._chunks))
            if self._finished:
                self._call.done_writing()
                return
            began_s = self._loop.time()
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            else:
                self._wake.clear()
                continue
            now_s = self._loop.time()
            if now_s - began_s > 2 * self._heartbeat_s:
                self._heard_s = now_s
            if now_s - self._heard_s > self._silence_s:
                self._call.cancel()
                return
            await self._call.write(heartbeat)


class SimulatedLink:
    """A `WorkerLink`: see `GrpcLink`."""

    def __init__(self, network: Network, stream: Random) -> None:
        self._network = network
        self._loop = network.loop
        self._random = stream
        self._receiver: LinkReceiver
        self._news: deque[Callable[[], object]] = deque()
        self._open: SimulatedStream | None = None
        self._stream: SimulatedStream | None = None
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.told: Callable[[Sequence[CoordinatorMessage]], None] = lambda messages: None

    def open(self, receiver: LinkReceiver) -> None:
        """Start to connect; returns at once."""
        self._receiver = receiver
        self._task = self._loop.create_task(self._run(), name="link")

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """Queue messages for the next frame; dropped while disconnected."""
        if self._stream is not None:
            self._stream.send(messages)

    def connect_again(self) -> None:
        """See `GrpcLink`."""
        if self._open is not None:
            self._open.finish()

    async def close(self, grace_s: float = 5.0) -> None:
        """Send what is queued and end the session. Calling it again changes nothing."""
        self._closing.set()
        if self._task is None or self._task.done():
            return
        if self._open is not None:
            self._open.finish()
        done, _ = await asyncio.wait((self._task,), timeout=grace_s)
        if not done:
            if self._open is not None:
                self._open.close()
            await asyncio.wait((self._task,))
        self._stream = None

    def _connected(self, stream: SimulatedStream, welcome: Welcome) -> None:
        self._stream = stream
        self._receiver.connected(welcome)

    def _disconnected(self, error: Exception | None) -> None:
        self._stream = None
        self._receiver.disconnected(error)

    def _tell(self, news: Callable[[], object]) -> None:
        self._news.append(news)
        if len(self._news) == 1:
            self._loop.call_later(self._random.uniform(0.0, 0.001), self._arrive)

    def _arrive(self) -> None:
        try:
            while self._news:
                self._news.popleft()()
        finally:
            if self._news:
                self._loop.call_soon(self._arrive)

    async def _run(self) -> None:
        attempt, broken_s = 0, self._loop.time()
        while not self._closing.is_set():
            try:
                await self._session()
                attempt, broken_s = 0, self._loop.time()
            except Unwelcome as unwelcome:
                self._tell(partial(self._receiver.refused, unwelcome.error))
                return
            except PerdureError:
                attempt += 1
            fresh = self._loop.time() - broken_s < FRESH_S
            delay_s = min(FIRST_DELAY_S * 2**attempt, FRESH_DELAY_S if fresh else DELAY_S)
            try:
                async with asyncio.timeout(delay_s * self._random.uniform(0.5, 1.0)):
                    await self._closing.wait()
            except TimeoutError:
                continue

    async def _session(self) -> None:
        hello = await self._hello()
        if self._closing.is_set():
            return
        stream = SimulatedStream(self._network)
        try:
            self._open = stream
            stream.send([hello])
            while (begun := welcome_in(await stream.receive())) is None:
                pass
            welcome, rest = begun
            stream.keep_alive(welcome.lease_ms)
            self._tell(partial(self._connected, stream, welcome))
            if rest:
                self._tell(partial(self._receive, rest))
            self._tell(partial(self._disconnected, await self._deliver(stream)))
        finally:
            self._open = None
            stream.close()

    async def _deliver(self, stream: SimulatedStream) -> Exception | None:
        error: Exception
        try:
            while True:
                self._tell(partial(self._receive, await stream.receive()))
        except Unwelcome as unwelcome:
            error = unwelcome.error
        except PerdureError as raised:
            error = raised
        return None if self._closing.is_set() else error

    def _receive(self, messages: Sequence[CoordinatorMessage]) -> None:
        self.told(messages)
        self._receiver.receive(messages)

    async def _hello(self) -> Hello:
        answer: asyncio.Future[Hello] = self._loop.create_future()
        self._tell(lambda: answer.set_result(self._receiver.hello()))
        return await answer


class LoopSteps(StepThreads):
    """Synchronous steps run on the loop, each a little later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: Random) -> None:
        super().__init__(0)
        self._loop = loop
        self._random = stream

    def submit(self, job: Callable[[], None]) -> None:
        """See `StepThreads`."""
        self._loop.call_later(self._random.uniform(0.0, STEP_S), job)


class NoWatch(SliceWatch):
    """Virtual time does not pass in a slice."""

    def start(self) -> None:
        """There is nothing to watch."""

    def stop(self) -> None:
        """There is no thread."""
