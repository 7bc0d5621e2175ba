"""The shop: an order is a durable object, placing one is a flow.

    perdure worker examples.orders.shop

The other services run in processes of their own; they may be written in any language.
"""

from __future__ import annotations

from typing import Any

from perdure import DurableContext, DurableObject, EventTimeoutError, durable

service = durable.service("shop", "1.0.0")

APPROVAL_ABOVE = 500.0
APPROVAL_S = 24 * 3600.0


@durable.object
class OrderProcessor(DurableObject):
    """One order: its items and how far it is. One method at a time, each recorded once."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id)
        self.status = "created"
        self.items: list[dict[str, Any]] = []
        self.steps: list[str] = []

    async def add_item(self, item: dict[str, Any]) -> float:
        """Returns what the order costs now."""
        self.items.append(item)
        self.steps.append(f"added {item['id']}")
        return self.total()

    async def reject(self, reason: str) -> None:
        """It is not to be."""
        self.status = "rejected"
        self.steps.append(reason)

    async def process(self, ctx: DurableContext) -> dict[str, Any]:
        """Check the stock, take the money, send the parcel."""
        order = {"order_id": self.id, "items": self.items}
        stock = await ctx.call("inventory_service", "check_availability", order)
        if not stock["available"]:
            return self.stopped("out of stock", missing=stock["missing"])
        payment = {"order_id": self.id, "amount": self.total()}
        paid = await ctx.call("payment_service", "charge", payment)
        if not paid["success"]:
            return self.stopped("payment refused")
        parcel = await ctx.call("fulfillment_service", "schedule", order)
        # After the last await: what is changed before stays if the method raises.
        self.status = "fulfilled"
        self.steps += ["paid", "sent"]
        return {"success": True, "parcel": parcel["id"], "payment": paid["id"]}

    @durable.shared
    async def summary(self) -> dict[str, Any]:
        """How far it is; readers neither wait nor hold anybody up."""
        return {"status": self.status, "total": self.total(), "steps": self.steps}

    def stopped(self, status: str, **why: Any) -> dict[str, Any]:
        """It goes no further."""
        self.status = status
        return {"success": False, **why}

    def total(self) -> float:
        """What it costs. Plain methods are for the object's own use."""
        return sum(float(item["price"]) * int(item.get("quantity", 1)) for item in self.items)


@durable.flow
async def place_order(
    ctx: DurableContext, order_id: str, items: list[dict[str, Any]]
) -> dict[str, Any]:
    """Fill the order; what is expensive waits for a person, for a day."""
    order = await ctx.get_object(OrderProcessor, order_id)
    total = 0.0
    for item in items:
        total = await order.add_item(item)
    if total > APPROVAL_ABOVE:
        try:
            answer = await ctx.wait_for_event(f"approval_{order_id}", timeout=APPROVAL_S)
        except EventTimeoutError:
            answer = {"approved": False, "reason": "nobody answered"}
        if not answer["approved"]:
            await order.reject(answer["reason"])
            return {"success": False, "reason": answer["reason"]}
    return await order.process(ctx)


service.add_object(OrderProcessor)
service.add_function(place_order)
