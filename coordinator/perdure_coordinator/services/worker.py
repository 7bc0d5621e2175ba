"""`WorkerService`: one stream per worker process.

It joins a stream to an engine session: the first message is `Hello`, each frame goes to the engine
whole, and what the engine says is queued and written in batches. While the engine is congested the
stream is not read, and the silence is not held against the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final

import grpc
from grpc import aio

from perdure_coordinator.access import admitted, check_access
from perdure_coordinator.services.calls import (
    Context,
    Desk,
    ServiceHandler,
    errors_as_status,
)
from perdure_coordinator.services.streams import FrameWriter, first_of
from perdure_runtime.core.errors import CoordinatorUnavailableError, PerdureError, ProtocolError
from perdure_runtime.core.messages import CoordinatorMessage, Heartbeat, Hello
from perdure_runtime.wire.v1.pages import StoredPage
from perdure_runtime.wire.v1.rpc import WORKER_SERVICE
from perdure_runtime.wire.v1.status import refused
from perdure_runtime.wire.v1.streams import coordinator_chunks, read_worker_frame

_LOG = logging.getLogger("perdure.coordinator")
CONGESTED_S: Final = 1.0
HELLO_S: Final = 10.0


class StreamPort:
    """The engine's way back to a worker."""

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer

    def send(self, messages: Sequence[CoordinatorMessage]) -> None:
        """Queue messages as one chunk."""
        with self._closed_by_errors():
            for chunk in coordinator_chunks(messages):
                self._writer.put(chunk)

    def send_page(self, page: StoredPage) -> None:
        """Queue a page of a journal as one chunk."""
        with self._closed_by_errors():
            self._writer.put(page.encoded())

    @contextlib.contextmanager
    def _closed_by_errors(self) -> Iterator[None]:
        try:
            yield
        except PerdureError as error:
            _LOG.error("a message cannot be sent to its worker: %s", error)
            self._writer.close(error)

    def close(self, reason: str) -> None:
        """End the stream after what is queued; the worker connects again."""
        self._writer.close(CoordinatorUnavailableError(reason))


class WorkerService:
    """The service over one engine."""

    def __init__(self, desk: Desk, heartbeat_s: float) -> None:
        self._desk = desk
        self._heartbeat_s = heartbeat_s

    def handler(self) -> ServiceHandler:
        """What the server registers."""
        return grpc.method_handlers_generic_handler(
            WORKER_SERVICE, {"Session": grpc.stream_stream_rpc_method_handler(self._session)}
        )

    async def _session(self, _: object, context: Context) -> None:
        async with errors_as_status(context):
            self._desk.check_open()
            writer = FrameWriter()
            with self._desk.opened(writer):
                await self._serve(context, writer)

    async def _serve(self, context: Context, writer: FrameWriter) -> None:
        engine = self._desk.engine
        try:
            hello, rest = _first(await asyncio.wait_for(context.read(), HELLO_S))
            check_access(hello, admitted())
            session_id = engine.connect(StreamPort(writer), hello)
        except TimeoutError:
            raise ProtocolError(f"no Hello within {HELLO_S:g} s") from None
        except CoordinatorUnavailableError:
            raise  # a refusal would be for good
        except PerdureError as error:
            with contextlib.suppress(aio.UsageError, aio.BaseError):
                for chunk in coordinator_chunks([refused(error)]):
                    await context.write(chunk)
            raise
        try:
            if rest:
                engine.receive(session_id, rest)
            await first_of(
                asyncio.create_task(self._read(session_id, context)),
                asyncio.create_task(writer.run(context)),
                asyncio.create_task(_beat(writer, self._heartbeat_s)),
            )
        finally:
            engine.disconnect(session_id)

    async def _read(self, session_id: str, context: Context) -> None:
        """Hand every frame to the engine until the worker closes its side."""
        engine = self._desk.engine
        while True:
            while engine.congested:
                engine.heartbeat(session_id)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(engine.room(), CONGESTED_S)
            data = await context.read()
            if not isinstance(data, bytes):
                return
            self._desk.check_open()  # the engine has ended its sessions: that is no one's mistake
            engine.receive(session_id, read_worker_frame(data))


def _first(data: bytes | object) -> tuple[Hello, Sequence[Any]]:
    """The Hello of the first frame and what came with it."""
    if not isinstance(data, bytes):
        raise ProtocolError("the stream ended before its Hello")
    messages = read_worker_frame(data)
    if not messages or not isinstance(messages[0], Hello):
        raise ProtocolError("the first message of a session must be Hello")
    return messages[0], messages[1:]


async def _beat(writer: FrameWriter, every_s: float) -> None:
    """Tell the worker that the coordinator is there."""
    (chunk,) = coordinator_chunks([Heartbeat()])
    while True:
        await asyncio.sleep(every_s)
        writer.put(chunk)
