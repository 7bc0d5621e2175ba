"""Four workers and a script share a queue of prioritised tasks; workers are killed all the time.

The full size: `python -m tests.integration.test_shared_queue 10000`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import perdure
from perdure.tasks import PRIORITIES, Claim, Priority, TaskResult, Tasks, TaskSummary, WorkerRef
from tests.integration.processes import PythonProcess, started_coordinator
from tests.integration.workers import killed_at_the_end, worker_environment

pytestmark = pytest.mark.processes

WORKERS = 4
BATCH = 50
WORKS = re.compile("works")
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run was like."""

    tasks: int
    seconds: float
    creating_s: float
    kills: int
    begun_again: int
    by_script: int


async def share(directory: Path, count: int, kill_every_s: float) -> Figures:
    """Do all tasks; raises AssertionError when one was lost, doubled or out of order."""
    witness = directory / "witness"
    draw = random.Random(7)
    async with started_coordinator(directory, settings={"resume_ms": 200}) as coordinator:
        workers = [
            PythonProcess(
                "tests.integration.apps.task_worker",
                (coordinator.endpoint, f"worker-{n}", str(witness)),
                ready=WORKS,
                environment=worker_environment(directory / "other"),
            )
            for n in range(WORKERS)
        ]
        async with perdure.connect(coordinator.endpoint) as client, killed_at_the_end(*workers):
            book = Tasks(client)
            began_s = time.monotonic()
            created = await create(book, count, draw)
            creating_s = time.monotonic() - began_s
            await asyncio.gather(*(worker.start() for worker in workers))
            began_s = time.monotonic()
            killer = Killer(workers, kill_every_s, draw)
            killing = asyncio.create_task(killer.run())
            script = asyncio.create_task(by_hand(book))
            done = [id for batch in created for id in batch]
            async with asyncio.timeout(PATIENCE_S):
                results = await all_results(book, done)
            seconds = time.monotonic() - began_s
            killing.cancel()
            script.cancel()
            await asyncio.gather(killing, script, return_exceptions=True)
            assert all(result.success for result in results)
            found = {task.id: task for task in await book.list_tasks(queue="shared")}
            check(created, found)
            lines = [line.split() for line in witness.read_text().splitlines()]
            told = [id for id, _, _ in lines]
            assert len(told) == len(set(told)), "a task was completed twice"
            again = [task for task in found.values() if task.metadata.execution_count > 1]
            await check_histories(book, again)
            script_done = sum(r.output == "script" for r in results)
            return Figures(count, seconds, creating_s, killer.kills, len(again), script_done)


async def create(book: Tasks, count: int, draw: random.Random) -> list[list[str]]:
    """Tasks of all priorities; the ids of each batch and priority, in the order of their turns."""
    turns: dict[tuple[int, int], list[str]] = {}
    for first in range(0, count, BATCH):
        wanted: list[tuple[str, Priority]] = []
        for number in range(first, min(first + BATCH, count)):
            name = draw.choice(list(PRIORITIES))
            wanted.append((f"task-{number:06}", name))
            turns.setdefault((-PRIORITIES[name], first), []).append(wanted[-1][0])
        await asyncio.gather(
            *(
                book.create_task("work", draw.randrange(10), id=id, queue="shared", priority=name)
                for id, name in wanted
            )
        )
    return [turns[turn] for turn in sorted(turns)]


async def by_hand(book: Tasks) -> None:
    """The script works too, one task at a time."""

    async def handler(claim: Claim) -> str:
        await asyncio.sleep(0.02)
        return "script"

    await book.work("shared", handler, worker=WorkerRef("script", "human"), lease=30)


class Killer:
    """SIGKILLs one worker after the other, and starts it again."""

    def __init__(self, workers: list[PythonProcess], every_s: float, draw: random.Random) -> None:
        self.kills = 0
        self._workers = workers
        self._every_s = every_s
        self._draw = draw

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            victim = self._draw.choice(self._workers)
            await victim.kill()
            self.kills += 1
            await victim.start()


async def all_results(book: Tasks, ids: list[str]) -> list[TaskResult]:
    """Wait for all of them."""
    return list(await asyncio.gather(*(book.wait_for_task(id, timeout=None) for id in ids)))


def check(created: list[list[str]], found: dict[str, TaskSummary]) -> None:
    """All are done, and were begun by priority, then in the order of their creation."""
    assert {id for batch in created for id in batch} == found.keys()
    assert all(task.status == "completed" for task in found.values())
    begun = [[found[id].metadata.started_at for id in batch] for batch in created]
    times = [[time for time in batch if time is not None] for batch in begun]
    for earlier, later in itertools.pairwise(times):
        assert max(earlier) <= min(later)


async def check_histories(book: Tasks, again: list[TaskSummary]) -> None:
    """Tasks whose worker died were given back, begun again, and completed once."""
    for summary in again[:50]:
        task = await book.get_task(summary.id)
        assert task is not None
        types = [event.type for event in task.events]
        assert types.count("completed") == 1
        assert types.count("released") == summary.metadata.execution_count - 1


async def test_four_workers_and_a_script_share_a_queue(tmp_path: Path) -> None:
    figures = await share(tmp_path, 3_000, 1.5)
    assert figures.kills >= 1
    assert figures.by_script >= 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        figures = asyncio.run(share(Path(place), int(sys.argv[1]), 2.0))
        sys.stdout.write(f"{figures}\n")
