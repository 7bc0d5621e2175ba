"""A disk that refuses to write or to sync, under a real coordinator: it ends and says why, and
nothing that it had acknowledged is lost."""

from __future__ import annotations

import asyncio
import resource
import signal
from pathlib import Path

import pytest

import perdure
from perdure import Client
from perdure.client.handle import ExecutionHandle
from tests.integration.apps.failing_sync import can_fail
from tests.integration.processes import CoordinatorProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.workers import WorkerProcess, killed_at_the_end, worker_environment
from tests.proof.counting import tried

APP = "tests.integration.apps.gated"
TEXT = "x" * 20_000
UNKNOWN_DISK = 70  # the exit code of a coordinator that does not know what is on its disk

pytestmark = pytest.mark.processes


def limit_files(pid: int, size_bytes: int) -> None:
    """No file of the process grows beyond this: its writes fail."""
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))
    tried(faults=1)


async def acknowledged_until_it_ends(
    client: Client, coordinator: CoordinatorProcess
) -> tuple[list[ExecutionHandle[int]], asyncio.Task[ExecutionHandle[int]]]:
    """Starts that were answered, and the one that was under way when the coordinator ended."""
    accepted: list[ExecutionHandle[int]] = []
    ended = asyncio.create_task(coordinator.wait())
    while True:
        start = asyncio.create_task(
            client.start("gated", "digest_of", TEXT, id=f"n{len(accepted)}")
        )
        async with asyncio.timeout(30):
            await asyncio.wait((start, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            assert UNKNOWN_DISK == ended.result()
            return accepted, start
        accepted.append(await start)


async def all_is_there(
    client: Client,
    coordinator: CoordinatorProcess,
    accepted: list[ExecutionHandle[int]],
    witness: Path,
) -> None:
    """Each execution that was acknowledged completes; there is no other."""
    worker = WorkerProcess(coordinator.endpoint, APP, witness)
    async with killed_at_the_end(worker):
        await worker.start()
        for handle in accepted:
            assert len(TEXT) == await handle.result(timeout=30)
    everything = [info.id async for info in client.list(service="gated")]
    assert sorted(handle.id for handle in accepted) == sorted(everything)


async def test_what_was_acknowledged_outlives_writes_that_fail(tmp_path: Path) -> None:
    async with (
        started_coordinator(tmp_path) as coordinator,
        perdure.connect(coordinator.endpoint, ambient=False) as client,
    ):
        largest = max(path.stat().st_size for path in tmp_path.iterdir())
        limit_files(coordinator.pid, largest + 200_000)
        accepted, under_way = await acknowledged_until_it_ends(client, coordinator)
        assert accepted
        assert (
            "the coordinator ends: StoreBroken: reading or writing the disk" in coordinator.told()
        )
        say(f"{len(accepted)} starts were acknowledged before the disk refused")

        await coordinator.start()  # with a disk that writes
        accepted.append(await under_way)  # its client has asked again
        await all_is_there(client, coordinator, accepted, tmp_path / "witness")


@pytest.mark.skipif(not can_fail(), reason="the kernel does not filter calls of a process here")
async def test_what_was_acknowledged_outlives_syncs_that_fail(tmp_path: Path) -> None:
    breaking = CoordinatorProcess(
        tmp_path / "perdure.db", environment=worker_environment(tmp_path / "witness")
    )
    breaking.module = "tests.integration.apps.failing_sync"
    await breaking.start()
    async with (
        killed_at_the_end(breaking),
        perdure.connect(breaking.endpoint, ambient=False) as client,
    ):
        first = await client.start("gated", "digest_of", TEXT, id="first")
        breaking.signal(signal.SIGUSR1)
        await breaking.says("syncs fail from now on")
        tried(faults=1)
        accepted, under_way = await acknowledged_until_it_ends(client, breaking)
        assert accepted == []
        assert "the coordinator ends: StoreBroken" in breaking.told()

        await breaking.start()  # on a disk that syncs
        accepted = [first, await under_way]
        await all_is_there(client, breaking, accepted, tmp_path / "witness")
