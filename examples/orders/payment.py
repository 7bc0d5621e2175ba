"""The payment service.

perdure worker examples.orders.payment

A worker that dies in the middle of a charge does it again, under the same idempotency key: that is
what a payment provider is to be given.
"""

from __future__ import annotations

from typing import Any

from examples.orders.ledger import record
from perdure import durable

service = durable.service("payment_service", "1.0.0")


@service.handler
def charge(payment: dict[str, Any]) -> dict[str, Any]:
    """Take the money."""
    return {"success": payment["amount"] < 100_000, "id": record("charge", payment["order_id"])}
