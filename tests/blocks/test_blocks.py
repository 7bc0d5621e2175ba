"""Every block of the users' page, in the testing kit, on a SQLite file and over gRPC, with a crash
at every journal write, its bodies kept alive or replayed all the time: equal results and journals.

All runs of a block, in all three worlds, are compared with one calm run in memory: what is compared
is said in `tests.blocks.journals`. Services count their calls in a file outside of the engine: a
body runs again only if its record was lost by that very crash. The block on registering services is
a worker of its own, so it is killed as one: `tests.integration.test_kill_processes`.

A crash comes before or after a write, with bodies alive or replayed. In memory each write is
crashed at in all four ways. In the other worlds it is crashed at in one of them, which goes round
from write to write and from block to block; over gRPC it also goes round who dies: the coordinator
(the worker and the client find it again), the worker, or both. Cases with a `stride` are long: one
of so many of their writes is crashed at, everywhere in one of the ways.
`PERDURE_TEST_ALL_CRASHES=1` crashes at every write in every way in every world.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from itertools import count
from zlib import crc32

import pytest

from tests.blocks.cases import CASES
from tests.blocks.running import Crash, Run, check_calm, check_crashed, run
from tests.blocks.worlds import BOTH, COORDINATOR, WORKER, WORLDS

ALL = bool(os.environ.get("PERDURE_TEST_ALL_CRASHES"))
MODES = {"cached": False, "suspended": True}
BEFORE_AND_AFTER = (False, True)
calm_runs: dict[str, Run] = {}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A crash is told of as one; here there are thousands."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def calm(name: str) -> Run:
    """The run that all others of a block are compared with."""
    if name not in calm_runs:
        calm_runs[name] = await run(CASES[name], "memory", always_suspend=False)
    return calm_runs[name]


def crashes_at(name: str, world: str, write: int) -> list[tuple[bool, Crash]]:
    """In which ways to crash at a write: whether bodies are replayed, and the crash."""
    dying = (BOTH, COORDINATOR, WORKER) if world == "grpc" else (BOTH,)
    ways = [
        (suspended, Crash(write, recorded, who))
        for who in dying
        for recorded in BEFORE_AND_AFTER
        for suspended in MODES.values()
    ]
    stride = CASES[name].stride
    if ALL or (world == "memory" and stride == 1):
        return ways
    return [ways[(crc32(name.encode()) + write // stride) % len(ways)]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", CASES)
async def test_a_block(name: str, world: str, mode: str) -> None:
    """Nothing dies: results are as the page says, and journals the same everywhere."""
    done = await run(CASES[name], world, always_suspend=MODES[mode])
    check_calm(CASES[name], done, await calm(name))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", CASES)
async def test_a_block_with_a_crash_at_every_write(name: str, world: str) -> None:
    case, expected = CASES[name], await calm(name)
    crashes = 0
    for write in count(1, 1 if ALL else case.stride):
        ways = crashes_at(name, world, write)
        before = crashes
        for suspended, crash in ways:
            done = await run(case, world, always_suspend=suspended, crash=crash)
            crashes += done.crashed
            try:
                check_crashed(case, done, expected, crash, always_suspend=suspended)
            except AssertionError as error:
                error.add_note(f"{name}, {world}, suspended={suspended}, {crash}")
                raise
        if crashes == before:
            break
    assert crashes * case.stride >= 3, "it has a beginning and an end, at least"
