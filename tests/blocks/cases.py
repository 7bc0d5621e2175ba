"""The users' blocks, driven: what is started, what must come out, what must have run.

A driver asks by fixed ids, so that it can be asked to go on after a crash and so that every
execution, with all that it calls, has the same ids and keys in every world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pytest

import perdure
from perdure import Client, ctx
from tests.blocks.app import ShoppingCart, of_execution, of_function
from tests.seeds.durable_objects import OrderProcessor


class Place(Protocol):
    """Where a block runs."""

    @property
    def client(self) -> Client:
        """Starts and asks."""
        ...

    async def at(self, seconds: float) -> None:
        """Let virtual time go on until so many seconds after the start."""
        ...

    async def until(self, id: str, kind: str) -> None:
        """Wait until the journal of an execution has an entry of this kind."""
        ...


Drive = Callable[[Place], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One block with one outcome.

    Args:
        bodies: how often each body outside of the engine runs when nothing crashes.
        skips_time: whether time jumps to the next timer by itself; else `Place.at` moves it.
        one_after_the_other: whether the body does one thing after the other.
        stride: one of so many journal writes is crashed at; 1: all.
    """

    name: str
    drive: Drive
    bodies: Counter[str]
    skips_time: bool
    one_after_the_other: bool
    stride: int


CASES: Final[dict[str, Case]] = {}


def case(
    *bodies: str, skips_time: bool = True, one_after_the_other: bool = True, stride: int = 1
) -> Callable[[Drive], Drive]:
    """Make a case of a driver."""

    def add(drive: Drive) -> Drive:
        name: str = getattr(drive, "__name__")  # noqa: B009 - a callable need not have one
        CASES[name] = Case(name, drive, Counter(bodies), skips_time, one_after_the_other, stride)
        return drive

    return add


async def outcome(place: Place, method: str, *input: Any, id: str | None = None) -> Any:
    """The result of a function of the blocks."""
    handle = await place.client.start("blocks", method, *input, id=id or method)
    return await handle.result()


async def failure(place: Place, method: str, *input: Any, id: str | None = None) -> str:
    """What it failed with."""
    with pytest.raises(perdure.ExecutionFailed) as raised:
        await outcome(place, method, *input, id=id)
    return str(raised.value)


async def state(place: Place, id: str) -> dict[str, Any]:
    """`ctx.state` of an execution."""
    return await place.client.get(id).read_state()


SOURCES: Final = ["source1", "source2", "source3"]
FETCHED: Final = tuple(f"fetch_data_source {source}" for source in SOURCES)
PROCESSED: Final = tuple(f"process {source}" for source in SOURCES)
ITEM: Final = {"id": "item_1", "price": 25.0, "quantity": 2}


@case("transform", "enrich")
async def process_data(place: Place) -> None:
    result = await outcome(place, "data_processor", {"items": [1, 2, 3]})
    assert [{"item": n, "square": n * n} for n in (10, 20, 30)] == result["processed"]
    assert 3 == result["count"]
    kept = await state(place, "data_processor")
    assert {"processing_started": True, "processed_count": 3} == kept


@case(*FETCHED, *PROCESSED, "generate", one_after_the_other=False)
async def data_pipeline(place: Place) -> None:
    report = {"rows": 21, "sources": 3, "processed": 3}
    assert {"report": report, "summary": 3} == await outcome(place, "data_pipeline", SOURCES)
    kept = await state(place, "data_pipeline")
    assert {"pipeline_started": True, "raw_data_count": 3, "processed_items": 3} == kept


@case("method1", "method2 of service_b", "method2 of fallback_service", "merge")
async def external_service_calls(place: Place) -> None:
    result = await outcome(place, "advanced_service_integration", {"value": 7})
    assert {"merged": ["a", "fallback"]} == result
    kept = await state(place, "advanced_service_integration")
    assert {"service_b_error": "service b is down"} == kept


