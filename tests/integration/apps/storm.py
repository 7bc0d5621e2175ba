"""Flows for the storm: twenty short steps with a durable sleep after each, and an exact total.

Lengths are drawn from the flow's number, so that every flow differs and every run is the same. The
witness here is not synced: what a killed process wrote survives it, only a dead machine loses it.
"""

import asyncio
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

from perdure import DurableContext, durable
from tests.integration.apps.witness import WITNESS

STEPS = 20
MAX_STEP_S = 0.2
MAX_SLEEP_S = 0.6

storm = durable.service("storm", "1.0.0")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a step's body; times on the machine's monotonic clock, `ended_s` 0 if it died."""

    flow: int
    step: int
    pid: int
    began_s: float
    ended_s: float


def value_of(flow: int, step: int) -> int:
    """What a step contributes."""
    return random.Random(flow * 1_000 + step).randrange(1_000_000)


def total_of(flow: int) -> int:
    """What a flow must return."""
    return sum(value_of(flow, step) for step in range(STEPS))


def runs(path: Path) -> list[Run]:
    """All runs of bodies, in the order of their beginnings."""
    found: dict[tuple[int, int, int, float], Run] = {}
    for line in path.read_text().splitlines():
        flow, step, pid, began, ended = line.split()
        key = (int(flow), int(step), int(pid), float(began))
        found[key] = Run(*key, float(ended))
    return sorted(found.values(), key=lambda run: run.began_s)


def _say(flow: int, step: int, began_s: float, ended_s: float) -> None:
    line = f"{flow} {step} {os.getpid()} {began_s:.6f} {ended_s:.6f}\n"
    descriptor = os.open(os.environ[WITNESS], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


async def measure(flow: int, step: int) -> int:
    """A step of 0 to 200 ms."""
    began_s = time.monotonic()
    _say(flow, step, began_s, 0.0)
    await asyncio.sleep(random.Random(flow + step * 7).uniform(0, MAX_STEP_S))
    _say(flow, step, began_s, time.monotonic())
    return value_of(flow, step)


@durable.flow(name="weather")
async def weather(ctx: DurableContext, flow: int) -> int:
    """The sum over all steps."""
    total = 0
    for step in range(STEPS):
        total += await ctx.run(measure, flow, step)
        await ctx.sleep(ctx.random().uniform(0, MAX_SLEEP_S))
    return total


storm.add_function(weather)
