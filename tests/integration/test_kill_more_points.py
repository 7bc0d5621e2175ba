"""Three blocks, killed for real at the points that only real processes have, or that are rarer.

As `test_kill_processes`; every point is hit for n = 1, 2, 3, ... until a run passes it.
"""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import perdure
from tests.integration.apps.witness import seen
from tests.integration.blocks import BLOCKS, Block, check_bodies, check_execution
from tests.integration.kills import SETTINGS, kill_coordinators, kill_workers
from tests.integration.processes import CoordinatorProcess, PythonProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.watching import until
from tests.integration.workers import WorkerProcess, arm, killed_at_the_end, started_again

APP = "tests.integration.apps.primitives"
THREE = [block for block in BLOCKS if block.name in ("process_data", "data_pipeline")] + [
    block for block in BLOCKS if block.name == "stateful_processing"
]
STAGES = 3  # of a shutdown that a fail point marks

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


def whole(endpoint: str, witness: Path, namespace: str, point: str) -> PythonProcess:
    """A worker for all blocks and what they call."""
    return WorkerProcess(endpoint, APP, witness, namespace=namespace)


@pytest.mark.parametrize(
    ("point", "block"), [("after-request", THREE[0]), ("before-dispatch", THREE[2])]
)
async def test_a_coordinator_killed_between_client_and_worker(
    tmp_path: Path, point: str, block: Block
) -> None:
    kills, again = await kill_coordinators(block, point, tmp_path / block.name, whole)
    say(f"{block.name}: coordinator at {point}: {kills} kills, {again} bodies ran again")
    assert kills


async def test_a_worker_killed_before_it_renews_its_leases(tmp_path: Path) -> None:
    settings, block = {**SETTINGS, "lease_ms": 150}, THREE[0]
    async with started_coordinator(tmp_path, settings=settings) as coordinator:
        place, folder = coordinator.endpoint, tmp_path / block.name
        kills, again = await kill_workers(block, "before-heartbeat", folder, place, whole)
    say(f"{block.name}: worker before-heartbeat: {kills} kills, {again} bodies ran again")
    assert kills


@pytest.mark.parametrize("block", THREE, ids=lambda block: block.name)
async def test_a_coordinator_killed_while_it_stops(tmp_path: Path, block: Block) -> None:
    witness = tmp_path / "witness"
    coordinator = CoordinatorProcess(tmp_path / "perdure.db", settings=SETTINGS)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(killed_at_the_end(coordinator))
        await coordinator.start()
        await coordinator.kill()
        worker = whole(coordinator.endpoint, witness, "default", "")
        await stack.enter_async_context(killed_at_the_end(worker))
        for n in range(1, STAGES + 2):
            fired, before = tmp_path / f"fired-{n}", len(seen(witness))
            arm(coordinator, "shutdown", n, fired)
            await coordinator.start()
            connected = perdure.connect(coordinator.endpoint, ambient=False)
            async with connected as client, started_again(coordinator):
                if n == 1:
                    await worker.start()
                handle = await block.start(client, f"{block.name}-{n}")

                async def began(before: int = before) -> bool:
                    return len(seen(witness)) > before

                await until(began)
                coordinator.signal(signal.SIGTERM)
                await check_execution(block, client, handle)
            kills = int(fired.exists())
            assert kills == (n <= STAGES)
            check_bodies(block, seen(witness)[before:], kills, 0, block.at_once)
            await coordinator.kill()
