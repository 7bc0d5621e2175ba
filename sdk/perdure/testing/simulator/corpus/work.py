"""Cases of work that is told of piece by piece: checkpoints of a step, claims of tasks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from perdure import ctx, durable, resources
from perdure.context import DurableContext
from perdure.tasks import WorkerRef
from perdure.tasks.claim import Claim
from perdure.tasks.tasks import Tasks
from perdure.testing.simulator.corpus import add
from perdure.testing.simulator.corpus.case import Case, result_is, same
from perdure.testing.simulator.interpreter import SERVICE, tell
from perdure.testing.simulator.outside import quiet
from perdure_runtime.core.errors import InvalidTransitionError

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.testing.simulator.program import Run, World

PARTS = 4
TASKS = [f"t{number}" for number in range(4)]
LEASE_S = 2.0


async def parts() -> int:
    """Does its parts one after the other, and tells the witness what it knows."""
    done = int(ctx.checkpoints.get("done", 0))
    witness = resources()
    witness.effect("begin", str(done))
    run = witness.counts["begin"]
    for number in range(done, PARTS):
        tell(f"part {number}")
        await asyncio.sleep(0.1)
        await ctx.checkpoint("done", number + 1)
        witness.effect("recorded", f"{run} {number}")
    return PARTS


@add
class EachPartOnce(Case):
    """A checkpoint that was acknowledged is what the next run of the step begins with, whoever
    died; a part is done again only if its checkpoint had not been.

    A worker that hears of its lease when that is over may begin with less, and records nothing.
    """

    name = "each-part-once"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> int:
            return await ctx.run(parts)

        return [durable.function(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", PARTS))
        recorded, behind = 0, list[str]()
        for effect in run.witness.log:
            if effect.name == "recorded":
                number, part = map(int, (effect.key or "").split())
                recorded = max(recorded, part + 1)
                if behind[number - 1]:
                    yield behind[number - 1]
            elif effect.name == "begin":
                late = int(effect.key or "") < recorded
                told = f"a run began with part {effect.key} and went on, {recorded} were recorded"
                behind.append(told if late else "")
        for number in range(PARTS):
            count = run.witness.counts[f"part {number}"]
            if count < 1 or (count > 1 and not run.faults):
                yield f"part {number} was done {count} times"


@add
class EachPartOnceInAHandler(EachPartOnce):
    """The same for a plain handler."""

    name = "each-part-once-in-a-handler"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> int:
            done: int = await ctx.call(SERVICE, "parts")
            return done

        return [durable.function(main), parts], ()


@add
class OneHolderAtATime(Case):
    """Claims: a task has one holder; who lets its lease end, or gives the task back, has lost it,
    and completes nothing any more. Each task is completed once."""

    name = "one-holder-at-a-time"

    def define(self) -> Any:
        return [], ()

    async def drive(self, client: Client, world: World) -> Any:
        tasks = Tasks(client)
        for id in TASKS:
            await tasks.create_task("review", id, id=id)
        await asyncio.gather(*(claimant(world, name) for name in ("ada", "bob", "cyd")))
        found = [await tasks.get_task(id) for id in TASKS]
        await quiet(client, world)
        return [
            [task.status, task.result.output if task.result else None]
            for task in found
            if task is not None
        ]

    def expect(self, run: Run) -> Iterator[str]:
        completed: dict[str, list[str]] = defaultdict(list)
        holders: dict[str, list[str]] = defaultdict(list)
        for effect in run.witness.log:
            what, id = effect.name.split()
            {"completed": completed, "holds": holders}[what][id].append(effect.key or "")
        for id, (status, result) in zip(TASKS, run.result, strict=True):
            yield from same(f"status of {id}", "completed", status)
            yield from same(f"{id} was completed by", [result], completed[id])
            if len(holders[id]) != len({*holders[id]}):
                yield f"{id} had two holders of one claim: {holders[id]}"


async def claimant(world: World, name: str) -> None:
    """Claims tasks and does what people do with them, until all are done."""
    tasks = Tasks(world.client())
    worker = WorkerRef(name, "human", name)
    while any(task.status != "completed" for task in await tasks.list_tasks()):
        claim = await tasks.claim(worker=worker, lease=LEASE_S, wait=0.5)
        if claim is not None:
            await deal_with(world, claim)


async def deal_with(world: World, claim: Claim) -> None:
    """Complete it; or give it back, forget it, or come too late."""
    told = f"{claim.worker.id} {claim.token}"
    world.witness.effect(f"holds {claim.id}", told)
    match world.random.choice(["at once", "at once", "slowly", "too late", "back", "never"]):
        case "back":
            await gently(claim.release("not mine"))
            return
        case "never":
            return
        case "slowly":
            await world.sleep(LEASE_S / 2)
        case "too late":
            await world.sleep(LEASE_S * 1.5)
    if await gently(claim.complete(told)):
        world.witness.effect(f"completed {claim.id}", told)


async def gently(asked: Any) -> bool:
    """Whether it took effect; a claim may have been lost."""
    try:
        await asked
    except InvalidTransitionError:
        return False
    return True
