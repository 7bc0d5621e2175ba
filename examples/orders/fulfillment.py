"""The fulfillment service.

perdure worker examples.orders.fulfillment
"""

from __future__ import annotations

from typing import Any

from examples.orders.ledger import record
from perdure import durable

service = durable.service("fulfillment_service", "1.0.0")


@service.handler
def schedule(order: dict[str, Any]) -> dict[str, Any]:
    """Have it packed and sent."""
    return {"id": f"parcel-{record('ship', order['order_id'])[:8]}"}
