"""What the machine itself can do, in the same run: nothing of ours is faster than these."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Awaitable, Callable

import grpc.aio

ROUNDS = 500


async def fsync() -> dict[str, float]:
    """Synced appends of 256 bytes a second, one at a time; the median in ms beside it."""
    took: list[float] = []
    with tempfile.NamedTemporaryFile(dir=".") as file:
        for _ in range(ROUNDS):
            before = time.perf_counter()
            os.write(file.fileno(), b"x" * 256)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - before)
    return {"value": ROUNDS / sum(took), "median_ms": sorted(took)[ROUNDS // 2] * 1000}


async def ping() -> dict[str, float]:
    """Unary gRPC round trips a second within this process; the median in ms beside it."""

    async def echo(request: bytes, context: object) -> bytes:
        return request

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("floor.Floor", {"Echo": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    took: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/floor.Floor/Echo", None, None)
        for _ in range(ROUNDS):
            before = time.perf_counter()
            await call(b"x" * 100)
            took.append(time.perf_counter() - before)
    await server.stop(None)
    return {"value": ROUNDS / sum(took), "median_ms": sorted(took)[ROUNDS // 2] * 1000}


FLOORS: dict[str, Callable[[], Awaitable[dict[str, float]]]] = {"fsync": fsync, "ping": ping}
