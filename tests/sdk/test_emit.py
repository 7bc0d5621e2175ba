"""`ctx.emit` and `handle.stream` (semantics, section 5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import DurableContext, ctx, durable
from perdure_runtime.core.errors import NotFoundError, NotInExecutionError, SerializationError
from tests.sdk.backends import Backend

SERVICE = durable.service("emit")
SERVICES = [SERVICE]
gates: dict[str, asyncio.Event] = {}


@durable.function(service="emit")
async def counts(context: DurableContext, upto: int) -> int:
    for number in range(upto):
        context.emit({"number": number})
        await asyncio.sleep(0)
    await context.sleep(0.001)
    context.emit("last")
    return upto


@durable.function(service="emit", max_retries=1, retry_delay=0.001)
async def counts_twice(context: DurableContext) -> int:
    context.emit("begins")
    await context.sleep(0.001)
    context.emit(f"attempt {context.attempt}")
    if context.attempt == 1:
        raise ValueError("again")
    return context.attempt


@durable.step
async def passes(gate: str) -> None:
    await gates[gate].wait()


@durable.function(service="emit")
async def gated(context: DurableContext, gate: str) -> None:
    context.emit("before")
    await passes(gate)
    context.emit("after")


@durable.step
def emits_in_a_step() -> str:
    with pytest.raises(NotInExecutionError):
        ctx.emit(1)
    return "refused"


@durable.function(service="emit")
async def emits_in_places(context: DurableContext) -> list[Any]:
    async def branch(inner: DurableContext, number: int) -> int:
        inner.emit(number)
        return number

    ctx.emit("ambient")
    refused = await emits_in_a_step()
    with pytest.raises(SerializationError, match="emitted value"):
        context.emit(object())
    return [refused, *await context.spawn([(branch, 1), (branch, 2)])]


for _each in (counts, counts_twice, gated, emits_in_places):
    SERVICE.add_function(_each)


async def values(backend: Backend, id: str, **options: Any) -> list[Any]:
    async with asyncio.timeout(30):
        return [value async for value in backend.client.get(id).stream(**options)]


async def test_values_are_recorded_in_order_and_read_from_an_index(backend: Backend) -> None:
    handle = await backend.client.start(counts, 3, id="counted")
    expected: list[Any] = [{"number": 0}, {"number": 1}, {"number": 2}, "last"]
    assert expected == await values(backend, "counted")
    assert 3 == await handle.result(30)
    assert expected[2:] == await values(backend, "counted", from_index=2, follow=False)
    assert [] == await values(backend, "counted", from_index=99)


async def test_followers_get_a_value_while_the_execution_runs(backend: Backend) -> None:
    gate = gates["live"] = asyncio.Event()
    handle = await backend.client.start(gated, "live")
    stream = handle.stream()
    async with asyncio.timeout(30):
        assert "before" == await anext(stream)
        gate.set()
        assert ["after"] == [value async for value in stream]


async def test_a_later_attempt_does_not_repeat_what_it_emits_again(backend: Backend) -> None:
    assert 2 == await backend.run(counts_twice, id="twice")
    assert ["begins", "attempt 1", "attempt 2"] == await values(backend, "twice")


async def test_branches_and_the_proxy_emit_and_steps_do_not(backend: Backend) -> None:
    assert ["refused", 1, 2] == await backend.run(emits_in_places, id="places")
    emitted = await values(backend, "places")
    assert ("ambient", {1, 2}) == (emitted[0], set(emitted[1:]))


async def test_a_stream_of_nothing_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFoundError):
        await values(backend, "nobody")
