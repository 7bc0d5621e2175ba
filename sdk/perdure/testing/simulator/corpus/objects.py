"""Cases of section 6: lanes, chains, cycles, readers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from perdure import DeadlockError, ReentrancyError, durable
from perdure.context import DurableContext
from perdure.objects.base import DurableObject
from perdure.testing.simulator.corpus import add
from perdure.testing.simulator.corpus.case import Case, result_is, same, seen
from perdure.testing.simulator.interpreter import SERVICE, works
from perdure.testing.simulator.outside import outcome_of, quiet

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.testing.simulator.program import Run, World


@add
class Counters(Case):
    """Section 6: "One exclusive method at a time per identity, FIFO"; sends of one execution to one
    object keep program order."""

    name = "object-lanes"

    def define(self) -> Any:
        class Ledger(DurableObject):
            def __init__(self, id: str) -> None:
                super().__init__(id)
                self.lines: list[str] = []

            async def add(self, ctx: DurableContext, line: str) -> int:
                before = len(self.lines)
                await ctx.run(works, line)
                self.lines.append(line)
                assert before + 1 == len(self.lines)
                return before

            @durable.shared
            async def read(self) -> list[str]:
                return self.lines

        async def main(ctx: DurableContext, sender: str) -> Any:
            calls = [ctx.call(SERVICE, "Ledger.add", f"{sender}{n}", key="one") for n in range(3)]
            return await asyncio.gather(*calls)

        async def read(ctx: DurableContext) -> Any:
            return await ctx.call(SERVICE, "Ledger.read", key="one")

        functions = [durable.function(main), durable.function(read)]
        return functions, (durable.object(retry_delay=0.2)(Ledger),)

    async def drive(self, client: Client, world: World) -> Any:
        handles = [await client.start(SERVICE, "main", s, id=s) for s in ("a", "b", "c")]
        places = [await outcome_of(handle) for handle in handles]
        lines = await outcome_of(await client.start(SERVICE, "read", None, id="read"))
        return [places, lines]

    def expect(self, run: Run) -> Iterator[str]:
        places, (_, lines) = run.result
        yield from same("lines", [f"{s}{n}" for s in "abc" for n in range(3)], sorted(lines))
        for sender, (status, numbers) in zip("abc", places, strict=True):
            yield from same(f"status of {sender}", "completed", status)
            yield from same(f"places of {sender}", [*numbers], sorted(numbers))
            for n, place in enumerate(numbers):
                yield from same(f"line {place}", f"{sender}{n}", lines[place])


@add
class ObjectChains(Case):
    """Section 6: a chain of methods holds every object on its way; totals are exact whatever
    crashes between the links."""

    name = "object-chains"

    def define(self) -> Any:
        class Link(DurableObject):
            def __init__(self, id: str) -> None:
                super().__init__(id)
                self.count = 0

            async def add(self, ctx: DurableContext, rest: list[str]) -> int:
                below = 0
                if rest:
                    below = await ctx.call(SERVICE, "Link.add", rest[1:], key=rest[0])
                self.count += 1
                return self.count + 1000 * below

        async def main(ctx: DurableContext, chain: list[str]) -> Any:
            return await ctx.call(SERVICE, "Link.add", chain[1:], key=chain[0])

        return [durable.function(main)], (durable.object(retry_delay=0.2)(Link),)

    async def drive(self, client: Client, world: World) -> Any:
        chains = (["a", "b", "c"], ["b", "c"], ["c"], ["a", "c"])
        handles = [
            await client.start(SERVICE, "main", chain, id=f"chain-{number}")
            for number, chain in enumerate(chains)
        ]
        told = [(await outcome_of(handle))[0] for handle in handles]
        ends = [await client.start(SERVICE, "main", [key], id=f"end-{key}") for key in "abc"]
        return [told, [await outcome_of(end) for end in ends]]

    def expect(self, run: Run) -> Iterator[str]:
        counts = [("completed", 3), ("completed", 3), ("completed", 5)]
        yield from result_is(run, [["completed"] * 4, counts])


@add
class Reentrancy(Case):
    """Section 6: "Every awaited call carries the object keys held by its ancestors, through
    functions, flows and steps ...: a cycle A -> B -> A raises `ReentrancyError` at once"."""

    name = "object-reentrancy"

    def define(self) -> Any:
        class Mirror(DurableObject):
            def __init__(self, id: str) -> None:
                super().__init__(id)
                self.count = 0

            async def look(self, ctx: DurableContext, path: list[str]) -> str:
                self.count += 1
                if not path:
                    return f"{self.count}"
                try:
                    return str(await ctx.call(SERVICE, "through", path))
                except ReentrancyError:
                    return "cycle"

        async def through(ctx: DurableContext, path: list[str]) -> str:
            told: str = await ctx.call(SERVICE, "Mirror.look", path[1:], key=path[0])
            return told

        functions = [durable.function(max_retries=0)(through)]
        return functions, (durable.object(max_retries=0)(Mirror),)

    async def drive(self, client: Client, world: World) -> Any:
        first = await client.start(SERVICE, "through", ["a", "b", "a"], id="cycle")
        outcome = await outcome_of(first)
        second = await client.start(SERVICE, "through", ["a", "b"], id="line")
        return [outcome, await outcome_of(second)]

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, [("completed", "cycle"), ("completed", "2")])


