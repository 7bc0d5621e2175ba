"""The writing half of a stream: chunks are queued at once and leave in as few frames as possible.

While one frame is being written the next gathers: no timers, no tuning. The queue is bounded: a
reader that is too slow loses its stream, not the coordinator its memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from perdure_coordinator.services.calls import Context, stopping
from perdure_runtime.core.errors import OverloadedError, PerdureError
from perdure_runtime.wire.v1.streams import join

QUEUE_BYTES: Final = 64 * 1024 * 1024
ROOM_BYTES: Final = 4 * 1024 * 1024


class FrameWriter:
    """Queue and writer of one stream. `put` and `close` never block."""

    def __init__(self, limit_bytes: int = QUEUE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._chunks: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._overflow = asyncio.Event()
        self._closed = False
        self._error: PerdureError | None = None

    def put(self, chunk: bytes) -> None:
        """Queue an encoded frame; dropped when the stream is closed already."""
        if self._closed:
            return
        self._chunks.append(chunk)
        self._queued_bytes += len(chunk)
        if self._queued_bytes > ROOM_BYTES:
            self._room.clear()
            if self._queued_bytes > self._limit_bytes:
                self._chunks.clear()
                self.close(OverloadedError(f"{self._queued_bytes} bytes wait to be read: too slow"))
                self._overflow.set()
                return
        self._wake.set()

    def close(self, error: PerdureError | None = None) -> None:
        """End the stream after what is queued, with an error or well. The first call counts."""
        if not self._closed:
            self._closed = True
            self._error = error
            self._wake.set()
            self._room.set()

    async def drain(self) -> None:
        """The coordinator stops: end after what is queued."""
        self.close(stopping())

    async def room(self) -> None:
        """Wait until little is queued; for producers that can wait."""
        await self._room.wait()

    async def run(self, context: Context) -> None:
        """Write until the queue is closed and empty; raises what `close` was given."""
        await first_of(
            asyncio.create_task(self._write(context)), asyncio.create_task(self._overflow_raised())
        )

    async def _overflow_raised(self) -> None:
        """A reader that does not read keeps `_write` in its frame for ever: end it from here."""
        await self._overflow.wait()
        assert self._error is not None
        raise self._error

    async def _write(self, context: Context) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._chunks:
                frame = join(self._chunks)
                await context.write(frame)
                self._queued_bytes -= len(frame)
                if self._queued_bytes <= ROOM_BYTES:
                    self._room.set()
            if self._closed:
                if self._error is not None:
                    raise self._error
                return


async def first_of(*coroutines: asyncio.Task[None]) -> None:
    """Wait for the first to end, cancel the others, raise what the first raised."""
    try:
        done, _ = await asyncio.wait(coroutines, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in coroutines:
            task.cancel()
        await asyncio.gather(*coroutines, return_exceptions=True)
    for task in done:
        task.result()
