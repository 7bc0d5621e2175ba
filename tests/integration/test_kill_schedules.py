"""The coordinator dies at every place around a tick: none is lost, none is started twice (8)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import perdure
from perdure_runtime.core.schedules import ScheduleName, execution_id
from tests.integration.processes import CoordinatorProcess
from tests.integration.workers import WorkerProcess, arm, killed_at_the_end, started_again

APP = "tests.integration.apps.steered"
EVERY_MS = 100

pytestmark = [pytest.mark.processes, pytest.mark.slow]


async def kill_at(point: str, n: int, folder: Path) -> bool:
    """Whether the point was reached n times; checks that every tick has its one execution."""
    folder.mkdir()
    fired = folder / "fired"
    coordinator = CoordinatorProcess(folder / "perdure.db", settings={"resume_ms": 300})
    arm(coordinator, point, n, fired)
    async with killed_at_the_end(coordinator):
        await coordinator.start()
        worker = WorkerProcess(coordinator.endpoint, APP, folder / "witness")
        async with (
            killed_at_the_end(worker),
            perdure.connect(coordinator.endpoint, ambient=False) as client,
            started_again(coordinator),
        ):
            await worker.start()
            handle = await client.schedule(
                "steered", "tells", 1, id="s", every=0.1, overlap="queue", backfill="all"
            )
            async with asyncio.timeout(60):
                while (info := await handle.describe()).started < 6:
                    await asyncio.sleep(0.05)
                await handle.pause()
                info = await handle.describe()
            found = {each.id async for each in client.list(id_prefix="s@")}
            assert info.last is not None
            created_ms = round(info.created.timestamp() * 1000)
            last_ms = round(info.last.timestamp() * 1000)
            ticks = range(created_ms + EVERY_MS, last_ms + 1, EVERY_MS)
            name = ScheduleName("default", "s")
            assert {execution_id(name, tick) for tick in ticks} == found
            assert (0, len(ticks)) == (info.skipped, info.started)
    return fired.exists()


@pytest.mark.parametrize(
    "point",
    ["schedule-due", "schedule-start", "before-commit", "in-commit", "after-commit-before-ack"],
)
async def test_each_tick_starts_exactly_one_execution(tmp_path: Path, point: str) -> None:
    assert await kill_at(point, 1, tmp_path / "1")
    assert await kill_at(point, 3, tmp_path / "3")
