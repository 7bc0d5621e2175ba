"""A payment provider over HTTP for the Node example: charges once for each idempotency key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class PaymentProvider:
    """What the handler `payments/charge` asks for money.

    While it is held, requests get no answer: whoever asks is in the middle of its handler.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []  # the key of every request, in order
        self.charged: dict[str, float] = {}  # what each key has paid
        self.failures_left = 0  # so many requests are answered with 503
        self.open = 0
        self.open_max = 0
        self.endpoint = ""
        self._free = asyncio.Event()
        self._news = asyncio.Condition()

    def hold(self) -> None:
        """Answer nobody until `release`."""
        self._free.clear()

    def release(self) -> None:
        """Answer everybody, the waiting ones too."""
        self._free.set()

    async def until_asked(self, times: int) -> None:
        """Wait until there have been so many requests."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= times)

    async def until_left(self) -> None:
        """Wait until nobody waits for an answer any more."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: self.open == 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            headers = dict(
                line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line
            )
            charge = json.loads(await reader.readexactly(int(headers["content-length"])))
            await self._counted(1, headers["idempotency-key"])
            try:
                await self._answer(headers["idempotency-key"], charge["amount"], reader, writer)
            finally:
                await self._counted(-1)
        finally:
            writer.close()
            with suppress(ConnectionError):  # killed, the asker does not say good-bye
                await writer.wait_closed()

    async def _answer(
        self, key: str, amount: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        free = asyncio.create_task(self._free.wait())
        gone = asyncio.create_task(reader.read())
        await asyncio.wait((free, gone), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        if not free.done():
            free.cancel()
            return
        status = "200 OK"
        if self.failures_left:
            self.failures_left -= 1
            status = "503 Service Unavailable"
        else:
            self.charged.setdefault(key, amount)
        body = json.dumps({"receipt": f"receipt-{key[:8]}"}).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        with suppress(ConnectionError):
            writer.write(head.encode() + body)
            await writer.drain()

    async def _counted(self, change: int, key: str = "") -> None:
        async with self._news:
            self.open += change
            self.open_max = max(self.open_max, self.open)
            if key:
                self.asked.append(key)
            self._news.notify_all()


@asynccontextmanager
async def payment_provider() -> AsyncIterator[PaymentProvider]:
    """A provider that listens on a free port and answers at once."""
    provider = PaymentProvider()
    provider.release()
    server = await asyncio.start_server(provider.serve, "127.0.0.1")
    provider.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/charges"
    try:
        yield provider
    finally:
        provider.release()
        server.close()
        await server.wait_closed()
        await provider.until_left()
