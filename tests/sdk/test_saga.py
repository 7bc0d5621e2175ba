"""`ctx.saga`, `ctx.forget`, `ctx.on_cancel` (semantics, sections 2 and 8)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, ExecutionCancelledError, ExecutionFailed, ctx, durable
from tests.sdk.backends import PATIENCE_S, Backend

service = durable.service("sagas")
SERVICES = [service]
told: defaultdict[str, list[str]] = defaultdict(list)
keys: defaultdict[str, list[str]] = defaultdict(list)
gates: dict[str, asyncio.Event] = {}


def say(tag: str, what: str) -> str:
    """The effect, witnessed."""
    told[tag].append(what)
    keys[f"{tag}-{what}"].append(ctx.idempotency_key)
    if what.startswith("bad"):
        raise ValueError(what)
    return f"{what}!"


@service.handler
def reserve(order: dict[str, str]) -> dict[str, str]:
    return {"tag": order["tag"], "id": say(order["tag"], order["what"])}


@service.handler
def release(reservation: dict[str, str]) -> None:
    say(reservation["tag"], f"release {reservation['id']}")


async def refund(ctx: DurableContext, paid: str, tag: str, name: str) -> None:
    await ctx.run(say, tag, f"look for {paid}")
    await ctx.sleep(0.001)
    await ctx.run(say, tag, name)


@durable.function(max_retries=0)
async def trip(ctx: DurableContext, tag: str, last: str, refunding: str) -> str:
    async with ctx.saga() as saga:
        await saga.do(
            ctx.call("sagas", "reserve", {"tag": tag, "what": "seat"}),
            lambda seat: ctx.call("sagas", "release", seat),
        )
        await saga.do(
            ctx.run(say, tag, "pay"),
            lambda paid: refund(ctx, paid, tag, refunding),
        )
        await saga.do(ctx.run(say, tag, last), lambda done: ctx.run(say, tag, f"undo {done}"))
        await ctx.run(say, tag, "bad end" if last == "fails after" else "end")
    return "done"


@durable.function(max_retries=1, retry_delay=0.001)
async def reserves_anew(ctx: DurableContext, tag: str) -> int:
    async with ctx.saga() as saga:
        await saga.do(ctx.run(say, tag, "seat"), lambda seat: ctx.run(say, tag, "release"))
        await ctx.run(say, tag, "kept")
        if ctx.attempt == 1:
            raise ConnectionError("again")
    return ctx.attempt


@durable.function(max_retries=2, retry_delay=0.001)
async def fails_in_each_attempt(ctx: DurableContext, tag: str) -> None:
    async with ctx.saga() as saga:
        await saga.do(ctx.run(say, tag, "seat"), lambda seat: ctx.run(say, tag, "release"))
        raise ConnectionError("again")


@durable.function(max_retries=1, retry_delay=0.001)
async def forgets_by_hand(ctx: DurableContext, tag: str) -> int:
    seat = ctx.run(say, tag, "seat")
    try:
        await seat
        if ctx.attempt == 1:
            raise ConnectionError("again")
    except ConnectionError:
        release = ctx.run(say, tag, "release")
        ctx.forget(seat)
        ctx.forget(release)
        await release
        raise
    return ctx.attempt


@durable.function(max_retries=0)
async def is_cancelled(ctx: DurableContext, tag: str) -> None:
    ctx.on_cancel(say_recorded, tag, "first hook")
    forget_it = ctx.on_cancel(say_recorded, tag, "taken back")
    ctx.on_cancel(say_recorded, tag, "bad hook")
    forget_it()
    async with ctx.saga() as saga:
        await saga.do(ctx.run(say, tag, "seat"), lambda seat: ctx.run(say, tag, "release"))
        await ctx.sleep(3600)


async def say_recorded(ctx: DurableContext, tag: str, what: str) -> None:
    await ctx.run(say, tag, what)


@durable.function(max_retries=0, timeout=0.05)
async def times_out(ctx: DurableContext, tag: str) -> None:
    ctx.on_cancel(say_recorded, tag, "hook")
    await ctx.sleep(3600)


async def reserves_slowly(tag: str) -> str:
    gates[tag].set()
    await asyncio.sleep(0.02)
    return say(tag, "made it")


@durable.function(max_retries=0)
async def cancelled_in_a_step(ctx: DurableContext, tag: str) -> None:
    async with ctx.saga() as saga:
        await saga.do(ctx.run(reserves_slowly, tag), lambda made: ctx.run(say, tag, f"undo {made}"))


@durable.function(max_retries=0)
async def cancelled_in_a_call(ctx: DurableContext, tag: str) -> None:
    async with ctx.saga() as saga:
        await saga.do(ctx.run(say, tag, "seat"), lambda seat: ctx.run(say, tag, "release"))
        await saga.do(
            ctx.call(waits, tag, id=f"{tag}-callee"), lambda made: ctx.run(say, tag, "not made")
        )


@durable.function(max_retries=0)
async def waits(ctx: DurableContext, tag: str) -> None:
    await ctx.sleep(3600)


@durable.function(max_retries=0)
async def misuses(ctx: DurableContext, tag: str) -> list[str]:
    problems = []
    saga = ctx.saga()
    step: Any = say_recorded(ctx, tag, "x")
    try:
        await saga.do(step, print)
    except TypeError as error:
        step.close()
        problems.append(str(error)[:22])
    await saga.do(ctx.run(say, tag, "seat"), lambda seat: seat)
    try:
        await saga.compensate()
    except Exception as error:
        problems.append(type(error).__name__)
    await saga.compensate()
    return problems


for function in (
    *(trip, reserves_anew, fails_in_each_attempt, forgets_by_hand, is_cancelled, times_out),
    *(cancelled_in_a_step, cancelled_in_a_call, waits, misuses),
):
    service.add_function(function)


async def test_a_saga_that_succeeds_undoes_nothing(backend: Backend) -> None:
    tag = uuid4().hex
    assert "done" == await backend.run(trip, tag, "book", "refund")
    assert ["seat", "pay", "book", "end"] == told[tag]


@pytest.mark.parametrize(
    ("last", "undone"),
    [
        ("bad book", ["look for pay!", "refund", "release seat!"]),
        ("fails after", ["undo fails after!", "look for pay!", "refund", "release seat!"]),
    ],
)
async def test_a_failure_undoes_in_reverse_each_once(
    backend: Backend, last: str, undone: list[str]
) -> None:
    tag = uuid4().hex
    error = await backend.failure(trip, tag, last, "refund")
    assert isinstance(error, ExecutionFailed)
    assert "ValueError" == type(error.__cause__).__name__
    done = ["seat", "pay", last, *(["bad end"] if last == "fails after" else [])]
    assert [*done, *undone] == told[tag]


async def test_a_failing_compensation_is_recorded_and_the_others_run(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(trip, tag, "bad book", "bad refund")
    with pytest.raises(ExecutionFailed, match=r"1 compensation\(s\) failed.*say: ValueError: bad"):
        await handle.result(PATIENCE_S)
    undone = ["look for pay!", "bad refund", "release seat!"]
    assert ["seat", "pay", "bad book", *undone] == told[tag]
    branches = [entry async for entry in handle.history() if entry.kind == "branch_completed"]
    assert ["compensate say", "compensate sagas/reserve"] == [entry.name for entry in branches]
    assert ["ValueError: bad refund", ""] == [entry.error for entry in branches]


async def test_the_next_attempt_reserves_anew_and_keeps_the_rest(backend: Backend) -> None:
    tag = uuid4().hex
    assert 2 == await backend.run(reserves_anew, tag)
    assert ["seat", "kept", "release", "seat"] == told[tag]
    assert 2 == len({*keys[f"{tag}-seat"]})


async def test_a_compensation_is_never_taken_over(backend: Backend) -> None:
    tag = uuid4().hex
    await backend.failure(fails_in_each_attempt, tag)
    assert ["seat", "release"] * 3 == told[tag]
    assert [3, 3] == [len({*keys[f"{tag}-{what}"]}) for what in ("seat", "release")]


async def test_a_compensation_by_hand(backend: Backend) -> None:
    tag = uuid4().hex
    assert 2 == await backend.run(forgets_by_hand, tag)
    assert ["seat", "release", "seat"] == told[tag]
    assert 2 == len({*keys[f"{tag}-seat"]})


async def test_a_cancelled_saga_is_undone_and_hooks_run_last_first(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(is_cancelled, tag)
    await backend.until(handle.id, "timer_started")
    await handle.cancel("enough")
    with pytest.raises(ExecutionCancelledError):
        await handle.result(PATIENCE_S)
    assert ["seat", "release", "bad hook", "first hook"] == told[tag]


async def test_a_timeout_of_an_attempt_runs_no_cancel_hook(backend: Backend) -> None:
    tag = uuid4().hex
    await backend.failure(times_out, tag)
    assert [] == told[tag]


async def test_what_succeeds_in_spite_of_a_cancellation_is_undone(backend: Backend) -> None:
    tag = uuid4().hex
    gates[tag] = asyncio.Event()
    handle = await backend.client.start(cancelled_in_a_step, tag)
    await asyncio.wait_for(gates[tag].wait(), PATIENCE_S)
    await handle.cancel()
    with pytest.raises(ExecutionCancelledError):
        await handle.result(PATIENCE_S)
    assert ["made it", "undo made it!"] == told[tag]


async def test_a_cancellation_reaches_the_callee_that_a_saga_waits_for(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(cancelled_in_a_call, tag)
    await backend.until(handle.id, "call_issued")
    await backend.until(f"{tag}-callee", "timer_started")
    await handle.cancel()
    for each in (handle, backend.client.get(f"{tag}-callee")):
        with pytest.raises(ExecutionCancelledError):
            await each.result(PATIENCE_S)
    assert ["seat", "release"] == told[tag]
    assert "call_completed" in await backend.kinds(handle.id)


async def test_misuse_of_a_saga_says_what_to_write(backend: Backend) -> None:
    expected = ["saga.do() takes a comm", "CompensationError"]
    assert expected == await backend.run(misuses, uuid4().hex)
