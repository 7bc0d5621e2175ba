"""The users' blocks on objects and on performance as services, and what they call.

`perdure worker tests.integration.apps.patterns` serves it all; `SERVICES` is the same embedded.
"""

from __future__ import annotations

from typing import Any

from perdure import durable
from tests.integration.apps.witness import witness
from tests.seeds.durable_objects import (
    OrderProcessor,
    ShippingProcessor,
    order_management_workflow,
)
from tests.seeds.performance import high_performance_pipeline

patterns = durable.service("patterns")
inventory_service = durable.service("inventory_service")
payment_service = durable.service("payment_service")
fulfillment_service = durable.service("fulfillment_service")
fast_processor = durable.service("fast_processor")
aggregator = durable.service("aggregator")


@inventory_service.handler
def check_availability(request: dict[str, Any]) -> dict[str, bool]:
    """There is enough."""
    witness("check_availability")
    return {"available": len(request["items"]) == 2}


@payment_service.handler
async def charge(request: dict[str, Any]) -> dict[str, bool]:
    """Takes the money."""
    witness("charge")
    return {"success": request["amount"] == 75.0}


@fulfillment_service.handler
def schedule(request: dict[str, Any]) -> dict[str, str]:
    """Books the fulfilment."""
    witness("schedule")
    return {"id": f"f-{len(request['items'])}"}


@fast_processor.handler
async def process(item: int) -> int:
    """One of many."""
    witness(f"fast {item}")
    return 2 * item


@aggregator.handler
def combine_batches(parts: dict[str, Any]) -> dict[str, Any]:
    """All in one."""
    witness("combine")
    sums = [sum(batch["items"]) for batch in parts["batches"]]
    return {"sums": sums, "items": parts["total_items"]}


patterns.add_object(OrderProcessor)
patterns.add_object(ShippingProcessor)
patterns.add_function(order_management_workflow)
patterns.add_function(high_performance_pipeline)

SERVICES = [
    *(patterns, inventory_service, payment_service, fulfillment_service),
    *(fast_processor, aggregator),
]
