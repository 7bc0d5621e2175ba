"""What much of something costs: the programs of the load tests, in sizes that the caller chooses.

Real coordinator and worker processes, except where only the engine is measured. Every figure is
printed; what must hold is asserted here, so that tests and `make load` ask the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import psutil

import perdure
from perdure.client.grpc_transport import GrpcTransport
from perdure_runtime.core.client import StartRequest
from perdure_runtime.core.entries import Target
from perdure_runtime.core.payload import Payload
from tests.integration.processes import CoordinatorProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.workers import WorkerProcess, killed_at_the_end

APP: Final = "tests.integration.apps.loads"
MIB: Final = 1024 * 1024
BATCH: Final = 500


@asynccontextmanager
async def site(
    folder: Path, *options: str, settings: Mapping[str, object] | None = None
) -> AsyncIterator[tuple[CoordinatorProcess, WorkerProcess, perdure.Client]]:
    """A coordinator, a worker and a client."""
    async with started_coordinator(folder, settings=settings) as coordinator:
        worker = WorkerProcess(coordinator.endpoint, APP, folder / "witness", *options)
        async with (
            killed_at_the_end(worker),
            perdure.connect(coordinator.endpoint, ambient=False) as client,
        ):
            await worker.start()
            yield coordinator, worker, client


async def start_many(
    coordinator: CoordinatorProcess, method: str, count: int, data: bytes = b"null"
) -> float:
    """Start so many in batches; seconds that it took."""
    transport = GrpcTransport(coordinator.endpoint)
    began_s = time.monotonic()
    digest = data[:16].ljust(16, b".")
    try:
        for first in range(0, count, BATCH):
            batch = [
                StartRequest(
                    "default",
                    f"{method}-{n}",
                    f"{method}-{n}",
                    Target("loads", method),
                    Payload(data, digest=digest),
                )
                for n in range(first, min(first + BATCH, count))
            ]
            await asyncio.gather(*map(transport.start, batch))
    finally:
        await transport.close()
    return time.monotonic() - began_s


async def counted(client: perdure.Client, **filters: Any) -> int:
    """How many executions there are."""
    return len([info async for info in client.list(**filters)])


def resident_bytes(process: CoordinatorProcess) -> int:
    """Of a process."""
    rss: int = psutil.Process(process.pid).memory_info().rss
    return rss


async def timers_at_one_instant(folder: Path, count: int, wait_s: float) -> None:
    """`count` sleeps that end at the same moment: all fire, none before it."""
    due_s = time.time() + wait_s
    async with site(folder) as (coordinator, _, client):
        data = str(due_s).encode()
        took_s = await start_many(coordinator, "sleeps_until", count, data)
        left_s = due_s - time.time()
        while await counted(client, status="completed", id_prefix="sleeps_until") < count:
            await asyncio.sleep(0.2)
        done_s = time.time() - due_s
        early = [
            n
            for n in range(0, count, max(1, count // 200))
            if await client.get(f"sleeps_until-{n}").result() < 0
        ]
        say(
            f"{count} timers at one instant: started in {took_s:.1f} s, {left_s:.1f} s before; "
            f"the last flow ended {done_s:.1f} s after"
        )
        assert left_s > 0, "they were to be waiting by then; give more time"
        assert not early, "fired before its time"


async def waiting_executions(folder: Path, count: int, restart_within_s: float) -> None:
    """`count` executions that wait for an event: what they cost in memory, and at a restart."""
    settings = {"max_resident": 2_000}
    async with site(folder, "--max-cached", "200", settings=settings) as (coordinator, _, client):
        empty = resident_bytes(coordinator)
        took_s = await start_many(coordinator, "waits", count)
        while await counted(client, status=("queued", "running"), id_prefix="waits-"):
            await asyncio.sleep(0.2)
        full = resident_bytes(coordinator)
        began_s = time.monotonic()
        await coordinator.kill()
        await coordinator.start()
        restart_s = time.monotonic() - began_s
        fresh = resident_bytes(coordinator)
        for n in range(0, count, max(1, count // 20)):
            await client.send_event("wake", n, execution=f"waits-{n}", dedupe_id=str(n))
            assert n == await client.get(f"waits-{n}").result(timeout=60)
        say(
            f"{count} waiting: started in {took_s:.1f} s; {(full - empty) / count:.0f} bytes each, "
            f"{(full - empty) / MIB:.0f} MiB in all; restart in {restart_s:.1f} s, "
            f"then {(fresh - empty) / MIB:.0f} MiB more than empty"
        )
        assert restart_s < restart_within_s
        assert full - empty < 120 * MIB + 400 * count
        assert fresh - empty < 60 * MIB + 400 * count


async def duplicate_starts(folder: Path, count: int) -> None:
    """The same start `count` times at once: one execution, one result, one run of its step."""
    async with site(folder) as (_, _, client):
        handles = await asyncio.gather(
            *(client.start("loads", "once", 7, id="same") for _ in range(count))
        )
        results = await asyncio.gather(*(handle.result() for handle in handles))
        assert [7] * count == results
        assert 1 == await counted(client)
        lines = (folder / "witness").read_text().splitlines()
        assert 1 == len(lines), lines
        say(f"{count} equal starts: one execution")


async def long_journal(folder: Path, entries: int, part: int, ratio: float) -> None:
    """One execution with a journal of so many entries: what a step costs at its end."""
    async with site(folder) as (_, _, client):
        handle = await client.start("loads", "many_steps", [entries, part], id="long")
        times = await handle.result(timeout=600)
        first, last = min(times[1:4]), min(times[-3:])  # the others of this machine are about too
        say(
            f"a journal of {entries} entries: {part} steps took {first:.2f} s at the beginning, "
            f"{last:.2f} s at the end"
        )
        assert last < first * ratio + 0.2


async def slow_consumer(folder: Path, count: int) -> None:
    """One worker of one slot for many executions: they wait, nothing is lost, memory is bounded."""
    async with site(folder, "--slots", "1") as (coordinator, _, client):
        empty = resident_bytes(coordinator)
        data = b'"' + b"x" * 10_000 + b'"'
        await start_many(coordinator, "small", count, data)
        while await counted(client, status="completed") < count:
            await asyncio.sleep(0.2)
        grown = resident_bytes(coordinator) - empty
        say(f"a slow consumer of {count} executions: grew by {grown / MIB:.0f} MiB")
        assert grown < 100 * MIB


__all__ = [
    "duplicate_starts",
    "long_journal",
    "slow_consumer",
    "timers_at_one_instant",
    "waiting_executions",
]
