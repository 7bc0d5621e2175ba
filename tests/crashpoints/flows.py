"""Flows that together use every primitive, each small: what the corpus of crash points runs.

Every body of a step or handler says what it does to `SEEN`, outside of the engine, under the
idempotency key of its operation.
"""

from __future__ import annotations

import asyncio
from typing import Any

from perdure import DurableContext, DurableObject, RateLimit, StepInterrupted, ctx, durable

service = durable.service("crashpoints")
SEEN: list[tuple[str, str]] = []
ACKNOWLEDGED: list[int] = []  # checkpoints of this run


def effect(name: str) -> str:
    """An effect on the world."""
    SEEN.append((name, ctx.idempotency_key))
    return name


async def async_effect(name: str) -> str:
    """The same, on the loop."""
    await asyncio.sleep(0)
    return effect(name)


@service.handler
async def handle(name: str) -> str:
    """A plain handler."""
    return await async_effect(f"handled {name}")


@durable.flow(service="crashpoints")
async def steps_and_state(ctx: DurableContext) -> list[Any]:
    """Steps in order and at once, in threads and on the loop; state between them."""
    await ctx.state.set("stage", "begun")
    first = await ctx.run(effect, "a")
    both = await asyncio.gather(ctx.run(effect, "b"), ctx.run(async_effect, "c"))
    await ctx.state.set("stage", "ended")
    await ctx.state.delete("missing")
    return [first, *both, await ctx.state.get("stage")]


@durable.function(service="crashpoints", max_retries=2, retry_delay=1.0)
async def attempts(ctx: DurableContext) -> list[Any]:
    """Fails twice; what succeeded is reused."""
    count = await ctx.state.get("count", 0)
    await ctx.state.set("count", count + 1)
    kept = await ctx.run(effect, "kept")
    answered = await ctx.call("crashpoints", "handle", "once")
    if count < 2:
        await ctx.run(effect, f"only in {ctx.attempt}")
        raise ConnectionError("again")
    return [kept, answered, count, ctx.attempt]


@durable.function(service="crashpoints")
async def child(ctx: DurableContext, name: str) -> str:
    """Called by others."""
    await ctx.sleep(1)
    return await ctx.run(effect, f"child {name}")


@durable.flow(service="crashpoints")
async def calls(ctx: DurableContext) -> list[str]:
    """Children: handlers and functions, one after the other and at once, one of them shared."""
    first = await ctx.call("crashpoints", "handle", "first")
    both = await asyncio.gather(child("x"), ctx.call(child, "y"))
    shared = await asyncio.gather(*(ctx.call(child, "z", id="shared-child") for _ in range(2)))
    return [first, *both, *shared]


@durable.function(service="crashpoints")
async def told(ctx: DurableContext, back: str) -> None:
    """Sent; tells its sender by an event."""
    await ctx.run(effect, "told")
    await ctx.send_event(back, ctx.execution_id)


@durable.function(service="crashpoints")
async def sends(ctx: DurableContext) -> list[bool]:
    """Sends, one of them with a delay, and waits for what comes back."""
    first = await ctx.send(told, "back")
    second = await ctx.send(told, "back", delay=5)
    got = [await ctx.wait_for_event("back"), await ctx.wait_for_event("back")]
    return [first != second, sorted(got) == sorted([first, second])]


async def branch(ctx: DurableContext, name: str) -> str:
    """A branch of the caller's journal."""
    before = await ctx.run(effect, f"{name} 1")
    await ctx.sleep(0.5)
    return before + await ctx.run(async_effect, f"{name} 2")


@durable.flow(service="crashpoints")
async def branches(ctx: DurableContext) -> list[Any]:
    """Spawned branches, calls and steps; then a map of few at a time."""
    spawned = await ctx.spawn(
        [("one", branch, "p"), (branch, "q"), ("crashpoints", "handle", "r"), (effect, "s")]
    )
    mapped = await ctx.map(async_effect, ["t", "u", "v"], max_concurrency=2)
    return [*spawned, *mapped]


@durable.function(service="crashpoints")
async def slow(ctx: DurableContext, name: str) -> str:
    """Loses races."""
    await ctx.sleep(1_000)
    return await ctx.run(effect, f"never {name}")


@durable.function(service="crashpoints")
async def races(ctx: DurableContext) -> list[Any]:
    """The first wins, the loser is cancelled; a timeout of asyncio does the same."""
    won = await ctx.race(child("quick"), slow("race"))
    try:
        async with asyncio.timeout(3):
            await slow("timeout")
    except TimeoutError:
        won += " " + await ctx.run(effect, "timed out")
    return [won]


@durable.function(service="crashpoints")
async def naps(ctx: DurableContext) -> list[Any]:
    """Durable sleeps; virtual time, randomness and ids repeat."""
    began = ctx.time()
    drawn = ctx.random().random(), str(ctx.uuid4())
    await ctx.sleep(60)
    await ctx.run(effect, "between")
    await ctx.sleep_until(began + 3_600)
    return [*drawn, ctx.time() - began >= 3_600, ctx.random().random()]


@durable.function(service="crashpoints")
async def waits(ctx: DurableContext) -> list[Any]:
    """Events: one that comes, one that does not, two at once."""
    first = await ctx.wait_for_event("news")
    seen = await ctx.run(effect, f"news {first}")
    try:
        await ctx.wait_for_event("nothing", timeout=10)
    except TimeoutError:
        seen += "!"
    both = await asyncio.gather(ctx.wait_for_event("news"), ctx.wait_for_event("more"))
    return [seen, *both]


