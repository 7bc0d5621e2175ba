"""`ctx.call`, `ctx.send` and direct calls (semantics, sections 3 and 5)."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, durable
from perdure.errors import (
    CallTimeoutError,
    ExecutionFailed,
    ServiceUnavailableError,
)
from tests.sdk.backends import Backend

shop = durable.service("calls-shop")
other = durable.service("calls-other")
SERVICES = [shop, other]
runs: Counter[str] = Counter()


@dataclass(frozen=True)
class Order:
    id: int
    items: tuple[str, ...]


@durable.function(service="calls-shop")
async def total(ctx: DurableContext, order: Order, factor: int = 1) -> Order:
    assert isinstance(order, Order)
    return Order(order.id * factor, (*order.items, "total"))


@durable.step(service="calls-shop")
async def priced(name: str) -> int:
    return len(name)


@other.handler
def shout(payload: dict[str, Any]) -> str:
    return str(payload["text"]).upper()


@other.handler
async def pair(a: int, b: int = 5) -> list[int]:
    return [a, b]


@durable.function(service="calls-shop")
async def by_function(ctx: DurableContext) -> tuple[Order, Order, int]:
    future = ctx.call(total, Order(2, ("a",)), 3)
    assert future.execution_id.startswith("~")
    first = await future
    assert first == await future
    return first, await total(Order(1, ())), await ctx.call(priced, "four")


@durable.function(service="calls-shop")
async def by_name(ctx: DurableContext) -> list[Any]:
    return [
        await ctx.call("calls-other", "shout", {"text": "hey"}),
        await ctx.call("calls-other", "pair", {"a": 1}),
        await ctx.call("calls-shop", "total", {"order": {"id": 1, "items": []}}),
    ]


@durable.function(service="calls-shop")
async def sends(ctx: DurableContext, marker: str) -> str:
    return await ctx.send(marked, marker, delay=0.01)


@durable.function(service="calls-shop")
async def calls_later(ctx: DurableContext) -> float:
    began = ctx.time()
    await ctx.call("calls-other", "pair", {"a": 1}, delay=0.05)
    await ctx.call(priced, "x", delay=0.0)
    return ctx.time() - began


@durable.function(service="calls-shop")
async def marked(ctx: DurableContext, marker: str) -> str:
    await ctx.run(count, marker)
    return marker


def count(marker: str) -> int:
    runs[marker] += 1
    return runs[marker]


@durable.function(service="calls-shop", max_retries=0)
async def calls_unknown_service(ctx: DurableContext) -> str:
    try:
        await ctx.call("calls-nobody", "nothing", timeout=0.05)
    except ServiceUnavailableError as error:
        return f"{type(error).__name__}: {error}"
    return "it was there"


@durable.function(service="calls-shop", max_retries=0)
async def calls_slow(ctx: DurableContext) -> str:
    try:
        await ctx.call(slow, timeout=0.05)
    except TimeoutError:
        return "a TimeoutError"
    except CallTimeoutError:
        return "a CallTimeoutError"
    return "in time"


@durable.function(service="calls-shop")
async def slow(ctx: DurableContext) -> None:
    await ctx.sleep(3600)


@durable.function(service="calls-shop", max_retries=0)
async def calls_with_id(ctx: DurableContext, id: str) -> list[str]:
    first = ctx.call(marked, id, id=id)
    assert first.execution_id == id
    return [await first, await ctx.call(marked, id, id=id)]


@durable.function(service="calls-shop", max_retries=0)
async def gives_up(ctx: DurableContext) -> str:
    call = ctx.call(slow)
    await ctx.sleep(0.01)
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return call.execution_id
    return ""


@durable.flow(service="calls-shop")
async def bad_arguments(ctx: DurableContext) -> list[str]:
    problems = []
    for make in (
        lambda: ctx.call(total),  # type: ignore[call-arg, arg-type] # what is tested
        lambda: ctx.call(print, 1),  # type: ignore[arg-type] # what is tested
        lambda: ctx.call("service-only"),  # type: ignore[call-overload] # what is tested
        lambda: ctx.call("a", "b", 1, timeout=-1),
        lambda: ctx.call("a", "b", id="~x"),
    ):
        try:
            make()
        except (TypeError, ValueError) as error:
            problems.append(type(error).__name__)
    return problems


for function in (
    *(total, priced, by_function, by_name, sends, marked, calls_unknown_service, calls_slow),
    *(slow, calls_with_id, gives_up, bad_arguments, calls_later),
):
    shop.add_function(function)


async def test_a_call_of_a_function_is_typed_both_ways(backend: Backend) -> None:
    expected = (Order(6, ("a", "total")), Order(1, ("total",)), 4)
    assert expected == await backend.run(by_function)


async def test_a_call_by_name_gives_plain_data(backend: Backend) -> None:
    assert ["HEY", [1, 5], {"id": 1, "items": ["total"]}] == await backend.run(by_name)


async def test_send_is_detached_and_gives_the_id(backend: Backend) -> None:
    marker = uuid4().hex
    id = await backend.run(sends, marker)
    assert marker == await backend.client.get(id).result(20)
    assert 1 == runs[marker]


async def test_a_call_may_start_later(backend: Backend) -> None:
    assert await backend.run(calls_later) >= 0.05


async def test_an_unknown_service_is_unavailable_after_the_timeout(backend: Backend) -> None:
    assert (await backend.run(calls_unknown_service)).startswith("ServiceUnavailableError: ")


async def test_a_call_timeout_is_no_timeout_error(backend: Backend) -> None:
    assert "a CallTimeoutError" == await backend.run(calls_slow)


async def test_calls_with_one_id_are_one_execution(backend: Backend) -> None:
    id = uuid4().hex
    assert [id, id] == await backend.run(calls_with_id, id)
    assert 1 == runs[id]


async def test_cancelling_a_call_cancels_the_callee(backend: Backend) -> None:
    id = await backend.run(gives_up)
    with pytest.raises(Exception, match="cancelled"):
        await backend.client.get(id).result(20)


async def test_bad_arguments_raise_at_the_call(backend: Backend) -> None:
    expected = ["TypeError", "TypeError", "TypeError", "InvalidArgumentError"]
    assert [*expected, "InvalidArgumentError"] == await backend.run(bad_arguments)


async def test_a_direct_call_goes_to_the_ambient_client(backend: Backend) -> None:
    assert Order(5, ("total",)) == await total(Order(5, ()))


async def test_a_direct_call_raises_execution_failed(backend: Backend) -> None:
    with pytest.raises(ExecutionFailed, match="lacks order"):
        await backend.run("calls-shop", "total", {})
