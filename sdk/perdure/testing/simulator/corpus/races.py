"""Cases of sections 3 and 4: races, replays, timers, timeouts, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from perdure import durable, resources
from perdure.context import DurableContext
from perdure.testing.simulator.corpus import add
from perdure.testing.simulator.corpus.case import (
    ROOT,
    Case,
    entries,
    result_is,
    same,
    seen,
    slow,
)
from perdure.testing.simulator.interpreter import works
from perdure_runtime.core.entries import AttemptEnded, AttemptTimedOut, ExecutionEnded

if TYPE_CHECKING:
    from perdure.testing.simulator.program import Run

STALE = ("freeze", "drop", "lost_answer", "delay")
"""Faults after which a worker may go on with what is not its own any more, unheard."""


@add
class StepCancelledByRace(Case):
    """Section 4: unrecorded steps "start once the machine is live and only if still wanted (else a
    replay would restart a step that a race had cancelled)"."""

    name = "step-cancelled-by-race"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            loser = asyncio.create_task(_awaited(ctx.run(slow, "loser", 5.0)))
            timer = asyncio.create_task(asyncio.sleep(0.5))
            done, _ = await asyncio.wait((loser, timer), return_when=asyncio.FIRST_COMPLETED)
            for task in (loser, timer):
                task.cancel()
            for number in range(4):
                await ctx.run(works, f"decided {number}")
                await ctx.sleep(0.2)
            return "timer" if timer in done else "step"

        return [durable.function(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", "timer"), ("completed", "step"))
        if not run.faults:
            yield from result_is(run, ("completed", "timer"))
        names = [effect.name for effect in run.witness.log]
        if "loser" in names[names.index("decided 0") :] and not any(run.faults[k] for k in STALE):
            yield "the step that lost the race was started again by a replay"


@add
class SameWinner(Case):
    """Section 4: completions are delivered "in the recorded delivery order, ... live and on replay
    alike, so races resolve the same way"."""

    name = "same-winner"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            winners = []
            for turn in range(4):
                first = await ctx.race(
                    ctx.run(works, f"a {turn}"), ctx.run(works, f"b {turn}"), _slept(ctx, turn)
                )
                winners.append(first)
                told = await ctx.run(works, f"winner {turn} {first}")
                assert told.endswith(first)
            return winners

        return [durable.function(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        status, winners = run.result
        yield from same("status", "completed", status)
        shown = {f"winner {turn} {first}" for turn, first in enumerate(winners or ())}
        told = {name for name in run.witness.counts if name.startswith("winner")}
        yield from same("winners that were acted on", shown, told)


@add
class CompletedInOrder(Case):
    """Section 4: `as_completed` and `wait` "keep argument order"; a replay iterates the same way
    and issues the same commands."""

    name = "completed-in-order"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            steps = [ctx.run(works, f"item {number}") for number in range(5)]
            order = []
            for done in asyncio.as_completed(steps):
                told = await done
                order.append(told)
                await ctx.run(works, f"{len(order)} was {told}")
            return order

        return [durable.function(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        status, order = run.result
        yield from same("status", "completed", status)
        told = {name for name in run.witness.counts if " was " in name}
        acted = {f"{number} was {name}" for number, name in enumerate(order or (), start=1)}
        yield from same("what was acted on", acted, told)


@add
class TimersKeepTheirDueTime(Case):
    """Section 2, R1: "timers keep their original due time"; section 4: "it never fires early"."""

    name = "timers-keep-their-due-time"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            began = ctx.time()
            await asyncio.gather(*[ctx.sleep(seconds) for seconds in (3, 1, 2)])
            await ctx.run(works, "woke")
            return ctx.time() - began >= 3

        return [durable.function(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", True))
        yield from seen(run, "woke")


@add
class TimeoutAgainstFencing(Case):
    """Section 3: a timeout is "a recorded signal, delivered like a cancel in the same epoch; the
    attempt ends when the worker reports it, or after the grace by a new epoch"."""

    name = "timeout-against-fencing"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            try:
                await ctx.sleep(1.7 if ctx.attempt > 1 else 2.5)
                return await ctx.run(works, f"attempt {ctx.attempt}")
            finally:
                await ctx.run(works, f"cleanup {ctx.attempt}")

        decorate = durable.function(timeout=2.0, max_retries=2, retry_delay=0.2)
        return [decorate(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        allowed = [("completed", f"attempt {attempt}") for attempt in (2, 3)]
        yield from result_is(run, *allowed, ("timed_out", ""))
        if not run.faults:
            yield from result_is(run, *allowed)
        ended = len(entries(run, ROOT, AttemptEnded))
        last = entries(run, ROOT, ExecutionEnded)
        yield from same("ends", 1, len(last))
        if len(entries(run, ROOT, AttemptTimedOut)) > ended + 1:
            yield "an attempt timed out that had ended"


@add
class ConcurrentSteps(Case):
    """Section 3: "steps and calls share one FIFO counter of n per execution"."""

    name = "concurrent-steps"

    def define(self) -> Any:
        async def busy(name: str) -> str:
            witness = resources()
            witness.effect("begin")
            await asyncio.sleep(0.3)
            witness.effect("end")
            return name

        async def main(ctx: DurableContext) -> Any:
            return await asyncio.gather(*[ctx.run(busy, f"item {n}") for n in range(6)])

        return [durable.flow(max_concurrent_steps=2)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", [f"item {n}" for n in range(6)]))
        running = most = 0
        for effect in run.witness.log:
            running += 1 if effect.name == "begin" else -1
            most = max(most, running)
        if not run.faults and most != 2:
            yield f"{most} steps at a time, not 2"


async def _awaited(command: Any) -> Any:
    return await command


async def _slept(ctx: DurableContext, turn: int) -> str:
    await ctx.sleep(0.05 * turn)
    return f"sleep {turn}"
