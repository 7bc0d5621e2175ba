"""The Python side of the Node example: a flow that has a Node worker charge a card.

perdure worker shop.py --endpoint http://localhost:8080
"""

from __future__ import annotations

from typing import Any

from perdure import DurableContext, durable

service = durable.service("shop", "1.0.0")


@durable.step
def invoice(order: str, items: list[str]) -> str:
    """Write the invoice; ordinary code, recorded."""
    return f"{order}: {', '.join(items)}"


@durable.flow
async def checkout(
    ctx: DurableContext, order: str, amount: float, items: list[str]
) -> dict[str, Any]:
    """Charge the order in Node, then write its invoice here."""
    paid = await ctx.call("payments", "charge", {"order": order, "amount": amount})
    return {
        "order": order,
        "total": paid["amount"],
        "receipt": paid["receipt"],
        "invoice": await invoice(order, items),
    }


service.add_function(checkout)
