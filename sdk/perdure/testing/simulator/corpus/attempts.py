"""Cases of sections 1 and 2: keys, scopes, what a later attempt takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
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
    told_key,
)
from perdure.testing.simulator.interpreter import SERVICE, fails, tell, works
from perdure_runtime.core.entries import AttemptEnded, BranchCompleted
from perdure_runtime.core.errors import StepInterrupted

if TYPE_CHECKING:
    from perdure.testing.simulator.program import Run


@add
class RepeatedOperations(Case):
    """Section 1: the key covers the "n-th occurrence of that digest in its scope", so it is "the
    same over crashes" and "never the same for two different ones"."""

    name = "repeated-operations"

    def define(self) -> Any:
        async def child(ctx: DurableContext) -> str:
            return await ctx.run(told_key, "inner")

        async def main(ctx: DurableContext) -> Any:
            keys = await asyncio.gather(*[ctx.run(told_key, "equal") for _ in range(3)])
            keys += await asyncio.gather(*[ctx.call(SERVICE, "child") for _ in range(2)])
            return len(set(keys))

        return [durable.function(main), durable.function(child)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", 5))
        yield from seen(run, "equal", keys=3)
        yield from seen(run, "inner", keys=2)


@add
class ScopesUnderReuse(Case):
    """Section 2, R2: matched by "(scope, kind, target or name, digest of the input, n-th occurrence
    in the scope)"; a branch that is reused leaves the occurrences of the body alone."""

    name = "scopes-under-reuse"

    def define(self) -> Any:
        async def branch(ctx: DurableContext, number: int) -> str:
            return await ctx.run(told_key, "equal")

        async def main(ctx: DurableContext) -> Any:
            inner = await ctx.spawn([("b", branch, 1), ("b", branch, 2)])
            mine = await ctx.run(told_key, "equal")
            known: list[str] = await ctx.state.get("keys", [])
            await ctx.state.set("keys", [*inner, mine])
            if ctx.attempt < 3:
                raise ValueError("again")
            return [known == [*inner, mine], len({*inner, mine})]

        return [durable.function(retry_delay=0.5)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", [True, 3]))
        yield from seen(run, "equal", keys=3)


@add
class ReusedBranch(Case):
    """Section 2, R2: a "spawned branch" that succeeded "returns its recorded result without running
    again", with all that it did inside."""

    name = "reused-branch"

    def define(self) -> Any:
        async def branch(ctx: DurableContext) -> str:
            await ctx.sleep(1)
            first = await ctx.run(works, "first in branch")
            return first + await ctx.run(works, "second in branch")

        async def main(ctx: DurableContext) -> Any:
            (told,) = await ctx.spawn([("b", branch)])
            await ctx.run(works, f"after {ctx.attempt}")
            if ctx.attempt == 1:
                raise ValueError("again")
            return told

        return [durable.function(retry_delay=0.5)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", "first in branchsecond in branch"))
        for name in ("first in branch", "second in branch", "after 1", "after 2"):
            yield from seen(run, name)
        yield from same("branches", 1, len(entries(run, ROOT, BranchCompleted)))


@add
class StateOverAttempts(Case):
    """Section 2, R2: "`ctx.state` starts with what it held at the end of attempt k, writes made in
    `except` blocks included": seed 002 "must see 0, 1, 2"."""

    name = "state-over-attempts"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            seen: list[int] = await ctx.state.get("seen", [])
            retry_count: int = await ctx.state.get("retry_count", 0)
            await ctx.state.set("seen", [*seen, retry_count])
            await ctx.run(works, "transform")
            try:
                await ctx.sleep(0.3)
                if retry_count < 2:
                    await ctx.run(fails, f"enrich {retry_count}")
            except ValueError:
                await ctx.state.set("retry_count", retry_count + 1)
                raise
            return [*seen, retry_count]

        return [durable.function(retry_delay=0.5)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", [0, 1, 2]))
        yield from seen(run, "transform")
        yield from same("failed attempts", 2, len(entries(run, ROOT, AttemptEnded)))


@add
class LateCompletions(Case):
    """Section 2: "unfinished calls and branches of attempt k are cancelled first ... so attempt k+1
    always starts; what completes meanwhile counts as succeeded"."""

    name = "late-completions"

    def define(self) -> Any:
        async def child(ctx: DurableContext) -> str:
            await ctx.sleep(0.2)
            return await ctx.run(told_key, "child")

        async def main(ctx: DurableContext) -> Any:
            call = ctx.call(SERVICE, "child")
            await ctx.sleep(0.2)
            if ctx.attempt < 3:
                raise ValueError("again")
            return bool(await call)

        return [durable.function(retry_delay=0.1)(main), durable.function(child)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", True))
        if {(effect.key or "").split("@")[0] for effect in run.witness.log} != {
            (run.witness.log[0].key or "").split("@")[0]
        }:
            yield "the child that was made again had another key"


@add
class CapturedValue(Case):
    """Section 2, R2: "the digest of a step covers its arguments, defaults, ... and captured
    variables": what captures another value is another operation."""

    name = "captured-value"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            factor = ctx.attempt

            async def scaled() -> int:
                tell(f"scaled {factor}")
                return factor

            result = await ctx.run(scaled)
            if ctx.attempt < 3:
                raise ValueError("again")
            return result

        return [durable.function(retry_delay=0.5)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", 3))
        for attempt in (1, 2, 3):
            yield from seen(run, f"scaled {attempt}")


@add
class SendsAroundRestart(Case):
    """Sections 1 and 5: a send is "detached", recorded once, and not sent again by a later attempt;
    `delay=` outlives every restart."""

    name = "sends-around-restart"

    def define(self) -> Any:
        async def note(ctx: DurableContext, number: int) -> None:
            await ctx.run(works, f"note {number}")

        async def main(ctx: DurableContext) -> Any:
            ids = [await ctx.send(SERVICE, "note", n, delay=n) for n in range(3)]
            await ctx.sleep(0.5)
            if ctx.attempt == 1:
                raise ValueError("again")
            return len(set(ids))

        return [durable.function(retry_delay=0.5)(main), durable.function(note)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", 3))
        for number in range(3):
            yield from seen(run, f"note {number}")
        yield from same("executions", 4, len(run.rows))


@add
class SagaCompensatesOnce(Case):
    """Section 2: a compensation "is never reused; it removes what it compensates from the lookup
    and advances a generation in its key, so that attempt k+1 reserves anew"."""

    name = "saga-compensates-once"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            async with ctx.saga() as saga:
                await saga.do(
                    ctx.run(told_key, "reserve"), lambda key: ctx.run(told_key, "release")
                )
                await ctx.sleep(0.2)
                if ctx.attempt < 3:
                    await ctx.run(fails, f"charge {ctx.attempt}")
            return "booked"

        return [durable.function(retry_delay=0.5)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", "booked"))
        yield from seen(run, "reserve", keys=3)
        yield from seen(run, "release", keys=2)
        yield from same("compensations", 2, len(entries(run, ROOT, BranchCompleted)))


@add
class AtMostOnce(Case):
    """Section 1: "`at_most_once=True` records the start first; a step interrupted by a crash then
    raises `StepInterrupted`"."""

    name = "at-most-once"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            told = []
            for number in range(4):
                try:
                    told.append(await ctx.run(slow, f"shot {number}", 0.2, at_most_once=True))
                except StepInterrupted:
                    told.append("interrupted")
            if ctx.attempt == 1:
                raise ValueError("again")
            return told

        return [durable.function(retry_delay=0.5)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        status, told = run.result
        if status != "completed":
            yield from result_is(run, ("completed", "..."))
            return
        for number in range(4):
            name = f"shot {number}"
            if run.witness.counts[name] > 1:
                yield f"{name} ran {run.witness.counts[name]} times"
            if told[number] not in (name, "interrupted"):
                yield f"{name} gave {told[number]!r}"
            if told[number] == name and run.witness.counts[name] != 1:
                yield f"{name} succeeded without an effect"
            if told[number] == "interrupted" and not run.faults:
                yield f"{name} was interrupted without a fault"


@add
class RandomRepeats(Case):
    """Section 2: "random streams and `uuid4` repeat in every attempt ..., so that a payload holding
    a generated id has the same digest"."""

    name = "random-repeats"

    def define(self) -> Any:
        async def main(ctx: DurableContext) -> Any:
            drawn = [str(ctx.uuid4()), str(ctx.random().random())]
            keys = [await ctx.run(told_key, f"drawn {each}") for each in drawn]
            await ctx.sleep(0.3)
            if ctx.attempt < 3:
                raise ValueError("again")
            return len(set(keys))

        return [durable.function(retry_delay=0.5)(main)], ()

    def expect(self, run: Run) -> Iterator[str]:
        yield from result_is(run, ("completed", 2))
        yield from same("different names", 2, len(run.witness.counts))
        for name in run.witness.counts:
            yield from seen(run, name)
