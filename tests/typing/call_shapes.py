"""Every way to call what the decorators return, as a strict checker sees it. Never run.

`test_call_shapes` gives this file to mypy: a wrong type fails there, and so does a line with an
ignored error that has become none.
"""

from __future__ import annotations

import asyncio
from typing import Any, assert_type

import perdure
from perdure import (
    DurableContext,
    DurableObject,
    ExecutionHandle,
    ExecutionInfo,
    RetryPolicy,
    actions,
    durable,
    task,
    workflow,
)
from perdure.decorators import DurableFunction


@durable.step
def resize(path: str, width: int = 100) -> str:
    return f"{path}{width}"


@durable.step(timeout=5, retry=RetryPolicy(max_retries=2))
async def fetch(url: str) -> bytes:
    return url.encode()


@durable.function
async def process_data(ctx: DurableContext, data: dict[str, Any]) -> dict[str, Any]:
    return data


@durable.function(max_retries=5, retry_delay=2.0, timeout=300.0, raises=[ValueError])
async def price(ctx: DurableContext, item: str, *, count: int = 1) -> float:
    return 1.0 * count


@durable.flow(checkpoint_interval=10, max_concurrent_steps=20)
async def pipeline(ctx: DurableContext, sources: list[str]) -> dict[str, Any]:
    assert_type(await resize("a"), str)
    assert_type(await resize("a", width=2), str)
    assert_type(await fetch("a"), bytes)
    assert_type(await price("a", count=2), float)
    both = await asyncio.gather(resize("a"), fetch("b"))
    assert_type(both, tuple[str, bytes])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(process_data({}))
    assert_type(task.result(), dict[str, Any])
    return {}


@task
async def ambient(x: int) -> str:
    return str(x)


@task(max_retries=1)
def plain_ambient(x: int) -> str:
    return str(x)


@workflow
async def ambient_flow(name: str) -> int:
    assert_type(await ambient(1), str)
    assert_type(await plain_ambient(x=1), str)
    return len(name)


async def several(ctx: DurableContext) -> None:
    assert_type((await ctx.map(fetch, ["a"])).succeeded, list[bytes])
    assert_type((await ctx.map(lambda n: n + 1, [1]))[0], int)
    assert_type(await ctx.shield(ambient(1)), str)
    async with ctx.saga() as saga:
        price_now = await saga.do(ctx.call(price, "a"), lambda done: ctx.run(print, done))
        assert_type(price_now, float)


@durable.flow
async def bare_flow(ctx: DurableContext) -> None: ...


@durable.object
class OrderProcessor(DurableObject):
    def __init__(self, order_id: str) -> None:
        super().__init__(order_id)
        self.items: list[dict[str, Any]] = []

    async def add_item(self, item: dict[str, Any]) -> dict[str, Any]:
        return item

    async def process(self, ctx: DurableContext, times: int = 1) -> int:
        return times

    @durable.shared
    async def total(self) -> float:
        return 1.0


@durable.object(on_error="rollback", max_retries=1, name="Counter")
class Plain:
    async def tick(self) -> int:
        return 1


async def with_objects(ctx: DurableContext, client: perdure.Client) -> None:
    order = await OrderProcessor.get_or_create("order_123")
    assert_type(order, OrderProcessor)
    assert_type(order.id, str)
    assert_type(await order.add_item({}), dict[str, Any])
    assert_type(await order.total(), float)
    assert_type(await order.get_state(), dict[str, Any])
    inside = await ctx.get_object(OrderProcessor, "x")
    assert_type(inside, OrderProcessor)
    assert_type(await inside.process(ctx, 3), int)
    assert_type(await ctx.call(inside.add_item, {}), dict[str, Any])
    assert_type(await ctx.send(inside.add_item, {}), str)
    assert_type(await ctx.call("orders", "OrderProcessor.total", key="x"), Any)
    outside = client.object(OrderProcessor, "x")
    assert_type(outside, OrderProcessor)
    assert_type(await client.start(outside.add_item, {}), ExecutionHandle[dict[str, Any]])
    assert_type(await client.object(Plain, "x").tick(), int)
    assert_type(await ctx.state.update("n", lambda value: value + 1, 0), Any)
    await order.add_item(1)  # type: ignore[arg-type]
    await ctx.call(inside.total, key="x")  # type: ignore[call-overload]


async def undecorated(ctx: DurableContext, batch: list[int], index: int) -> int:
    return index


assert_type(bare_flow, DurableFunction[[], None])


