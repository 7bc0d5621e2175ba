"""More work than a coordinator can take: it refuses, keeps its memory, and loses nothing.

The bound is derived from the settings and printed beside what was measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from grpc import aio

import perdure
from perdure.client.handle import ExecutionHandle
from perdure_runtime.core.errors import NotFoundError, OverloadedError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.wire.v1 import rpc
from perdure_runtime.wire.v1.client_requests import HistoryRequest
from perdure_runtime.wire.v1.version import protocol_metadata
from tests.integration.apps.gated import bulky, digest_of
from tests.integration.blocks import check_journal
from tests.integration.processes import CoordinatorProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.watching import stats_of
from tests.integration.workers import WorkerProcess, killed_at_the_end

APP = "tests.integration.apps.gated"
KIB, MIB = 1024, 1024 * 1024
PENDING_BYTES = 256 * KIB
RESIDENT = 500
INPUT = "x" * 10_000
CLIENTS = 300
ACCEPTED = 3_000
ENTRIES_BYTES = 40 * KIB  # of one resident execution with this input, with all its copies
READERS, PAGES, PAGE_BYTES = 12, 160, 100 * KIB
QUEUED_BYTES = 6 * MIB  # in the queue of a stream whose reader is slow, with one frame under way
SLACK_BYTES = 48 * MIB  # the allocator's, SQLite's caches, gRPC's buffers

pytestmark = [pytest.mark.processes, pytest.mark.slow]


class Peak:
    """The largest resident memory of a process while it was watched."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before_bytes = self.bytes = self._process.memory_info().rss

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self.bytes = max(self.bytes, self._process.memory_info().rss)
            await asyncio.sleep(0.02)

    @property
    def grown_bytes(self) -> int:
        """How much more it was than at the beginning."""
        return self.bytes - self.before_bytes


@asynccontextmanager
async def watched(coordinator: CoordinatorProcess) -> AsyncIterator[Peak]:
    """Watch the memory during a block."""
    peak = Peak(coordinator.pid)
    watching = asyncio.create_task(peak.watch())
    try:
        yield peak
    finally:
        watching.cancel()


@pytest.mark.timeout(240)
async def test_overload_is_refused_with_a_hint_and_what_was_accepted_finishes(
    tmp_path: Path,
) -> None:
    settings = {
        "pending_limit_bytes": PENDING_BYTES,
        "max_resident": RESIDENT,
        "max_finished": RESIDENT // 10,
    }
    accepted: list[ExecutionHandle[int]] = []
    refused: dict[str, OverloadedError] = {}
    async with started_coordinator(tmp_path, settings=settings) as coordinator:
        place = coordinator.endpoint
        worker = WorkerProcess(place, APP, tmp_path / "witness", "--slots", "4")
        connected = perdure.connect(place, ambient=False, retry_s=0.01)
        async with killed_at_the_end(worker), connected as client, watched(coordinator) as peak:
            await worker.start()

            async def hammer(number: int) -> None:
                count = 0
                while len(accepted) < ACCEPTED:
                    count += 1
                    id = f"{number}-{count}"
                    try:
                        accepted.append(await client.start(digest_of, INPUT, id=id))
                    except OverloadedError as error:
                        refused[id] = error
                        await asyncio.sleep(0)

            await asyncio.gather(*map(hammer, range(CLIENTS)))
            for handle in accepted:
                assert len(INPUT) == await handle.result()
            stats = await stats_of(place)
        bound_bytes = 2 * PENDING_BYTES + RESIDENT * ENTRIES_BYTES + SLACK_BYTES
        offered = len(accepted) + len(refused)
        say(
            f"overload: {offered} starts offered, {len(accepted)} accepted, {len(refused)} refused;"
            f" grew by {peak.grown_bytes / MIB:.0f} MiB of {bound_bytes / MIB:.0f} allowed; pending"
            f" at most {stats['peak_pending_bytes'] / KIB:.0f} KiB"
        )
        assert peak.grown_bytes < bound_bytes
        assert refused
        assert all(0 < error.retry_after <= 10 for error in refused.values())
        async with perdure.connect(place, ambient=False) as client:
            for id in list(refused)[:200]:
                with pytest.raises(NotFoundError):
                    await client.get(id).describe()
            assert len(accepted) == len([each async for each in client.list()])
            for handle in accepted[:: len(accepted) // 100]:
                check_journal([entry async for entry in client.get(handle.id).history()])


@pytest.mark.timeout(120)
async def test_readers_that_stop_reading_cost_no_more_than_their_queues(tmp_path: Path) -> None:
    async with (
        started_coordinator(tmp_path) as coordinator,
        perdure.connect(coordinator.endpoint, ambient=False) as client,
        aio.insecure_channel(f"127.0.0.1:{coordinator.port}") as channel,
    ):
        worker = WorkerProcess(coordinator.endpoint, APP, tmp_path / "witness")
        async with killed_at_the_end(worker):
            await worker.start()
            handle = await client.start(bulky, PAGES, PAGE_BYTES, id="bulky")
            assert PAGES * PAGE_BYTES == await handle.result()
            key = ExecutionKey("default", "bulky")
            request = rpc.encode_history_request(HistoryRequest(key, 0, False))
            async with watched(coordinator) as peak:
                open_history = channel.unary_stream(rpc.HISTORY_PATH, None, None)
                streams = [
                    open_history(request, metadata=(protocol_metadata(),)) for _ in range(READERS)
                ]
                for stream in streams:  # each has begun, and nobody reads on
                    assert await stream.read()
                again = await client.start(bulky, PAGES, PAGE_BYTES, id="while they wait")
                assert PAGES * PAGE_BYTES == await again.result()
                entries = [entry async for entry in again.history()]
                check_journal(entries)
                bound_bytes = READERS * QUEUED_BYTES + SLACK_BYTES
                say(
                    f"slow readers: {READERS} of {PAGES * PAGE_BYTES / MIB:.0f} MiB each; grew by "
                    f"{peak.grown_bytes / MIB:.0f} MiB of {bound_bytes / MIB:.0f} allowed"
                )
                assert peak.grown_bytes < bound_bytes < READERS * PAGES * PAGE_BYTES
            for stream in streams:
                stream.cancel()