@durable.function(service="crashpoints")
async def asks(ctx: DurableContext) -> list[Any]:
    """A promise that a client keeps."""
    promise = ctx.promise("answer")
    ctx.emit(promise.token)
    answer = await promise
    return [answer, await ctx.run(effect, f"heard {answer}")]


@durable.object(service="crashpoints")
class Till(DurableObject):
    """An object whose totals tell of lost and doubled calls."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.balance = 0
        self.lines: list[str] = []

    async def add(self, ctx: DurableContext, line: str, amount: int) -> int:
        """Exclusive."""
        booked = await ctx.run(effect, f"book {line}")
        self.balance += amount
        self.lines.append(booked)
        return self.balance

    async def move(self, ctx: DurableContext, other: str, amount: int) -> int:
        """Calls another object."""
        self.balance -= amount
        there = await ctx.get_object(Till, other)
        return await there.add(ctx, "moved", amount)

    @durable.shared
    async def read(self) -> list[Any]:
        """Shared."""
        return [self.balance, *self.lines]


@durable.function(service="crashpoints")
async def accounts(ctx: DurableContext) -> list[Any]:
    """Exclusive and shared methods, at once and in order; one object calls another."""
    ours = await ctx.get_object(Till, "ours")
    sums = await asyncio.gather(*(ours.add(ctx, line, 10) for line in "ab"))
    moved = await ours.move(ctx, "theirs", 5)
    theirs = await ctx.get_object(Till, "theirs")
    return [sorted(sums), moved, await ours.read(), await theirs.read()]


@durable.function(service="crashpoints", max_retries=1, retry_delay=1.0)
async def travels(ctx: DurableContext) -> list[Any]:
    """A saga that is undone in the first attempt and done anew in the second."""
    async with ctx.saga() as saga:
        seat = await saga.do(ctx.run(effect, "seat"), lambda seat: ctx.run(effect, f"no {seat}"))
        room = await saga.do(
            ctx.call("crashpoints", "handle", "room"),
            lambda room: ctx.call("crashpoints", "handle", f"no {room}"),
        )
        if ctx.attempt == 1:
            raise ConnectionError("full")
    return [seat, room, ctx.attempt]


@durable.function(service="crashpoints", state_scope="function")
async def counts(ctx: DurableContext, times: int) -> list[int]:
    """State that all executions of the function share."""
    return [await ctx.state.update("n", lambda n: n + 1, 0) for _ in range(times)]


@durable.function(service="crashpoints")
async def goes_on(ctx: DurableContext, left: int) -> list[Any]:
    """Several runs of one execution."""
    await ctx.state.set("sum", await ctx.state.get("sum", 0) + left)
    await ctx.run(effect, f"run {left}")
    if left:
        await ctx.sleep(1)
        ctx.continue_as_new(left - 1)
    return [await ctx.state.get("sum"), ctx.attempt]


@durable.function(service="crashpoints")
async def pays(ctx: DurableContext) -> list[str]:
    """Steps that run at most once."""
    out = []
    for name in ("first", "second"):
        try:
            out.append(await ctx.run(effect, name, at_most_once=True))
        except StepInterrupted:
            out.append("interrupted")
    return out


@durable.function(service="crashpoints")
async def tells(ctx: DurableContext, count: int) -> int:
    """Emitted values, progress, steps in between."""
    for number in range(count):
        ctx.emit(number)
        ctx.progress(number + 1, count)
        if number % 2:
            await ctx.run(effect, f"told {number}")
    return count


@durable.function(service="crashpoints")
async def cleans_up(ctx: DurableContext) -> None:
    """Is cancelled while it waits; its `finally` and its hook run, its child is cancelled too."""
    ctx.on_cancel(effect, "hook")
    try:
        await slow("under a cancel")
    finally:
        await ctx.run(effect, "cleaned")


@durable.function(service="crashpoints", max_retries=0)
async def fails_once(ctx: DurableContext) -> int:
    """Wants to be retried by its operator."""
    await ctx.run(effect, "tried")
    if ctx.attempt == 1:
        raise ConnectionError("not yet")
    return ctx.attempt


@durable.function(service="crashpoints", max_concurrency=1)
async def alone(ctx: DurableContext, name: str) -> str:
    """At most one runs at a time."""
    await ctx.sleep(1)
    return await ctx.run(effect, f"alone {name}")


@durable.function(service="crashpoints", rate_limit=RateLimit(0.5, burst=1))
async def slowed(ctx: DurableContext, name: str) -> str:
    """One begins every two seconds."""
    return await ctx.run(effect, f"slowed {name}")


async def counted_on() -> int:
    """Goes on after what it has recorded of its progress; tells `SEEN` how far that was known."""
    done = int(ctx.checkpoints.get("done", 0))
    if done < len(ACKNOWLEDGED):
        effect(f"begins behind {ACKNOWLEDGED}")
    for number in range(done, 3):
        effect(f"part {number}")
        await ctx.checkpoint("done", number + 1)
        ACKNOWLEDGED.append(number)
    return 3


@durable.flow(service="crashpoints")
async def checkpoints(context: DurableContext) -> int:
    """A step with checkpoints."""
    return await context.run(counted_on)


FUNCTIONS = (
    *(alone, slowed, checkpoints),
    *(steps_and_state, attempts, child, calls, told, sends, branches, slow, races, naps, waits),
    *(asks, accounts, travels, counts, goes_on, pays, tells, cleans_up, fails_once),
)

for function in FUNCTIONS:
    service.add_function(function)
service.add_object(Till)
