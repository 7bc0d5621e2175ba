"""Cases of section 8: cancel, pause, retry, delete, schedules, reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from perdure import durable
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
from perdure.testing.simulator.interpreter import SERVICE, fails, works
from perdure.testing.simulator.outside import LOOK_S, outcome_of, quiet
from perdure_runtime.core.entries import CallCompleted, CallIssued, CancelRequested, ExecutionEnded
from perdure_runtime.core.errors import InvalidTransitionError

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.testing.simulator.program import Run, World


@add
class CancelAgainstOutcome(Case):
    """Section 8: "An outcome whose maker had not yet consumed the cancel wins; one made after it
    ends `cancelled`"; `finally` blocks may use the context during the grace."""

    name = "cancel-against-outcome"

    def define(self) -> Any:
        async def child(ctx: DurableContext) -> str:
            await ctx.sleep(0.5)
            return await ctx.run(works, "child")

        async def main(ctx: DurableContext) -> Any:
            await ctx.run(works, "begun")
            try:
                return await ctx.call(SERVICE, "child")
            finally:
                await ctx.run(works, "cleanup")

        return [durable.function(main), durable.function(child)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        await world.sleep(world.random.choice([0.0, 0.3, 0.5, 0.55, 0.6]))
        effect = await client.cancel(ROOT, "enough")
        outcome = await outcome_of(handle)
        await quiet(client, world)
        return [effect, outcome]

    def expect(self, run: Run) -> Iterator[str]:
        effect, (status, told) = run.result
        if (status, told) not in (("completed", "child"), ("cancelled", "")):
            yield f"it ended {status} with {told!r}"
        if not effect:
            yield from same("status when the cancel came late", "completed", status)
        if status == "cancelled" and not entries(run, ROOT, CancelRequested):
            yield "it was cancelled without a request"
        if status == "completed":
            yield from seen(run, "child")
        # A cancel behind the call's end reaches the body within `finally`, and cuts that short.
        late = status == "cancelled" and any(
            isinstance(call, CallCompleted) and call.failure is None
            for call in entries(run, ROOT, CallCompleted)
        )
        if entries(run, ROOT, CallIssued) and not run.faults and not late:
            yield from seen(run, "cleanup")
        yield from same("ends", 1, len(entries(run, ROOT, ExecutionEnded)))


@add
class PauseDuringBackOff(Case):
    """Section 8: "While paused or blocked, attempt and execution timeouts stand still; completions,
    timers and events are recorded and delivered on `resume`"."""

    name = "pause-during-back-off"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            await ctx.run(works, f"attempt {ctx.attempt}")
            await ctx.sleep(0.2)
            if ctx.attempt == 1:
                raise ValueError("again")
            return ctx.attempt

        decorate = durable.function(retry_delay=2.0, execution_timeout=60.0)
        return [decorate(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        await world.sleep(world.random.choice([0.0, 0.2, 1.0, 2.2]))
        with suppress(InvalidTransitionError):
            await client.pause(ROOT, "wait")
            await client.send_event("nobody waits for this", None, execution=ROOT)
            await world.sleep(100)
            await client.resume(ROOT)
        return await outcome_of(handle)

    def expect(self, run: Run) -> Iterator[str]:
        if run.faults.get("clock_jump") and run.result != ("completed", 2):
            yield from result_is(run, ("timed_out", ""))  # an hour passed, also for the timeout
            return
        yield from result_is(run, ("completed", 2))
        for attempt in (1, 2):  # a pause takes its worker from a running step: that one runs again
            keys = {effect.key for effect in run.witness.log if effect.name == f"attempt {attempt}"}
            yield from same(f"keys of attempt {attempt}", 1, len(keys))


@add
class RetriesUsedUp(Case):
    """Section 3: "`on_exhausted="pause"` parks it as `paused`"; section 8: `retry` gives a parked
    execution "new attempt, optionally new input", which takes over what succeeded."""

    name = "retries-used-up"

    def define(self) -> Any:
        async def main(ctx: DurableContext, works_now: bool) -> Any:
            told = await ctx.run(works, "kept")
            if not works_now:
                await ctx.run(fails, f"broken {ctx.attempt}")
            return told

        return [durable.function(max_retries=1, retry_delay=0.2, on_exhausted="pause")(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", False, id=ROOT)
        while (await handle.describe()).status != "paused":
            await world.sleep(LOOK_S)
        await client.retry(ROOT, input=True)
        return await outcome_of(handle)

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", "kept"))
        yield from seen(run, "kept")


@add
class DeletedAndLate(Case):
    """Section 8: "`delete` (finished only)": what arrives late for a deleted execution changes
    nothing, and its id is free again."""

    name = "deleted-and-late"

    def define(self) -> Any:
        async def child(ctx: DurableContext) -> str:
            await ctx.sleep(0.3)
            return "late"

        async def main(ctx: DurableContext, number: int) -> Any:
            ctx.call(SERVICE, "child")
            await ctx.send(SERVICE, "child", delay=1)
            return await ctx.run(works, f"run {number}")

        return [durable.function(main), durable.function(child)], ()

    async def drive(self, client: Client, world: World) -> Any:
        told = []
        for number in range(2):
            handle = await client.start(SERVICE, "main", number, id=ROOT)
            told.append(await outcome_of(handle))
            if not number:
                await client.delete(ROOT)
        await quiet(client, world)
        return told

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, [("completed", "run 0"), ("completed", "run 1")])
        yield from same("journals of it", 1, len(entries(run, ROOT, ExecutionEnded)))


@add
class SchedulesOverOutages(Case):
    """Invariant 12a and section 8: a tick is an execution "in the transaction that takes it from
    the queue: a crash neither doubles nor loses one"; `backfill="all"` makes up for an outage."""

    name = "schedules-over-outages"

    def define(self) -> Any:
        async def tick(ctx: DurableContext) -> Any:
            return await ctx.run(works, f"tick {ctx.execution_id}")

        return [durable.function(tick)], ()

    async def drive(self, client: Client, world: World) -> Any:
        schedule = await client.schedule(
            SERVICE, "tick", None, id="every", every=1, overlap="queue", backfill="all"
        )
        await world.sleep(6)
        await schedule.delete()
        await quiet(client, world)

    def expect(self, run: Run) -> Iterator[str]:
        ticks = sorted(id for id in run.rows if id.startswith("every@"))
        if not run.faults and len(ticks) < 5:
            yield f"only {len(ticks)} ticks in 6 s"
        for id in ticks:
            yield from seen(run, f"tick {id}")
        if not run.faults.get("clock_jump"):
            times = [datetime.fromisoformat(id.removeprefix("every@")) for id in ticks]
            for before, after in pairwise(times):
                if after - before != timedelta(seconds=1):
                    yield f"no tick between {before} and {after}"


@add
class AdoptedAfterReconnect(Case):
    """Section 8: a worker's leases end "when its stream is broken for longer than `resume_s` ...
    (it may reconnect and resume)": what it did meanwhile counts, once."""

    name = "adopted-after-reconnect"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            steps = [ctx.run(slow, f"slow {n}", 0.4 * (n + 1)) for n in range(3)]
            told = await asyncio.gather(*steps)
            return [*told, await ctx.run(works, "last")]

        return [durable.function(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", ["slow 0", "slow 1", "slow 2", "last"]))
        for name in ("slow 0", "slow 1", "slow 2", "last"):
            yield from seen(run, name)
        most = 1 + sum(run.faults.values())
        for name, count in run.witness.counts.items():
            if count > most:
                yield f"{name} ran {count} times after {most - 1} faults"


@add
class CancelledChildren(Case):
    """Section 8: "children are cancelled unless detached", and both have one end each."""

    name = "cancelled-children"

    def define(self) -> Any:
        async def child(ctx: DurableContext, who: str) -> str:
            try:
                await ctx.sleep(3)
                return await ctx.run(works, f"{who} finished")
            except asyncio.CancelledError:
                await ctx.run(works, f"{who} cancelled")
                raise

        async def main(ctx: DurableContext) -> Any:
            await ctx.send(SERVICE, "child", "detached")
            return await ctx.call(SERVICE, "child", "awaited")

        return [durable.function(main), durable.function(child)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        await world.sleep(1.5)
        await client.cancel(ROOT)
        outcome = await outcome_of(handle)
        await quiet(client, world)
        return outcome

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("cancelled", ""), ("completed", "awaited finished"))
        if not run.faults:
            yield from result_is(run, ("cancelled", ""))
            yield from seen(run, "awaited cancelled")
            yield from seen(run, "detached finished")
        if run.witness.counts["detached cancelled"]:
            yield "a detached execution was cancelled with its parent"
