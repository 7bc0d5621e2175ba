"""The users' blocks in one process that kills itself at every place, and is run again.

Fail points, not timing, choose the place; their log proves that they fired. Enumeration ends when
a run passes without firing, so new places are covered by themselves.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.integration.apps.witness import WITNESS, seen
from tests.integration.blocks import BLOCKS, PATTERNS, Block, check_bodies
from tests.integration.telling import say
from tests.proof.counting import tried

ROOT = Path(__file__).parents[2]
AT_ONCE = 3
# `tests/crashpoints` and `tests/blocks` kill at every place within one process. Here a process
# costs seconds: one hit of three, or all of them when asked to.
STRIDE = 1 if os.environ.get("PERDURE_TEST_ALL_CRASHES") else 3
POINTS = {
    "after-receive": 0,
    "before-commit": 0,
    "after-commit-before-ack": 0,
    "timer-fired": 0,
    "after-step-body": 1,  # at least so many bodies must run again: their result was not reported
    "after-step-report": 0,
    "mid-replay": 0,
}

FEW_POINTS = ("before-commit", "after-commit-before-ack", "after-step-body")

pytestmark = [pytest.mark.processes, pytest.mark.slow]


async def run(block: Block, folder: Path, point: str, n: int) -> int:
    """The block's process, which dies at the n-th hit of the point (never, if n is 0)."""
    environment = {**os.environ, WITNESS: str(folder / "witness"), "PYTHONPATH": str(ROOT)}
    if n:
        environment["PERDURE_FAILPOINT"] = f"{point}:{n}"
        environment["PERDURE_FAILPOINT_LOG"] = str(folder / "fired")
    if point == "mid-replay":
        environment["PERDURE_TEST_MAX_CACHED"] = "0"
    program = "tests.integration.apps.embedded_block"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, block.name, str(folder / "perdure.db")),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), f"{point}:{n}: {errors.decode()}"
    return process.returncode


async def enumerate_kills(
    block: Block, point: str, folder: Path, room: asyncio.Semaphore
) -> tuple[int, int]:
    """Kill at the first, second, ... hit; returns how many kills, and how many bodies ran again."""
    again = 0
    for count, n in enumerate(range(1, 1000, block.stride * STRIDE)):
        place = folder / f"{point}-{n}"
        place.mkdir(parents=True)
        async with room:
            killed = await run(block, place, point, n) != 0
            if killed:
                assert (place / "fired").read_text().startswith(f"{point} ")
                assert 0 == await run(block, place, point, 0)
        least = POINTS[point] if killed else 0
        again += check_bodies(block, seen(place / "witness"), int(killed), least, block.at_once)
        if not killed:
            assert not (place / "fired").exists()
            return count, again
    raise AssertionError(f"{point} fired a thousand times")


async def kill_everywhere(blocks: Sequence[Block], points: Iterable[str], folder: Path) -> None:
    """All blocks at all points, a few processes at a time."""
    room = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        found = {
            (block, point): group.create_task(
                enumerate_kills(block, point, folder / block.name, room)
            )
            for block in blocks
            for point in points
        }
    for (block, point), task in found.items():
        kills, again = task.result()
        tried(cases=kills + 1, faults=kills)
        say(f"{block.name}: {point}: {kills} kills, {again} bodies ran again")
        assert kills or (point == "timer-fired" and block.name != "process_data")


@pytest.mark.timeout(600)
async def test_a_process_killed_anywhere_goes_on_where_it_was(tmp_path: Path) -> None:
    await kill_everywhere(BLOCKS, POINTS, tmp_path)


@pytest.mark.timeout(600)
async def test_orders_and_many_items_outlive_kills(tmp_path: Path) -> None:
    """Objects: one hit of four. The block on performance, with two batches: one of a hundred."""
    await kill_everywhere(PATTERNS, FEW_POINTS, tmp_path)
