"""The users' blocks over real server and worker processes, each killed at every place.

As in `test_kill_embedded`, but here only one of the two dies: a worker's death must cost no more
than the bodies that it was running, a coordinator's no result at all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import perdure
from tests.integration.apps.witness import seen
from tests.integration.blocks import BLOCKS, Block, check_bodies, check_execution
from tests.integration.processes import CoordinatorProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.workers import (
    WorkerProcess,
    arm,
    killed_at_the_end,
    started_again,
)

APP = "tests.integration.apps.primitives"
SETTINGS = {"resume_ms": 300}
WORKER_POINTS = {"after-step-body": 1, "after-step-report": 0, "mid-replay": 0}
COORDINATOR_POINTS = ("after-receive", "before-commit", "after-commit-before-ack", "timer-fired")

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


async def kill_workers(
    block: Block, point: str, folder: Path, coordinator: CoordinatorProcess
) -> tuple[int, int]:
    """One execution per hit of the point, on a coordinator that stays; kills and bodies again."""
    again = 0
    options = ("--max-cached", "0") if point == "mid-replay" else ()
    for n in range(1, 1000):
        place = folder / f"{point}-{n}"
        place.mkdir()
        worker = WorkerProcess(
            coordinator.endpoint, APP, place / "witness", *options, namespace=point
        )
        connected = perdure.connect(coordinator.endpoint, namespace=point, ambient=False)
        async with connected as client, killed_at_the_end(worker):
            arm(worker, point, n, place / "fired")
            await worker.start()
            handle = await block.start(client, f"{block.name}-{n}")
            async with started_again(worker):
                await check_execution(block, client, handle)
        killed = (place / "fired").exists()
        least = WORKER_POINTS[point] if killed else 0
        again += check_bodies(block, seen(place / "witness"), int(killed), least, block.at_once)
        if not killed:
            return n - 1, again
    raise AssertionError(f"{point} fired a thousand times")


async def kill_coordinators(block: Block, point: str, folder: Path) -> tuple[int, int]:
    """One execution per hit of the point; the worker stays, and finds the coordinator again."""
    folder.mkdir()
    again = 0
    coordinator = CoordinatorProcess(folder / "perdure.db", settings=SETTINGS)
    await coordinator.start()
    await coordinator.kill()  # it keeps the port that it had
    worker = WorkerProcess(coordinator.endpoint, APP, folder / "witness")
    async with killed_at_the_end(worker, coordinator):
        await worker.start()
        for n in range(1, 1000):
            arm(coordinator, point, n, folder / f"fired-{n}")
            await coordinator.start()
            before = len(seen(folder / "witness"))
            connected = perdure.connect(coordinator.endpoint, ambient=False)
            async with connected as client, started_again(coordinator):
                handle = await block.start(client, f"{block.name}-{n}")
                await check_execution(block, client, handle)
            killed = (folder / f"fired-{n}").exists()
            lines = seen(folder / "witness")[before:]
            again += check_bodies(block, lines, int(killed), 0, block.at_once)
            if not killed:
                return n - 1, again
            await coordinator.kill()
    raise AssertionError(f"{point} fired a thousand times")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
async def test_a_worker_killed_anywhere_costs_only_what_it_ran(
    block: Block, tmp_path: Path
) -> None:
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        found = {
            point: group.create_task(kill_workers(block, point, tmp_path, coordinator))
            for point in WORKER_POINTS
        }
    for point, task in found.items():
        kills, again = task.result()
        say(f"{block.name}: worker at {point}: {kills} kills, {again} bodies ran again")
        assert kills


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
async def test_a_coordinator_killed_anywhere_loses_nothing(block: Block, tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        found = {
            point: group.create_task(kill_coordinators(block, point, tmp_path / point))
            for point in COORDINATOR_POINTS
        }
    for point, task in found.items():
        kills, again = task.result()
        say(f"{block.name}: coordinator at {point}: {kills} kills, {again} bodies ran again")
        assert kills or (point == "timer-fired" and block.name != "process_data")
