"""An order: stock, payment, a day to change one's mind, then the parcel."""

from __future__ import annotations

from typing import Any

from perdure import DurableContext, durable

RETURN_PERIOD_S = 24 * 3600


@durable.function(service="shop", max_retries=2, retry_delay=60)
async def order(ctx: DurableContext, items: list[str]) -> dict[str, Any]:
    """Reserve, charge, wait for a day, ship."""
    stock = await ctx.call("inventory", "reserve", items)
    if not stock["available"]:
        return {"status": "sold out"}
    charged = await ctx.call("payment", "charge", {"amount": stock["price"]})
    await ctx.sleep(RETURN_PERIOD_S)
    parcel = await ctx.call("shipping", "send", items)
    return {"status": "sent", "payment": charged["id"], "parcel": parcel}
