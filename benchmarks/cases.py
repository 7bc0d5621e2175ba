"""The cases; each returns at least `value` (see its docstring for the unit)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

from benchmarks.app import sequence, sequence_then_wait
from benchmarks.site import Site

STEPS, CLIENTS, ONE_STEP_EXECUTIONS, LATENCIES, LONG = 100, 64, 2_000, 300, 5_000


def steps_at(executions: int) -> Callable[[Site], Awaitable[dict[str, float]]]:
    """Steps a second with so many executions of 100 sequential steps each."""
    steps = STEPS if executions < 500 else STEPS // 4

    async def run(site: Site) -> dict[str, float]:
        before, cpu = time.perf_counter(), site.cpu_s()
        handles = await asyncio.gather(
            *(
                site.client.start(sequence, steps, id=f"a-{uuid.uuid4().hex}")
                for _ in range(executions)
            )
        )
        results = await asyncio.gather(*(handle.result() for handle in handles))
        elapsed = time.perf_counter() - before
        assert results == [steps] * executions
        done = executions * steps
        return {"value": done / elapsed, "cpu_ms_per_step": (site.cpu_s() - cpu) * 1000 / done}

    return run


async def one_step_executions(site: Site) -> dict[str, float]:
    """One-step executions a second, started and awaited by 64 clients."""
    numbers = iter(range(ONE_STEP_EXECUTIONS))

    async def client() -> None:
        for _ in numbers:
            handle = await site.client.start(sequence, 1, id=f"b-{uuid.uuid4().hex}")
            assert await handle.result() == 1

    before = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return {"value": ONE_STEP_EXECUTIONS / (time.perf_counter() - before)}


async def latency(site: Site) -> dict[str, float]:
    """Milliseconds from start to result of a one-step execution, median; p99 beside it."""
    took: list[float] = []
    for _ in range(LATENCIES):
        before = time.perf_counter()
        handle = await site.client.start(sequence, 1, id=f"c-{uuid.uuid4().hex}")
        await handle.result()
        took.append((time.perf_counter() - before) * 1000)
    took.sort()
    return {"value": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}


async def replay(site: Site) -> dict[str, float]:
    """Entries replayed a second by a worker that was killed; seconds from its start beside it.

    The sleep is over when the new worker starts. The rate counts from the worker's registration to
    the result: loading, paging, replay of 5,000 steps and one new step.
    """
    handle = await site.client.start(sequence_then_wait, LONG, 1.0, id=f"f-{uuid.uuid4().hex}")
    while (await handle.describe()).journal_length < LONG + 3:
        await asyncio.sleep(0.01)
    site.kill_worker()
    await asyncio.sleep(1.5)
    warm = await site.start_worker()
    before = time.perf_counter() - warm
    await handle.result()
    elapsed = time.perf_counter() - before
    ready_s = elapsed - warm
    return {"value": LONG / ready_s, "from_ready_s": ready_s, "from_spawn_s": elapsed}
