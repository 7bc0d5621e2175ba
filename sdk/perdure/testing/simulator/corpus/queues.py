"""Cases of section 8 about who may begin: limits, rates, dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from perdure import RateLimit, durable
from perdure.context import DurableContext
from perdure.testing.simulator.corpus import add
from perdure.testing.simulator.corpus.case import Case, same, seen, slow
from perdure.testing.simulator.interpreter import SERVICE, fails, tell, works
from perdure.testing.simulator.outside import outcome_of, quiet
from perdure_runtime.core.entries import AttemptStarted, ExecutionEnded

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.testing.simulator.program import Run, World

IDS = [f"x{number}" for number in range(6)]
MOST = 2
EVERY_MS = 2_000
LATE_MS = 50  # an execution takes its token, is loaded, and then records that it has begun


async def occupy(id: str) -> str:
    """A step that says when it comes and goes."""
    tell(f"in {id}")
    await asyncio.sleep(0.3)
    tell(f"out {id}")
    return id


async def start_all(client: Client, world: World) -> Any:
    """All at once, each by its own request."""
    handles = await asyncio.gather(*(client.start(SERVICE, "main", id, id=id) for id in IDS))
    outcomes = [list(await outcome_of(handle)) for handle in handles]
    await quiet(client, world)
    return outcomes


def times(run: Run, kind: type) -> Iterator[tuple[str, int]]:
    """When each execution first recorded an entry of this kind, by the coordinator's clock."""
    for id in IDS:
        found = [each.time_ms for each in run.journals.get(id, ()) if isinstance(each.entry, kind)]
        if found:
            yield id, found[0]


def most_at_once(changes: list[tuple[int, int]]) -> int:
    """The highest sum of changes, in the order of their times; who leaves goes first."""
    depth = highest = 0
    for _, change in sorted(changes):
        depth += change
        highest = max(highest, depth)
    return highest


@add
class NeverMoreThanTwo(Case):
    """`max_concurrency=2`: a place is kept over suspensions, crashes and restarts, and is given
    back once, whatever ends its execution."""

    name = "never-more-than-two"

    def define(self) -> Any:
        async def main(ctx: DurableContext, id: str) -> str:
            await ctx.run(occupy, id)
            await ctx.sleep(0.2)
            return await ctx.run(occupy, f"{id} again")

        return [durable.function(max_concurrency=MOST)(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        return await start_all(client, world)

    def expect(self, run: Run) -> Iterator[str]:
        yield from same("outcomes", [["completed", f"{id} again"] for id in IDS], run.result)
        ends = [(at_ms, -1) for _, at_ms in times(run, ExecutionEnded)]
        begins = [(at_ms, 1) for _, at_ms in times(run, AttemptStarted)]
        at_once = most_at_once(begins + ends)
        if at_once > MOST:
            yield f"{at_once} were under way at once by their journals"
        if run.faults:
            return  # a step on a worker that was given up may still run
        changes = {"in": 1, "out": -1}
        held = [(each.at_ms, changes[each.name.split()[0]]) for each in run.witness.log]
        yield from same("most at once by the witness", MOST, most_at_once(held))


@add
class OneEveryTwoSeconds(Case):
    """`rate_limit`: no faster, also over restarts: a new owner of the store begins with an empty
    bucket."""

    name = "one-every-two-seconds"

    def define(self) -> Any:
        async def main(ctx: DurableContext, id: str) -> str:
            return await ctx.run(works, id)

        return [durable.function(rate_limit=RateLimit(1_000 / EVERY_MS, burst=1))(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        return await start_all(client, world)

    def expect(self, run: Run) -> Iterator[str]:
        yield from same("outcomes", [["completed", id] for id in IDS], run.result)
        begun = sorted(at_ms for _, at_ms in times(run, AttemptStarted))
        for before_ms, after_ms in pairwise(begun):
            if after_ms - before_ms < EVERY_MS - LATE_MS:
                yield f"two began {after_ms - before_ms} ms apart"
        for id in IDS:
            yield from seen(run, id)


@add
class AfterOthers(Case):
    """`after=`: begins when the last of them has completed, or ends as the policy says."""

    name = "after-others"

    def define(self) -> Any:
        async def main(ctx: DurableContext, id: str) -> str:
            return await ctx.run(slow, id, 0.4)

        async def breaks(ctx: DurableContext, id: str) -> None:
            await ctx.run(fails, id)

        return [durable.function(main), durable.function(max_retries=0)(breaks)], ()

    async def drive(self, client: Client, world: World) -> Any:
        async def start(id: str, *after: str, method: str = "main") -> Any:
            return await client.start(
                SERVICE, method, id, id=id, after=after, on_dependency_failed="fail"
            )

        handles = [await start("a"), await start("b"), await start("c", "a", "b")]
        handles.append(await start("broken", method="breaks"))
        handles += [await start("d", "c"), await start("e", "c", "broken"), await start("f", "e")]
        outcomes = [(await outcome_of(handle))[0] for handle in handles]
        await quiet(client, world)
        return outcomes

    def expect(self, run: Run) -> Iterator[str]:
        done = "completed"
        yield from same(
            "outcomes", [done, done, done, "failed", done, "failed", "failed"], run.result
        )
        first: dict[str, int] = {}
        for number, effect in enumerate(run.witness.log):
            first.setdefault(effect.name, number)
        for before, after in ("ac", "bc", "cd"):
            if not first[before] < first[after]:
                yield f"{after} was seen before {before}"
        for id in "abcd":
            yield from seen(run, id)
        yield from same("seen of those whose dependency failed", [], sorted({"e", "f"} & {*first}))