@case("process_item x", "process_item y", "process_item z")
async def state_management(place: Place) -> None:
    items = [{"id": id, "price": n, "broken": id == "y"} for n, id in enumerate("xyz", 1)]
    result = await outcome(place, "stateful_processing", items)
    errors = [{"item_id": "y", "error": "item y is broken"}]
    assert {
        "processed_items": [{"id": "x", "price": 2}, {"id": "z", "price": 6}],
        "total_processed": 3,
        "errors": errors,
        "success_rate": 1.0,
    } == result
    kept = {"batch_size": 3, "processed_count": 3, "last_processed_item": "z", "errors": errors}
    assert kept == await state(place, "stateful_processing")


@case()
async def state_management_of_nothing(place: Place) -> None:
    assert "division by zero" in await failure(place, "stateful_processing", [])


@case(
    *("fetch one", "fetch three", "dataset one", "dataset three"),
    *("analyze one", "analyze three", "combine"),
    one_after_the_other=False,
)
async def parallel_execution(place: Place) -> None:
    result = await outcome(place, "parallel_data_processing", ["one", "three"])
    assert {"report": "0: one has 3 rows; 1: three has 5 rows", "rows": 2} == result


# --- objects -------------------------------------------------------------------------------------


async def process_order(place: Place, order_id: str, item: dict[str, Any]) -> Any:
    """Add an item and process the order; what came out, and the order's attributes."""
    order = place.client.object(OrderProcessor, order_id)
    added = await place.client.start(order.add_item, item, id="add")
    assert {"added": True, "total_items": 1} == await added.result()
    processed = await place.client.start(order.process_order, ctx, id="process")
    return await processed.result(), await order.get_state()


@case("check_availability", "charge order 50.0", "schedule")
async def order_fulfilled(place: Place) -> None:
    result, order = await process_order(place, "order", ITEM)
    assert {"success": True, "order_id": "order", "fulfillment_id": "f-1"} == result
    assert "fulfilled" == order["status"]
    steps = ["Processing started", "Payment processed", "Fulfillment scheduled"]
    assert ["Added item: item_1", *steps] == order["processing_steps"]


@case("check_availability")
async def order_lacks_inventory(place: Place) -> None:
    result, order = await process_order(place, "order", {**ITEM, "id": "rare"})
    assert {"success": False, "error": "Insufficient inventory"} == result
    assert "insufficient_inventory" == order["status"]


@case("check_availability", "charge broke 50.0")
async def order_is_not_paid(place: Place) -> None:
    result, order = await process_order(place, "broke", ITEM)
    assert {"success": False, "error": "Payment failed"} == result
    assert "payment_failed" == order["status"]


@case("check_availability", *("charge flaky 50.0",) * 2, "schedule")
async def order_is_processed_again(place: Place) -> None:
    result, order = await process_order(place, "flaky", ITEM)
    assert result["success"]
    assert (1, "fulfilled") == (order["error_count"], order["status"])
    assert "Error: the bank is away" in order["processing_steps"]


@case()
async def order_of_many_items(place: Place) -> None:
    order = place.client.object(OrderProcessor, "order")
    added = [
        await place.client.start(order.add_item, {"id": str(n)}, id=f"add-{n}") for n in range(8)
    ]
    assert [*range(1, 9)] == [(await each.result())["total_items"] for each in added]
    assert [str(n) for n in range(8)] == [each["id"] for each in (await order.get_state())["items"]]


@case("check_availability", "charge order 50.0", "schedule")
async def object_management(place: Place) -> None:
    items = [{**ITEM, "quantity": 1}, {**ITEM, "quantity": 1}]
    result = await outcome(
        place, "order_management_workflow", {"order_id": "order", "items": items}
    )
    shipped = {"shipping_scheduled": True, "tracking_number": "track-order-f-2"}
    assert {"order_processed": True, **shipped} == result


