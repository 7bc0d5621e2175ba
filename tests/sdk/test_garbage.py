"""What a step leaves behind is freed when it is over, not by the garbage collector.

A worker makes some 30 objects for each step. In circles they would wait for the collector, which
stops everything to find them: an eighth of a busy worker's time.
"""

from __future__ import annotations

import gc

from perdure import DurableContext, durable
from perdure.testing import MemoryRuntime

service = durable.service("garbage")
STEPS = 300


@durable.step
async def on_the_loop(number: int) -> int:
    return number


@durable.step(timeout=60)
def in_a_thread(number: int) -> int:
    return number


@durable.flow
async def many_steps(ctx: DurableContext, step: str) -> int:
    run = {"on_the_loop": on_the_loop, "in_a_thread": in_a_thread}[step]
    return sum([await run(number) for number in range(STEPS)])


service.add_function(many_steps)


async def _left_by(step: str) -> int:
    """How many objects only the collector could free after a flow of so many steps."""
    async with MemoryRuntime(services=[service]).opened() as runtime:
        await runtime.client.start(many_steps, step, id="warm")
        await runtime.client.get("warm").result()
        gc.collect()
        gc.disable()
        try:
            await runtime.client.start(many_steps, step, id="measured")
            await runtime.client.get("measured").result()
            return gc.collect()
        finally:
            gc.enable()


async def test_steps_leave_no_circles() -> None:
    for step in ("on_the_loop", "in_a_thread"):
        left = await _left_by(step)
        assert left < 3 * STEPS, f"{step}: {left} objects for {STEPS} steps"
