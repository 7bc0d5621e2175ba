"""Processes that share one embedded file; see `tests.integration.apps.shared_file`."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import perdure
from tests.integration.apps.witness import seen
from tests.integration.blocks import check_journal
from tests.integration.processes import PythonProcess
from tests.integration.workers import killed_at_the_end, worker_environment

ONCE: Final = ("step_completed", "timer_fired", "execution_ended")
OPEN: Final = re.compile(r"open (\d+) host=(\d+)")


class SharingProcess(PythonProcess):
    """One process that opens the file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            "tests.integration.apps.shared_file",
            (str(folder / "perdure.db"),),
            ready=OPEN,
            environment=worker_environment(folder / "witness"),
        )

    async def host(self) -> int:
        """Which process hosts the file, as this one sees it."""
        return int((await self.answer("host", r"^host=(\d+)"))[1])

    async def end(self) -> None:
        """Have it leave in peace."""
        self.tell("end")
        async with asyncio.timeout(30):
            assert 0 == await self.wait(), self.told()


@asynccontextmanager
async def sharing(folder: Path, count: int) -> AsyncIterator[list[SharingProcess]]:
    """So many processes on one file; the first is started alone, and so hosts it."""
    processes = [SharingProcess(folder) for _ in range(count)]
    async with killed_at_the_end(*processes):
        await processes[0].start()
        await asyncio.gather(*(process.start() for process in processes[1:]))
        yield processes


def expected(count: int) -> int:
    """What `start COUNT` sums up to."""
    return sum((number + 1) * 100 for number in range(count))


async def check_orders(folder: Path, count: int, killed: set[int]) -> int:
    """Every order has one complete journal, and no survivor has repeated an effect.

    Args:
        killed: processes whose steps may have run again elsewhere.

    Returns:
        How many bodies ran again.
    """
    runs = seen(folder / "witness")
    effects = {(run.name, run.key) for run in runs}
    assert {"reserve": count, "charge": count} == Counter(name for name, _ in effects)
    survivors = Counter((run.name, run.key) for run in runs if run.pid not in killed)
    assert all(times == 1 for times in survivors.values()), survivors.most_common(3)
    async with perdure.embedded(folder / "perdure.db", services=[], ambient=False) as runtime:
        statuses = Counter([info.status async for info in runtime.client.list()])
        assert {"completed": 2 * count} == statuses  # with one child each
        for number in range(0, count, max(1, count // 10)):
            entries = [e async for e in runtime.client.get(f"order-{number}").history()]
            check_journal(entries)
            kinds = Counter(entry.kind for entry in entries)
            assert (2, 1, 1) == tuple(kinds[kind] for kind in ONCE), kinds
    return len(runs) - len(effects)