@case("check_availability", "charge broke 50.0")
async def object_management_without_payment(place: Place) -> None:
    result = await outcome(
        place, "order_management_workflow", {"order_id": "broke", "items": [ITEM]}
    )
    assert {"order_processed": False, "error": "Payment failed"} == result


@case(
    *(*FETCHED, *PROCESSED, "generate", "check_availability", "charge order 50.0", "schedule"),
    one_after_the_other=False,
)
async def with_workflows(place: Place) -> None:
    order = place.client.object(OrderProcessor, "order")
    await (await place.client.start(order.add_item, ITEM, id="add")).result()
    result = await outcome(place, "enhanced_workflow", {"sources": SOURCES, "order_id": "order"})
    assert 3 == result["pipeline"]["summary"]
    assert {"success": True, "order_id": "order", "fulfillment_id": "f-1"} == result["order"]


@case()
async def shopping_cart(place: Place) -> None:
    cart = place.client.object(ShoppingCart, "cart")
    added = [await place.client.start(cart.add_item, "book", n, id=f"add-{n}") for n in range(8)]
    assert [0, 1, 3, 6, 10, 15, 21, 28] == [(await each.result())["book"] for each in added]


# --- events --------------------------------------------------------------------------------------

APPROVED: Final = {"approved": True, "by": "eve"}


async def decide(place: Place, *events: dict[str, Any], early: bool = False) -> Any:
    """Start the approval workflow and decide, a minute before it is too late or before it asks."""
    if not early:
        await place.client.start("blocks", "event_driven_workflow", "w", id="w")
        await place.until("w", "event_awaited")
        await place.at(86_340)
        assert {"workflow_status": "waiting_for_approval"} == await state(place, "w")
    for event in events:
        await place.client.send_event("approval_w", event, dedupe_id="decision")
    return await outcome(place, "event_driven_workflow", "w", id="w")


@case("execute w", skips_time=False)
async def approved(place: Place) -> None:
    assert {"success": True, "result": "executed for eve"} == await decide(place, APPROVED)
    assert {"workflow_status": "completed"} == await state(place, "w")


@case(skips_time=False)
async def rejected(place: Place) -> None:
    decision = {"approved": False, "reason": "too dear"}
    assert {"success": False, "reason": "too dear"} == await decide(place, decision)
    assert {"workflow_status": "rejected"} == await state(place, "w")


@case(skips_time=True)
async def never_decided(place: Place) -> None:
    result = await outcome(place, "event_driven_workflow", "w", id="w")
    assert {"success": False, "reason": "Approval timeout"} == result
    assert {"workflow_status": "timeout"} == await state(place, "w")


@case("execute w", skips_time=False)
async def approved_before_it_is_asked_for(place: Place) -> None:
    result = await decide(place, APPROVED, early=True)
    assert {"success": True, "result": "executed for eve"} == result


@case("execute w", skips_time=False)
async def approved_twice(place: Place) -> None:
    result = await decide(place, APPROVED, {**APPROVED, "by": "ann"})
    assert {"success": True, "result": "executed for eve"} == result


# --- patterns ------------------------------------------------------------------------------------


@case(*("process by api",) * 5)
async def custom_retry(place: Place) -> None:
    problems = ["rate_limit hit", "timeout", "rate_limit again", "something else"]
    result = await outcome(place, "resilient_api_integration", {"problems": problems})
    assert {"number": 5} == result
    assert {"retry_count": 0} == await state(place, "resilient_api_integration")


@case(*("process by api",) * 11, stride=5)
async def custom_retry_gives_up(place: Place) -> None:
    told = await failure(place, "resilient_api_integration", {"problems": ["timeout"] * 20})
    assert "timeout" in told
    assert {"retry_count": 11} == await state(place, "resilient_api_integration")


@case(*(f"fast {n}" for n in range(110)), "combine_batches", one_after_the_other=False, stride=37)
async def performance(place: Place) -> None:
    items = [{"n": n} for n in range(110)]
    result = await outcome(place, "high_performance_pipeline", items)
    assert {"sum": 110 * 109, "items": 110} == result


