"""A TCP proxy that misbehaves as networks do, between workers, clients and a coordinator.

Bytes are never changed, doubled or reordered: TCP does not allow it. What it allows is all here:
connections that are cut, reset or refused, that stall in one direction or in both, that are half
open, and that trickle.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Final

CHUNK: Final = 65_536
TRICKLE_S: Final = 0.002
TRICKLE_BYTES: Final = 64


class Weather(Enum):
    """What happens to bytes."""

    CALM = "calm"
    STALL_UP = "stall up"  # what workers and clients say does not arrive
    STALL_DOWN = "stall down"  # what the coordinator says does not arrive
    STALL = "stall"  # both: half open, nobody notices by the connection
    TRICKLE = "trickle"  # a few bytes at a time
    REFUSE = "refuse"  # new connections are closed at once


class Proxy:
    """One listening port in front of another one."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._weather = Weather.CALM
        self._changed = asyncio.Event()
        self.port = 0
        self.done: Counter[str] = Counter()

    @property
    def endpoint(self) -> str:
        """For clients and workers."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End everything."""
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def become(self, weather: Weather) -> None:
        """From now on, for connections that are open and that come."""
        self._weather = weather
        self.done[weather.value] += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def cut(self, *, reset: bool = False) -> None:
        """End every open connection, with a FIN or with a RST; bytes on the way are lost."""
        self.done["reset" if reset else "cut"] += 1
        for writer in list(self._writers):
            if reset:
                taken: socket.socket | None = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    if taken is not None:
                        linger = struct.pack("ii", 1, 0)
                        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._weather is Weather.REFUSE:
            self.done["refused"] += 1
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, up_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                self._pump(reader, up_writer, Weather.STALL_UP),
                self._pump(up_reader, writer, Weather.STALL_DOWN),
            )
        except OSError:
            pass
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stall: Weather
    ) -> None:
        while data := await reader.read(CHUNK):
            while self._weather in (stall, Weather.STALL):
                await self._changed.wait()
            if self._weather is Weather.TRICKLE:
                for start in range(0, len(data), TRICKLE_BYTES):
                    writer.write(data[start : start + TRICKLE_BYTES])
                    await writer.drain()
                    if self._weather is Weather.TRICKLE:
                        await asyncio.sleep(TRICKLE_S)
            else:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    """A proxy in front of a port, for the duration of a block."""
    proxy = Proxy(port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
