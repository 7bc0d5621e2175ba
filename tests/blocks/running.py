"""One run of a case in a world, with or without a crash, and what must be so afterwards."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from perdure._compose.kit import CrashPoint
from perdure_runtime.core import retry
from perdure_runtime.core.lifecycle import is_end
from tests.blocks.app import registered
from tests.blocks.cases import Case
from tests.blocks.journals import Found, compared, read
from tests.blocks.worlds import BOTH, COORDINATOR, World, make_world
from tests.integration.apps.witness import WITNESS, Seen, seen

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Crash:
    """What is to happen to a run.

    Args:
        write: the journal write, from 1, at which something dies; 0: nothing does.
        recorded: whether it reaches the disk before.
        dying: see `World`.
    """

    write: int = 0
    recorded: bool = False
    dying: str = BOTH

    def __str__(self) -> str:
        return f"{self.dying} dies {'after' if self.recorded else 'before'} write {self.write}"


@dataclass(slots=True)
class Run:
    """What a run left.

    Args:
        operations: what ran outside of the engine: name, execution and key.
    """

    found: Found
    writes: int
    crashed: bool
    lines: list[Seen] = field(default_factory=list)
    lost: set[Seen] | None = None

    @property
    def operations(self) -> Counter[tuple[str, str, str]]:
        """How often each operation outside of the engine ran: name, execution and key."""
        return Counter((line.name, line.execution, line.key) for line in self.lines)


async def run(case: Case, world: str, *, always_suspend: bool, crash: Crash = Crash()) -> Run:
    """Run a case in a world of its own."""
    point = CrashPoint(crash.write, crash.recorded) if crash.write else None
    with (
        tempfile.TemporaryDirectory() as folder,
        registered(),
        mock.patch.dict(os.environ, {WITNESS: f"{folder}/witness"}),
        mock.patch.object(retry, "JITTER", 0.0),  # so that all times are the same in all runs
    ):
        place = make_world(
            world, Path(folder), always_suspend=always_suspend, skips_time=case.skips_time
        )
        place.dying = crash.dying
        async with place.opened(point):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await case.drive(place)
                    await place.settle()
                    disk = await place.verify()
            except BaseException as error:
                error.add_note(f"{case.name}, {world}, {crash}: {_unfinished(place)}")
                raise
            coordinator = place.coordinator
            return Run(
                read(disk),
                coordinator.writes,
                coordinator.crashes > 0,
                seen(Path(folder) / "witness"),
                place.lost,
            )


def _unfinished(place: World) -> list[str]:
    rows = place.coordinator.disk.rows.values()
    return [
        f"{row.key.id} {row.target.name()} {row.status} {row.detail}"
        for row in rows
        if not is_end(row.status)
    ]


def check_calm(case: Case, done: Run, calm: Run) -> None:
    """A run in which nothing died: each body once, results and journals as in every other."""
    assert case.bodies == Counter(line.name for line in done.lines)
    assert {1} >= {*done.operations.values()}
    _check_equal(case, done, calm)


def check_crashed(case: Case, done: Run, calm: Run, crash: Crash, *, always_suspend: bool) -> None:
    """Nothing lost, nothing doubled: results, journals, states as in the calm run; only those
    bodies ran again whose record was lost by that very crash, once more, under the same key.

    A worker that outlives its coordinator reports what it ran, and runs nothing again; unless it
    keeps nothing alive: then what it had reported is lost with the coordinator that heard it.
    """
    _check_equal(case, done, calm)
    assert calm.operations.keys() == done.operations.keys()
    again = {operation for operation, runs in done.operations.items() if runs > 1}
    assert {*done.operations.values()} <= {1, 2}
    lost = {(line.name, line.execution, line.key) for line in done.lost or ()}
    assert again <= lost, f"it was recorded, and ran again: {again - lost}"
    if crash.dying == BOTH:
        assert again == lost
    if crash.dying == COORDINATOR and not always_suspend:
        assert not again


def _check_equal(case: Case, done: Run, calm: Run) -> None:
    one_way = case.one_after_the_other
    assert not (text := compared(calm.found, done.found, one_after_the_other=one_way)), text