@case(*("process complex",) * 2)
async def with_tasks(place: Place) -> None:
    for n in (1, 2):
        result = await outcome(place, "advanced_task_processing", {"n": n}, id=f"task-{n}")
        assert {"processed": n} == result


@case(*("work",) * 6, stride=2)
async def circuit_of_an_execution(place: Place) -> None:
    """Attempts a minute apart and more: the fifth failure opens it, five minutes close it."""
    handle = await place.client.start(of_execution, "weak", "work", {"failures": 5}, id="calls")
    assert "strong" == await handle.result()


@case(*("work",) * 6, skips_time=False, stride=3)
async def circuit_of_a_function(place: Place) -> None:
    input = ("weak", "work", {"failures": 5})

    async def told(id: str) -> str:
        handle = await place.client.start(of_function, *input, id=id)
        with pytest.raises(perdure.ExecutionFailed) as raised:
            await handle.result()
        return str(raised.value)

    assert ["weak"] * 5 == [await told(f"failing-{n}") for n in range(5)]
    for seconds in (0, 299):
        await place.at(seconds)
        assert "Circuit breaker open for weak.work" == await told(f"open-{seconds}")
    await place.at(301)
    handle = await place.client.start(of_function, *input, id="closed")
    assert "strong" == await handle.result()


TEA: Final[dict[str, Any]] = {
    "items": [{"id": "tea"}],
    "payment": {"amount": 12},
    "order": {"name": "tea"},
}


async def saga(place: Place, changes: dict[str, Any], *, kept: dict[str, Any]) -> Any:
    """The result of the transaction, whose state is checked."""
    result = await outcome(place, "saga_transaction", TEA | changes)
    assert kept == await state(place, "saga_transaction")
    return result


@case("reserve", "charge", "create")
async def saga_succeeds(place: Place) -> None:
    result = await saga(place, {}, kept={"saga_status": "completed"})
    assert {"success": True, "order_id": "o-tea"} == result


@case("reserve")
async def saga_without_a_reservation(place: Place) -> None:
    changes = {"items": [{"id": "tea", "fails": "items"}]}
    result = await saga(place, changes, kept={"saga_status": "failed"})
    assert {"success": False, "error": "items refused"} == result


@case("reserve", "charge", "release r-tea")
async def saga_without_a_payment(place: Place) -> None:
    changes = {"payment": {"amount": 12, "fails": "payment"}}
    result = await saga(place, changes, kept={"saga_status": "failed"})
    assert {"success": False, "error": "payment refused"} == result


@case("reserve", "charge", "create", "refund t-12", "release r-tea")
async def saga_without_an_order(place: Place) -> None:
    result = await saga(place, {"order": {"fails": "order"}}, kept={"saga_status": "failed"})
    assert {"success": False, "error": "order refused"} == result


@case("reserve", "charge", "create", "refund t-12", "release r-stuck")
async def saga_whose_compensation_fails(place: Place) -> None:
    changes = {"items": [{"id": "stuck"}], "order": {"fails": "order"}}
    failed = {"saga_status": "failed", "compensation_error_inventory": "the items are stuck"}
    result = await saga(place, changes, kept=failed)
    assert {"success": False, "error": "order refused"} == result


@case()
async def flaky_operation(place: Place) -> None:
    assert {"attempts": 3, "data": {"x": 1}} == await outcome(place, "flaky_operation", {"x": 1})


@case("get_profile", "get_orders", "fast 4", one_after_the_other=False)
async def three_services(place: Place) -> None:
    expected = ["profile of eve", ["eve", "eve"], 8, "nothing"]
    assert expected == await outcome(place, "three_services", "eve")


def names(cases: Iterable[Case]) -> list[str]:
    """For parameters of tests."""
    return [each.name for each in cases]
