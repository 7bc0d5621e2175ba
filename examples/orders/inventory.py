"""The inventory service.

perdure worker examples.orders.inventory
"""

from __future__ import annotations

from typing import Any

from perdure import durable

service = durable.service("inventory_service", "1.0.0")

STOCK = {"tea": 1_000, "coffee": 1_000, "moon dust": 0}


@service.handler
def check_availability(order: dict[str, Any]) -> dict[str, Any]:
    """Whether all of it is there."""
    missing = [
        item["id"] for item in order["items"] if STOCK.get(item["id"], 0) < item.get("quantity", 1)
    ]
    return {"available": not missing, "missing": missing}
