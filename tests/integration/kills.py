"""One block, one fail point, all its hits: who is killed, restarted, and what must then be true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import perdure
from tests.integration.apps.witness import seen
from tests.integration.blocks import Block, check_bodies, check_execution
from tests.integration.processes import CoordinatorProcess, PythonProcess
from tests.integration.workers import arm, killed_at_the_end, started_again

SETTINGS: Final = {"resume_ms": 300}
WORKER_POINTS: Final = {  # so many bodies must run again: their result had not been reported
    "after-step-body": 1,
    "after-step-report": 0,
    "mid-replay": 0,
}
COORDINATOR_POINTS: Final = (
    "after-receive",
    "before-commit",
    "in-commit",
    "after-commit-before-ack",
    "timer-fired",
)

MakeWorker = Callable[[str, Path, str, str], PythonProcess]
"""Of endpoint, witness, namespace and the fail point that is going to be enumerated."""

_MANY: Final = 1_000


async def kill_workers(
    block: Block,
    point: str,
    folder: Path,
    endpoint: str,
    make: MakeWorker,
    beside: MakeWorker | None = None,
) -> tuple[int, int]:
    """Kill the worker at the first, second, ... hit, on a coordinator that stays.

    Args:
        beside: makes another worker, that lives.

    Returns:
        How many kills there were, and how many bodies ran again.
    """
    folder.mkdir()
    witness, namespace = folder / "witness", folder.name
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            perdure.connect(endpoint, namespace=namespace, ambient=False)
        )
        if beside is not None:
            other = beside(endpoint, witness, namespace, "")
            await stack.enter_async_context(killed_at_the_end(other))
            await other.start()
        again = 0
        for count, n in enumerate(range(1, _MANY, block.stride)):
            fired, before = folder / f"fired-{n}", len(seen(witness))
            worker = make(endpoint, witness, namespace, point)
            async with killed_at_the_end(worker):
                arm(worker, point, n, fired)
                await worker.start()
                handle = await block.start(client, f"{block.name}-{n}")
                async with started_again(worker):
                    await check_execution(block, client, handle)
            kills = int(fired.exists())
            least = WORKER_POINTS.get(point, 0)
            again += check_bodies(block, seen(witness)[before:], kills, least, block.at_once)
            if not kills:
                return count, again
    raise AssertionError(f"{point} fired a thousand times")


async def kill_coordinators(
    block: Block, point: str, folder: Path, *make: MakeWorker
) -> tuple[int, int]:
    """Kill the coordinator at the first, second, ... hit; the workers stay, and find it again.

    Returns:
        How many kills there were, and how many bodies ran again.
    """
    folder.mkdir()
    witness = folder / "witness"
    coordinator = CoordinatorProcess(folder / "perdure.db", settings=SETTINGS)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(killed_at_the_end(coordinator))
        await coordinator.start()  # it keeps its port from now on
        await coordinator.kill()
        workers = [each(coordinator.endpoint, witness, "default", "") for each in make]
        await stack.enter_async_context(killed_at_the_end(*workers))
        again = 0
        for count, n in enumerate(range(1, _MANY, block.stride)):
            fired, before = folder / f"fired-{n}", len(seen(witness))
            arm(coordinator, point, n, fired)
            await coordinator.start()
            connected = perdure.connect(coordinator.endpoint, ambient=False)
            async with connected as client, started_again(coordinator):
                if n == 1:
                    await asyncio.gather(*(worker.start() for worker in workers))
                handle = await block.start(client, f"{block.name}-{n}")
                await check_execution(block, client, handle)
            kills = int(fired.exists())
            again += check_bodies(block, seen(witness)[before:], kills, 0, block.at_once)
            if not kills:
                return count, again
            await coordinator.kill()
    raise AssertionError(f"{point} fired a thousand times")
