"""A storm: a thousand flows while coordinator and workers are killed again and again.

The schedule of the kills is drawn from a seed, which is printed and can be set
(`PERDURE_STORM_SEED`). Time is what is tested here, so this test waits for it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import perdure
from perdure.client.handle import ExecutionHandle
from tests.integration.apps.storm import STEPS, Run, runs, total_of, weather
from tests.integration.blocks import check_journal
from tests.integration.processes import CoordinatorProcess, PythonProcess
from tests.integration.telling import say
from tests.integration.workers import WorkerProcess, killed_at_the_end

FLOWS = 1_000
STARTS_S = 45.0
KILLS = {"coordinator": 20, "first worker": 20, "second worker": 20}
GAP_S = (0.85, 1.25)
PATIENCE_S = 60.0
RECORDED_WITHIN_S = 5.0

pytestmark = [pytest.mark.processes, pytest.mark.slow]


@dataclass(frozen=True, slots=True)
class Kill:
    """A SIGKILL: when it was about to be sent, and when the process was known to be dead.

    In between the process still works: a step may begin after `at_s` and be hit all the same.
    """

    name: str
    pid: int
    at_s: float
    dead_s: float


async def rage(processes: dict[str, PythonProcess], draw: random.Random) -> list[Kill]:
    """Kill by the schedule; whatever was killed is started again at once."""
    names = [name for name, count in KILLS.items() for _ in range(count)]
    draw.shuffle(names)
    sent: list[Kill] = []
    starting: dict[str, asyncio.Task[None]] = {}
    for name in names:
        await asyncio.sleep(draw.uniform(*GAP_S))
        process = processes[name]
        if name in starting:
            await starting.pop(name)
        assert process.running, f"the {name} ended by itself: {process.told()}"
        pid, at_s = process.pid, time.monotonic()
        await process.kill()
        sent.append(Kill(name, pid, at_s, time.monotonic()))
        starting[name] = asyncio.create_task(process.start())
    await asyncio.gather(*starting.values())
    return sent


async def start_all(client: perdure.Client, handles: list[ExecutionHandle[int]]) -> None:
    """Start all flows, evenly over the time; each start is answered although servers die."""

    async def start(flow: int) -> None:
        await asyncio.sleep(STARTS_S * flow / FLOWS)
        handles.append(await client.start(weather, flow, id=f"flow-{flow}"))

    async with asyncio.TaskGroup() as group:
        for flow in range(FLOWS):
            group.create_task(start(flow))


def check_runs(found: Sequence[Run], kills: Sequence[Kill]) -> int:
    """Every step ran; again only if a kill had hit it in flight. Returns how many ran again."""
    by_step: dict[tuple[int, int], list[Run]] = defaultdict(list)
    for run in found:
        by_step[run.flow, run.step].append(run)
    assert FLOWS * STEPS == len(by_step)
    last_steps: dict[int, int] = defaultdict(int)
    for run in found:  # a result that the next step depended on is never needed again
        assert run.step >= last_steps[run.flow], f"step {run.step} of flow {run.flow} came back"
        last_steps[run.flow] = run.step
    unexplained = [
        (earlier, later)
        for step_runs in by_step.values()
        for earlier, later in pairwise(step_runs)
        if not any(_hit(kill, earlier, later) for kill in kills)
    ]
    assert not unexplained, "\n".join(
        [
            f"{len(unexplained)} ran again without need:",
            *(_story(*pair, kills) for pair in unexplained),
        ]
    )
    return len(found) - len(by_step)


def _hit(kill: Kill, earlier: Run, later: Run) -> bool:
    """Whether a kill between two runs hit the first of them, or its result on its way to disk."""
    mine = kill.name == "coordinator" or kill.pid == earlier.pid
    unfinished = not earlier.ended_s or kill.at_s < earlier.ended_s + RECORDED_WITHIN_S
    return mine and earlier.began_s <= kill.dead_s and kill.at_s <= later.began_s and unfinished


def _story(earlier: Run, later: Run, kills: Sequence[Kill]) -> str:
    """Both runs, and the kills of the seconds before the second."""
    near = [kill for kill in kills if later.began_s - 3 < kill.at_s < later.began_s]
    told = ", ".join(
        f"{kill.name} {kill.pid} at {kill.at_s:.6f} to {kill.dead_s:.6f}" for kill in near
    )
    return f"{earlier} and {later} after {told or 'no kill'}"


@pytest.mark.timeout(400)
async def test_a_thousand_flows_outlive_sixty_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("PERDURE_STORM_SEED", "20"))
    say(f"storm: seed {seed}")
    witness = tmp_path / "witness"
    coordinator = CoordinatorProcess(tmp_path / "perdure.db")
    await coordinator.start()
    app = "tests.integration.apps.storm"
    first = WorkerProcess(coordinator.endpoint, app, witness)
    second = WorkerProcess(coordinator.endpoint, app, witness)
    processes = {"coordinator": coordinator, "first worker": first, "second worker": second}
    handles: list[ExecutionHandle[int]] = []
    async with (
        killed_at_the_end(*processes.values()),
        perdure.connect(coordinator.endpoint, ambient=False) as client,
    ):
        await asyncio.gather(first.start(), second.start())
        began_s = time.monotonic()
        starting = asyncio.create_task(start_all(client, handles))
        kills = await rage(processes, random.Random(seed))
        last_s = time.monotonic()
        assert sum(KILLS.values()) == len(kills)
        assert last_s - began_s >= 60
        async with asyncio.timeout(PATIENCE_S):
            await starting
            totals = await asyncio.gather(*(handle.result() for handle in handles))
        done_s = time.monotonic()
        assert [total_of(int(handle.id[5:])) for handle in handles] == totals
        for handle in handles:
            check_journal([entry async for entry in handle.history()])
        again = check_runs(runs(witness), kills)
        say(
            f"storm: {FLOWS} flows of {STEPS} steps, {len(kills)} kills in "
            f"{last_s - began_s:.1f} s, done {done_s - last_s:.1f} s after the last; "
            f"{again} bodies ran again"
        )
