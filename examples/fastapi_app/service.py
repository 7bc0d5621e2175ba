"""What happens to an order, durably. Runs in worker processes; web processes only start it.

    perdure worker examples.fastapi_app.service --endpoint http://localhost:8080

`ORDERS_LEDGER` names a file that stands for the outside world: each effect appends a line to it,
on disk before the step returns. The engine knows nothing of it.
"""

from __future__ import annotations

import os

from pydantic import BaseModel, Field

from perdure import DurableContext, ctx, durable

service = durable.service("orders", "1.0.0")


class Order(BaseModel):
    """What a customer sends. The id is the customer's: sending it again is the same order."""

    id: str = Field(min_length=1, max_length=200)
    item: str
    quantity: int = Field(gt=0)
    price_cents: int = Field(gt=0)


class Receipt(BaseModel):
    """What the customer gets in the end."""

    order: str
    reservation: str
    paid_cents: int


def record(effect: str, order: str, amount: int) -> str:
    """Have an effect outside; returns the idempotency key it was done under."""
    key = ctx.idempotency_key
    if path := os.environ.get("ORDERS_LEDGER"):
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{effect} {order} {amount} {key}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return key


@durable.step
def reserve(order: str, quantity: int) -> str:
    """Take the goods from the shelf; returns the reservation."""
    return record("reserve", order, quantity)


@durable.step
def charge(order: str, amount_cents: int) -> int:
    """Take the money; returns how much."""
    record("charge", order, amount_cents)
    return amount_cents


@durable.flow
async def place_order(ctx: DurableContext, order: Order) -> Receipt:
    """Reserve, then charge. Each is recorded once, whatever dies in between."""
    reservation = await reserve(order.id, order.quantity)
    paid_cents = await charge(order.id, order.quantity * order.price_cents)
    return Receipt(order=order.id, reservation=reservation, paid_cents=paid_cents)


service.add_function(place_order)
