"""Cases of section 7: events and promises."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from perdure import durable
from perdure.context import DurableContext
from perdure.testing.simulator.corpus import add
from perdure.testing.simulator.corpus.case import ROOT, Case, result_is, same, seen
from perdure.testing.simulator.interpreter import SERVICE, hand_out, works
from perdure.testing.simulator.outside import LOOK_S, outcome_of, quiet, tokens

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.testing.simulator.program import Run, World


@add
class EventOfCancelledWait(Case):
    """Section 7: "an event whose wait was cancelled before delivery goes to the run's next wait for
    that id"."""

    name = "event-of-cancelled-wait"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            taken: list[int] = []
            while len(taken) < 3:
                try:
                    async with asyncio.timeout(0.4):
                        taken.append(await ctx.wait_for_event("mail"))
                except TimeoutError:
                    continue
            return taken

        return [durable.function(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        for number in range(3):
            await world.sleep(0.2 + world.random.random() * 0.4)
            await client.send_event("mail", number)
        return await outcome_of(handle)

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", [0, 1, 2]))


@add
class WaitsInOrder(Case):
    """Section 7: "Several waits of one run take events in the order of their wait commands"."""

    name = "waits-in-order"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            waits = [ctx.wait_for_event("mail") for _ in range(4)]
            told = await asyncio.gather(*waits)
            if ctx.attempt == 1:
                raise ValueError("again")
            return told

        return [durable.function(retry_delay=0.2)(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        await client.send_event("mail", 0)
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        for number in range(1, 6):
            await client.send_event("mail", number)
        return await outcome_of(handle)

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", [0, 1, 2, 3]))


@add
class EveryExecutionGetsIt(Case):
    """Section 7: "each execution consumes the earliest one it has not consumed yet; several waiting
    executions each get it"."""

    name = "every-execution-gets-it"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            return [await ctx.wait_for_event("news") for _ in range(2)]

        return [durable.function(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handles = [await client.start(SERVICE, "main", None, id=f"reader-{n}") for n in range(2)]
        await client.send_event("news", "first")
        handles.append(await client.start(SERVICE, "main", None, id="reader-2"))
        await client.send_event("news", "second")
        handles.append(await client.start(SERVICE, "main", None, id="reader-3"))
        return [await outcome_of(handle) for handle in handles]

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, [("completed", ["first", "second"])] * 4)


@add
class SameDedupeId(Case):
    """Section 7: "Same `dedupe_id` again is a no-op"."""

    name = "same-dedupe-id"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            told = [await ctx.wait_for_event("mail")]
            await ctx.send_event("mail", "once", dedupe_id="same")
            told.append(await ctx.wait_for_event("mail"))
            try:
                told.append(await ctx.wait_for_event("mail", timeout=30))
            except TimeoutError:
                told.append("no more")
            return told

        return [durable.function(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        other = world.client()
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        await asyncio.gather(
            client.send_event("mail", "once", "same"),
            other.send_event("mail", "once", "same"),
            client.send_event("mail", "once", "same"),
        )
        await client.send_event("mail", "last", "other")
        return await outcome_of(handle)

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", ["once", "last", "no more"]))


@add
class CursorOfContinueAsNew(Case):
    """Section 7: "the cursor of consumed events is part of the run's state and is copied by
    `continue_as_new`"; what arrives between two runs is the next one's."""

    name = "cursor-of-continue-as-new"

    def define(self) -> Any:
        async def main(ctx: DurableContext, taken: list[int]) -> Any:
            taken = [*taken, await ctx.wait_for_event("mail")]
            await ctx.run(works, f"took {taken[-1]}")
            if len(taken) < 5:
                ctx.continue_as_new(taken)
            return taken

        return [durable.function(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", [], id=ROOT)
        for number in range(5):
            await client.send_event("mail", number)
            if number % 2:
                await world.sleep(world.random.random())
        return await outcome_of(handle)

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", [0, 1, 2, 3, 4]))
        for number in range(5):
            yield from seen(run, f"took {number}")


@add
class CursorOfForks(Case):
    """Section 7: the cursor "is copied by ... `fork`"; section 8: nothing that a fork does shares a
    key with its source."""

    name = "cursor-of-forks"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            first = await ctx.wait_for_event("mail")
            await ctx.run(works, "between")
            second = await ctx.wait_for_event("mail")
            return [first, second, await ctx.run(works, "last")]

        return [durable.function(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        await client.send_event("mail", 1)
        await client.send_event("mail", 2)
        told = [await outcome_of(handle)]
        steps = [entry.path async for entry in handle.history() if entry.kind == "step_completed"]
        fork = await client.fork(ROOT, at=steps[0], new_id="fork")
        return [*told, await outcome_of(fork)]

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, [("completed", [1, 2, "last"])] * 2)
        yield from seen(run, "between", keys=2)
        yield from seen(run, "last", keys=2)


@add
class PromiseSettledOnce(Case):
    """Sections 5 and 7: whoever settles a promise first does it, once; a lost answer is asked for
    again and is the same."""

    name = "promise-settled-once"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            promise = ctx.promise("approval")
            await ctx.run(hand_out, "approval", promise.token)
            told = await promise
            if ctx.attempt == 1:
                raise ValueError("again")
            return told

        return [durable.function(retry_delay=0.2)(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        while not tokens(world.witness):
            await world.sleep(LOOK_S)
        _, token = tokens(world.witness)[0]
        other = world.client()
        first, second = await asyncio.gather(
            client.complete_promise(token, "client"), other.complete_promise(token, "other")
        )
        outcome = await outcome_of(handle)
        await quiet(client, world)
        return [first, second, outcome]

    def expect(self, run: Run) -> Iterator[str]:
        first, second, outcome = run.result
        yield from same("how many settled it", 1, first + second)
        yield from same("outcome", ("completed", "client" if first else "other"), outcome)


@add
class LostAnswers(Case):
    """Section 8: "the same id attaches, or `id_policy="reject"`": a start whose answer was lost is
    said again, and is neither doubled nor refused for its own sake."""

    name = "lost-answers"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            told = await ctx.wait_for_event("mail")
            try:
                await ctx.wait_for_event("mail", timeout=30)
            except TimeoutError:
                return await ctx.run(works, told)
            return "an event was doubled"

        return [durable.function(main)], ()

    async def drive(self, client: Client, world: World) -> Any:
        handle = await client.start(SERVICE, "main", None, id=ROOT, id_policy="reject")
        again = await world.client().start(SERVICE, "main", None, id=ROOT)
        await client.send_event("mail", "effect")
        return [handle.created, again.created, await outcome_of(handle), await outcome_of(again)]

    def expect(self, run: Run) -> Iterator[str]:
        outcome = ("completed", "effect")
        yield from result_is(run, [True, False, outcome, outcome])
        yield from seen(run, "effect")
        yield from same("executions", 1, len(run.rows))