@add
class Deadlock(Case):
    """Section 6: "Two chains that block each other are found by a probe along the holders' awaited
    calls; the youngest call of the cycle fails with a retryable `DeadlockError`"."""

    name = "deadlock-probe"

    def define(self) -> Any:
        class Fork(DurableObject):
            def __init__(self, id: str) -> None:
                super().__init__(id)
                self.uses: list[str] = []

            async def take(self, ctx: DurableContext, who: str) -> int:
                self.uses.append(who)
                return len(self.uses)

            async def take_both(self, ctx: DurableContext, order: list[str]) -> str:
                await ctx.sleep(0.5)
                who, other = order
                try:
                    await ctx.call(SERVICE, "Fork.take", who, key=other)
                except DeadlockError:
                    return "gave way"
                self.uses.append(who)
                return await ctx.run(works, f"{who} ate")

        async def dine(ctx: DurableContext, order: list[str]) -> str:
            who, first, second = order
            while True:
                told: str = await ctx.call(SERVICE, "Fork.take_both", [who, second], key=first)
                if told != "gave way":
                    return told
                await ctx.sleep(1)

        return [durable.function(dine)], (durable.object(retry_delay=0.2)(Fork),)

    async def drive(self, client: Client, world: World) -> Any:
        orders = (["left", "x", "y"], ["right", "y", "x"])
        handles = [await client.start(SERVICE, "dine", order, id=order[0]) for order in orders]
        told = [await outcome_of(handle) for handle in handles]
        await quiet(client, world)
        return told

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, [("completed", "left ate"), ("completed", "right ate")])
        yield from seen(run, "left ate")
        yield from seen(run, "right ate")


@add
class SharedReaders(Case):
    """Section 6: shared methods "run on the last committed state, concurrently": a reader sees no
    half of a method, and nothing that a later reader does not see."""

    name = "shared-readers"

    def define(self) -> Any:
        class Pair(DurableObject):
            def __init__(self, id: str) -> None:
                super().__init__(id)
                self.left = self.right = 0

            async def move(self, ctx: DurableContext) -> int:
                self.left += 1
                await ctx.sleep(0.3)
                self.right += 1
                return self.right

            @durable.shared
            async def read(self) -> list[int]:
                return [self.left, self.right]

        async def write(ctx: DurableContext) -> Any:
            return [await ctx.call(SERVICE, "Pair.move", key="p") for _ in range(4)]

        async def watch(ctx: DurableContext) -> Any:
            told = []
            for _ in range(8):
                told.append(await ctx.call(SERVICE, "Pair.read", key="p"))
                await ctx.sleep(0.2)
            return told

        functions = [durable.function(write), durable.function(watch)]
        return functions, (durable.object(retry_delay=0.2)(Pair),)

    async def drive(self, client: Client, world: World) -> Any:
        writer = await client.start(SERVICE, "write", None, id="writer")
        watchers = [await client.start(SERVICE, "watch", None, id=f"w{n}") for n in range(2)]
        return [await outcome_of(writer), *[await outcome_of(each) for each in watchers]]

    def expect(self, run: Run) -> Iterator[str]:
        writer, *watchers = run.result
        yield from same("writer", ("completed", [1, 2, 3, 4]), writer)
        for status, told in watchers:
            yield from same("status of a reader", "completed", status)
            yield from same("what readers saw", sorted(told), told)
            for left, right in told:
                yield from same("halves", left, right)
