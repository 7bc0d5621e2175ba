"""The users' blocks on durable objects: orders, shipping, the circuit breaker, a shopping cart."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from types import FunctionType
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, ctx, durable
from tests.sdk.backends import Backend
from tests.seeds.circuit_breaker import circuit_breaker_service_call
from tests.seeds.durable_objects import (
    OrderProcessor,
    ShippingProcessor,
    enhanced_workflow,
    order_management_workflow,
)
from tests.seeds.durable_primitives import data_pipeline

inventory = durable.service("inventory_service")
payment = durable.service("payment_service")
fulfillment = durable.service("fulfillment_service")
orders = durable.service("orders")
weak = durable.service("weak")
SERVICES = [orders, inventory, payment, fulfillment, weak]
orders.add_object(OrderProcessor)
orders.add_object(ShippingProcessor)
orders.add_function(order_management_workflow)

calls: Counter[str] = Counter()
between: dict[str, dict[str, Any]] = {}
ITEM = {"id": "item_1", "price": 25.0, "quantity": 2}


@inventory.handler
def check_availability(request: dict[str, Any]) -> dict[str, Any]:
    calls[f"{request['items'][0]['id']}-check"] += 1
    return {"available": not request["items"][0]["id"].startswith("rare")}


@payment.handler
async def charge(request: dict[str, Any]) -> dict[str, Any]:
    order_id = request["order_id"]
    calls[f"{order_id}-charge"] += 1
    if order_id.startswith("broke"):
        return {"success": False}
    if order_id.startswith("flaky"):
        if calls[f"{order_id}-charge"] == 1:
            raise ConnectionError("the bank is away")
        order = await OrderProcessor.get_or_create(order_id)
        between[order_id] = await order.get_state()  # as the first attempt left it
    assert 50.0 == request["amount"]
    return {"success": True}


@fulfillment.handler
def schedule(request: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"f-{len(request['items'])}"}


async def processed(kind: str, item: dict[str, Any] = ITEM) -> tuple[str, Any, dict[str, Any]]:
    """As the page calls it, at the top level; `ctx` stands for nothing there."""
    order_id = f"{kind}-{uuid4().hex}"
    processor = await OrderProcessor.get_or_create(order_id)
    await processor.add_item(item)
    result = await processor.process_order(ctx)
    return order_id, result, await processor.get_state()


async def test_an_order_is_fulfilled(backend: Backend) -> None:
    order_id, result, state = await processed("good")
    assert {"success": True, "order_id": order_id, "fulfillment_id": "f-1"} == result
    assert "fulfilled" == state["status"]
    assert [
        "Added item: item_1",
        "Processing started",
        "Payment processed",
        "Fulfillment scheduled",
    ] == state["processing_steps"]


async def test_an_order_lacks_inventory(backend: Backend) -> None:
    _, result, state = await processed("good", {**ITEM, "id": "rare"})
    assert {"success": False, "error": "Insufficient inventory"} == result
    assert "insufficient_inventory" == state["status"]


async def test_the_payment_of_an_order_fails(backend: Backend) -> None:
    _, result, state = await processed("broke")
    assert {"success": False, "error": "Payment failed"} == result
    assert "payment_failed" == state["status"]


async def test_what_an_order_noted_of_an_error_is_kept_for_its_retry(backend: Backend) -> None:
    item = {**ITEM, "id": uuid4().hex}
    order_id, result, state = await processed("flaky", item)
    assert result["success"]
    assert "error" == between[order_id]["status"]
    assert 1 == between[order_id]["error_count"]
    assert "Error: the bank is away" == between[order_id]["processing_steps"][-1]
    assert "fulfilled" == state["status"]
    assert 1 == state["error_count"]
    assert 2 == calls[f"{order_id}-charge"]
    assert 1 == calls[f"{item['id']}-check"], "what succeeded is reused by the retry"


async def test_a_hundred_items_at_once(backend: Backend) -> None:
    order = await OrderProcessor.get_or_create(uuid4().hex)
    added = [order.add_item({"id": str(number)}) for number in range(100)]
    totals = [each["total_items"] for each in await asyncio.gather(*added)]
    assert list(range(1, 101)) == sorted(totals)
    items = (await order.get_state())["items"]
    assert {str(number) for number in range(100)} == {item["id"] for item in items}
    assert 100 == len(items)


# --- from a workflow -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("good", {"order_processed": True, "shipping_scheduled": True}),
        ("broke", {"order_processed": False, "error": "Payment failed"}),
    ],
)
async def test_a_workflow_manages_orders(
    backend: Backend, kind: str, expected: dict[str, Any]
) -> None:
    order_id = f"{kind}-{uuid4().hex}"
    data = {"order_id": order_id, "items": [{**ITEM, "quantity": 1}, {**ITEM, "quantity": 1}]}
    result = await backend.run(order_management_workflow, data)
    if kind == "good":
        expected = {**expected, "tracking_number": f"track-{order_id}-f-2"}
    assert expected == result


processing = durable.service("processor_service")
reports = durable.service("report_service")
SERVICES += [processing, reports]
orders.add_function(enhanced_workflow)
orders.add_function(data_pipeline)


@processing.handler
def process(data: Any) -> str:
    return f"processed {data}"


@reports.handler
def generate(request: dict[str, Any]) -> str:
    return f"{len(request['data'])} of {request['metadata']['sources']}"


async def test_a_workflow_uses_a_flow_and_an_object_without_a_context(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_TEST_WITNESS", str(tmp_path / "witness"))  # of what is fetched
    order_id = f"good-{uuid4().hex}"
    order = await OrderProcessor.get_or_create(order_id)
    await order.add_item(ITEM)
    result = await enhanced_workflow({"sources": ["source1", "source2"], "order_id": order_id})
    assert {"report": "2 of 2", "summary": 2} == result["pipeline"]
    assert {"success": True, "order_id": order_id, "fulfillment_id": "f-1"} == result["order"]


# --- the circuit breaker ------------------------------------------------------------------------

failing: set[str] = set()
OPEN_S = 0.3


def shorter(function: FunctionType, open_s: float, name: str) -> Any:
    """The same function with another number in the place of the five minutes."""
    assert function.__code__.co_consts.count(300) == 1
    constants = tuple(open_s if each == 300 else each for each in function.__code__.co_consts)
    code = function.__code__.replace(co_consts=constants)
    made = FunctionType(code, function.__globals__, name)
    made.__qualname__ = name
    return made


plain_breaker = circuit_breaker_service_call.definition.function
assert isinstance(plain_breaker, FunctionType)
of_execution = durable.function(max_retries=9, retry_delay=0.001)(
    shorter(plain_breaker, 300, "of_execution")
)
of_function = durable.function(max_retries=0, state_scope="function")(
    shorter(plain_breaker, OPEN_S, "of_function")
)
weak.add_function(of_execution)
weak.add_function(of_function)


@weak.handler
def work(data: dict[str, str]) -> str:
    calls[data["tag"]] += 1
    if data["tag"] in failing:
        raise ConnectionError("weak")
    return "strong"


@weak.handler
def mend(tag: str) -> None:
    failing.discard(tag)


@durable.function
async def waits_and_calls(context: DurableContext, tag: str, method: str) -> str:
    await context.sleep(OPEN_S)
    await context.call("weak", "mend", tag)
    result: str = await of_function("weak", method, {"tag": tag})
    return result


weak.add_function(waits_and_calls)


async def test_a_circuit_opens_over_the_attempts_of_an_execution(backend: Backend) -> None:
    tag = uuid4().hex
    failing.add(tag)
    error = await backend.failure(of_execution, "weak", "work", {"tag": tag})
    assert "Circuit breaker open for weak.work" == str(error)
    assert 5 == calls[tag]


async def test_a_circuit_opens_and_closes_over_the_executions_of_a_function(
    backend: Backend,
) -> None:
    tag = uuid4().hex
    failing.add(tag)
    method = "work"
    for _ in range(5):
        assert "weak" == str(await backend.failure(of_function, "weak", method, {"tag": tag}))
    error = await backend.failure(of_function, "weak", method, {"tag": tag})
    assert "Circuit breaker open for weak.work" == str(error)
    assert 5 == calls[tag]
    assert "strong" == await backend.run(waits_and_calls, tag, method)
    assert "strong" == await backend.run(of_function, "weak", method, {"tag": tag})


# --- a shopping cart without the base class ------------------------------------------------------


@durable.object
class ShoppingCart:
    def __init__(self, cart_id: str) -> None:
        self.cart_id = cart_id
        self.items: dict[str, int] = {}

    async def add_item(self, name: str, quantity: int = 1) -> dict[str, int]:
        self.items[name] = self.items.get(name, 0) + quantity
        await self.save()  # type: ignore[attr-defined] # given by the decorator
        return self.items


orders.add_object(ShoppingCart)


async def test_a_cart_takes_ten_items_at_once(backend: Backend) -> None:
    cart = backend.client.object(ShoppingCart, uuid4().hex)
    await asyncio.gather(*[cart.add_item("book", number) for number in range(10)])
    assert {"book": 46, "pen": 1} == {**(await cart.add_item("book", 1)), "pen": 1}
    state = await cart.get_state()  # type: ignore[attr-defined] # given by the decorator
    assert {"book": 46} == state["items"]
