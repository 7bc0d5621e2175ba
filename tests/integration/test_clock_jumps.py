"""The wall clock of a coordinator jumps; timers keep to the time that really passes.

The coordinator's clock is the persisted maximum plus monotonic time, slewed by at most a twentieth
towards the wall: what is asserted is a bound from below, and that an hour is not waited for.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import perdure
from perdure import DurableContext, durable
from perdure_coordinator.engine import clock
from perdure_coordinator.engine.clock import SLEW, SystemClock

HOUR_S = 3600.0
service = durable.service("jumps")


@durable.function(service="jumps")
async def naps(ctx: DurableContext, seconds: float, times: int) -> int:
    """Sleeps again and again."""
    for _ in range(times):
        await ctx.sleep(seconds)
    return times


service.add_function(naps)


class Wall:
    """The module `time` as the coordinator's clock sees it; its wall clock can be set."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def time(self) -> float:
        """The wall clock."""
        return time.time() + self.ahead_s

    def monotonic(self) -> float:
        """What nobody sets."""
        return time.monotonic()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Of the coordinators of this process."""
    wall = Wall()
    monkeypatch.setattr(clock, "time", wall)
    return wall


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S, 24 * HOUR_S, -24 * HOUR_S])
async def test_a_jump_while_a_flow_sleeps(tmp_path: Path, wall: Wall, jump_s: float) -> None:
    async with perdure.embedded(tmp_path / "perdure.db", services=[service]) as runtime:
        began_s = time.monotonic()
        handle = await runtime.client.start(naps, 0.1, 5, id="naps")
        wall.ahead_s = jump_s
        assert 5 == await handle.result(timeout=20)
        assert time.monotonic() - began_s >= 0.5 * (1 - SLEW)
        times = [entry.time async for entry in handle.history()]
        assert sorted(times) == times


async def test_a_wall_clock_that_was_set_back_before_a_restart(tmp_path: Path, wall: Wall) -> None:
    """What was due soon is not due in a day."""
    path = tmp_path / "perdure.db"
    wall.ahead_s = 24 * HOUR_S
    async with perdure.embedded(path, services=[service]) as runtime:
        handle = await runtime.client.start(naps, 1.0, 1, id="naps")
        async for entry in handle.history(follow=True):
            if entry.kind == "timer_started":
                break
    wall.ahead_s = 0.0
    async with perdure.embedded(path, services=[service]) as runtime:
        assert 1 == await runtime.client.get("naps", naps).result(timeout=20)
        times = [entry.time async for entry in runtime.client.get("naps").history()]
        assert sorted(times) == times


def test_the_clock_never_goes_back_and_follows_slowly(wall: Wall) -> None:
    at_ms = [SystemClock(0).now_ms()]
    running = SystemClock(at_ms[0])
    began_s = time.monotonic()
    for jump_s in (HOUR_S, -HOUR_S, 0.0, -24 * HOUR_S, 24 * HOUR_S):
        wall.ahead_s = jump_s
        at_ms += [running.now_ms() for _ in range(50)]
    assert sorted(at_ms) == at_ms
    passed_ms = (time.monotonic() - began_s) * 1000
    assert at_ms[-1] - at_ms[0] <= passed_ms * (1 + SLEW) + 2


def test_the_clock_begins_where_the_one_before_had_come_to(wall: Wall) -> None:
    wall.ahead_s = -24 * HOUR_S
    persisted_ms = round(time.time() * 1000) + 7
    assert SystemClock(persisted_ms).now_ms() >= persisted_ms
