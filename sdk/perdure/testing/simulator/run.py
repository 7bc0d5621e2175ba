"""`simulate`: one run of a program, from its seed to what it left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any, Final

from perdure.client.ambient import made_ambient
from perdure.registry import isolated_registry
from perdure.testing.simulator.faults import Faults
from perdure.testing.simulator.invariants import broken_invariants
from perdure.testing.simulator.loop import Stuck
from perdure.testing.simulator.observer import Observer
from perdure.testing.simulator.program import Program, Run
from perdure.testing.simulator.world import SimulatedWorld
from perdure_runtime.core.entries import Recorded
from perdure_runtime.loop import install, simulated_reality
from perdure_runtime.wire.v1.entries import decode_entry

DRIVE_S: Final = 900.0
"""Virtual time that a program has once nothing goes wrong any more."""
SETTLE_S: Final = 300.0
LOOK_S: Final = 0.5
USUAL: Final = Faults()
NO_SETTINGS: Final[Mapping[str, int]] = {}


def simulate(
    program: Program,
    seed: int,
    faults: Faults = USUAL,
    *,
    settings: Mapping[str, int] = NO_SETTINGS,
    keep_lines: bool = False,
) -> Run:
    """Run a program once, with what goes wrong drawn from the seed.

    Not for use on a thread with a running event loop; other threads are left alone.

    Args:
        settings: of workers and coordinators, instead of what the seed draws; see
            `world.SETTINGS`.
        keep_lines: keep what happened, readable, in the run.

    Returns:
        the run, with what it broke in `violations`.
    """
    install()
    collecting = gc.isenabled()
    gc.disable()  # what it finalizes, and when, must not depend on what ran before
    try:
        world = SimulatedWorld(program, seed, faults, settings=settings, keep_lines=keep_lines)
        return _simulate(program, world)
    finally:
        if collecting:
            gc.enable()


def _simulate(program: Program, world: SimulatedWorld) -> Run:
    seed = world.seed
    world.watch = Observer(lambda: world.disk.memory, world.failures)
    run = Run(seed, witness=world.witness)
    with (
        isolated_registry(),
        simulated_reality(
            world.wall_s, world.monotonic_s, world.loop.spend, Random(f"{seed}/reality")
        ),
        _logs(world.failures),
        _silent_finalizers(),
    ):
        try:
            world.loop.run(_drive(program, world, run))
        except Stuck as stuck:
            world.failures.append(f"the run is stuck: {stuck}")
        run.duration_ms = world.now_ms()
        run.trace = world.trace.digest()
        failures = [*world.failures, *world.loop.errors]
        world.tear_down()
        run.lines = world.trace.lines
        run.faults = world.chaos.counts
        disk = world.disk.memory
        run.rows = {key.id: row for key, row in disk.rows.items()}
        run.journals = {
            key.id: [Recorded(e.index, e.time_ms, decode_entry(e.data)) for e in entries]
            for key, entries in disk.journals.items()
        }
        run.violations = [
            *failures,
            *broken_invariants(disk),
            *([] if run.ended else [_not_ended(run)]),
            *program.check(run),
        ]
    return run


async def _drive(program: Program, world: SimulatedWorld, run: Run) -> None:
    world.start()
    client = world.client()
    with made_ambient(client):
        driving = asyncio.ensure_future(program.drive(client, world))
    limit_s = world.chaos.window_s + DRIVE_S
    await asyncio.wait((driving,), timeout=limit_s)
    world.chaos.stop()
    if not driving.done():
        driving.cancel()
        return
    if driving.cancelled():
        run.error = asyncio.CancelledError()
    else:
        run.error = driving.exception()
    if run.error is None:
        run.result = driving.result()
    run.ended = await _settled(world)


async def _settled(world: SimulatedWorld) -> bool:
    """Whether everything that can go on has done so, within a bound."""
    until_s = world.loop.time() + SETTLE_S
    quiet = 0
    while world.loop.time() < until_s:
        await asyncio.sleep(LOOK_S)
        coordinator = world.coordinator
        settled = coordinator is not None and coordinator.quiet
        quiet = quiet + 1 if settled else 0
        if quiet > 1:
            return True
    return False


def _not_ended(run: Run) -> str:
    waiting = [
        f"{id}: {row.status} at {len(run.journals.get(id, ()))} ({row.target.name()}) {row.detail}"
        for id, row in run.rows.items()
        if not row.ended_ms
    ]
    return f"the run does not end; what waits after {run.duration_ms} ms:\n  " + "\n  ".join(
        waiting
    )


class _Unexpected(logging.Handler):
    """Collects errors of Perdure itself that were logged with a traceback."""

    def __init__(self, failures: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        """See logging."""
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            self._failures.append(f"logged: {record.getMessage()}\n{text}")


@contextmanager
def _logs(failures: list[str]) -> Iterator[None]:
    logger, handler = logging.getLogger("perdure"), _Unexpected(failures)
    propagate, level = logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    asyncio_logger = logging.getLogger("asyncio")
    disabled, asyncio_logger.disabled = asyncio_logger.disabled, True
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        logger.setLevel(level)
        asyncio_logger.disabled = disabled


@contextmanager
def _silent_finalizers() -> Iterator[None]:
    """What is left of killed processes complains when it is let go of."""
    hook: Any = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = hook