async def directly() -> None:
    assert_type(await process_data({"items": [1, 2, 3]}), dict[str, Any])
    assert_type(await process_data.start({"items": []}), ExecutionHandle[dict[str, Any]])
    assert_type(await process_data.options(id="x", priority=5)({}), dict[str, Any])
    assert_type(await price.options(retry=3).start("a", count=2), ExecutionHandle[float])
    assert_type(await bare_flow(), None)
    await process_data()  # type: ignore[call-arg]
    await process_data(1)  # type: ignore[arg-type]
    await price("a", 2)  # type: ignore[call-arg]
    process_data.options(colour="red")  # type: ignore[call-arg]


async def with_a_client() -> None:
    async with perdure.connect("http://localhost:8080", namespace="n", token=None) as client:
        handle = await client.start(process_data, {"items": []}, id="order-1")
        assert_type(handle, ExecutionHandle[dict[str, Any]])
        assert_type(await handle.result(timeout=None), dict[str, Any])
        assert_type(await handle.describe(), ExecutionInfo)
        assert_type(await handle.cancel("why"), bool)
        assert_type(handle.id, str)
        async for entry in handle.history(follow=False):
            assert_type(entry.index, int)
        named = await client.start("orders", "process_data", {"items": []}, id="x", priority=1)
        assert_type(named, ExecutionHandle[Any])
        assert_type(await client.start("orders", "tick"), ExecutionHandle[Any])
        assert_type(await client.start(resize, "a"), ExecutionHandle[str])
        assert_type(await client.start(resize, "a", 3), ExecutionHandle[str])
        assert_type(client.get("order-1"), ExecutionHandle[Any])
        assert_type(client.get("order-1", process_data), ExecutionHandle[dict[str, Any]])
        async for info in client.list(status="running", service="orders", limit=100):
            assert_type(info, ExecutionInfo)
        assert_type(await client.read_state("order-1"), dict[str, Any])
        await client.start(process_data, 1)  # type: ignore[arg-type]
        await client.start(process_data, {}, colour="red")  # type: ignore[call-overload]


def blocking() -> None:
    assert_type(perdure.sync.run(pipeline, ["a"], id="x"), dict[str, Any])
    with perdure.sync.connect("http://localhost:8080") as client:
        handle = client.start(pipeline, ["a"], id="x")
        assert_type(handle.result(5), dict[str, Any])
        assert_type(handle.cancel("why"), bool)
        for entry in handle.history(follow=True):
            assert_type(entry.summary, str)
        for info in client.list(status=["running"]):
            assert_type(info, ExecutionInfo)


def services() -> None:
    service = durable.service("orders", "1.0.0", lifespan=None)
    service.add_function(process_data)
    service.add_function(undecorated, name="batch")
    service.add_function(resize)
    service.add_object(OrderProcessor)

    @service.handler
    def charge(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    @service.handler(name="refund")
    async def pay_back(payload: dict[str, Any]) -> int:
        return 1

    assert_type(charge({}), dict[str, Any])
    assert_type(service.get_service_config(), dict[str, Any])


async def embedded() -> None:
    async with perdure.embedded("app.db", services=[durable.service("orders")]) as runtime:
        assert_type(await runtime.client.start(price, "a"), ExecutionHandle[float])
        await runtime.drain()


async def acted(client: perdure.Client) -> None:
    @actions.define("resize", max_concurrency=2, rate_limit=perdure.RateLimit(5, burst=2))
    async def handler(input: Any, context: actions.ActionContext) -> int:
        async for item in context.each([1, 2]):
            assert_type(item, int)
        assert_type(await context.step("key", len, "a"), int)
        assert_type(await context.step("other", asyncio.sleep, 0, "a"), str)
        context.progress(1, 2)
        return 1

    await actions.define("again", handler)
    action = await actions.start("resize", {"a": 1}, idempotency_key="x", labels={"a": "b"})
    assert_type(action, actions.Action)
    assert_type(await actions.get(action.id), actions.Action | None)
    assert_type(await actions.Actions(client).list(status="failed"), list[actions.Action])
    async for seen in actions.watch(action.id):
        assert_type(seen.progress, float)
    async for info in client.get(action.id).watch():
        assert_type(info, ExecutionInfo)
    actions.define("bad", 5)  # type: ignore[call-overload]


def refused() -> None:
    @durable.function  # type: ignore[arg-type]
    def not_async(ctx: DurableContext) -> int:
        return 1

    @durable.flow  # type: ignore[arg-type]
    async def no_context() -> int:
        return 1

    durable.function(max_retry=3)  # type: ignore[call-overload]
    durable.object(on_error="never")  # type: ignore[call-overload]
    durable.flow(timeout="3")  # type: ignore[call-overload]
