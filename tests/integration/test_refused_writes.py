"""A disk that refuses to write, under a real coordinator: it ends and says why; nothing is lost."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import pytest

import perdure
from perdure.client.handle import ExecutionHandle
from tests.integration.processes import started_coordinator
from tests.integration.telling import say
from tests.integration.workers import WorkerProcess, killed_at_the_end
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


async def test_what_was_acknowledged_outlives_writes_that_fail(tmp_path: Path) -> None:
    async with (
        started_coordinator(tmp_path) as coordinator,
        perdure.connect(coordinator.endpoint, ambient=False) as client,
    ):
        accepted: list[ExecutionHandle[int]] = [await client.start("gated", "digest_of", TEXT)]
        largest = max(path.stat().st_size for path in tmp_path.iterdir())
        limit_files(coordinator.pid, largest + 200_000)
        ended = asyncio.create_task(coordinator.wait())
        number = 0
        while not ended.done():
            number += 1
            start = asyncio.create_task(client.start("gated", "digest_of", TEXT, id=f"n{number}"))
            await asyncio.wait((start, ended), return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                accepted.append(await start)
        assert UNKNOWN_DISK == await ended
        assert (
            "the coordinator ends: StoreBroken: reading or writing the disk" in coordinator.told()
        )
        say(f"{len(accepted)} starts were acknowledged before the disk refused")

        await coordinator.start()  # with a disk that writes
        accepted.append(await start)  # its client has asked again
        worker = WorkerProcess(coordinator.endpoint, APP, tmp_path / "witness")
        async with killed_at_the_end(worker):
            await worker.start()
            for handle in accepted:
                assert len(TEXT) == await handle.result(timeout=30)
        everything = [info.id async for info in client.list(service="gated")]
        assert sorted(handle.id for handle in accepted) == sorted(everything)
