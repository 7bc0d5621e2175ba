"""The users' block on sagas, as they wrote it.

Only the imports differ.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293, RET504
# fmt: off

from perdure import DurableContext, durable


@durable.flow
async def saga_transaction(ctx: DurableContext, transaction_data: dict) -> dict:
    """Saga pattern for distributed transaction."""
    
    completed_steps = []
    
    try:
        # Step 1: Reserve inventory
        inventory_result = await ctx.call("inventory", "reserve", transaction_data["items"])
        completed_steps.append(("inventory", "reserve", inventory_result["reservation_id"]))
        
        # Step 2: Process payment
        payment_result = await ctx.call("payment", "charge", transaction_data["payment"])
        completed_steps.append(("payment", "charge", payment_result["transaction_id"]))
        
        # Step 3: Create order
        order_result = await ctx.call("orders", "create", transaction_data["order"])
        completed_steps.append(("orders", "create", order_result["order_id"]))
        
        await ctx.state.set("saga_status", "completed")
        return {"success": True, "order_id": order_result["order_id"]}
        
    except Exception as e:
        # Compensate completed steps in reverse order
        await ctx.state.set("saga_status", "compensating")
        
        for service, action, resource_id in reversed(completed_steps):
            try:
                if service == "inventory" and action == "reserve":
                    await ctx.call("inventory", "release", {"reservation_id": resource_id})
                elif service == "payment" and action == "charge":
                    await ctx.call("payment", "refund", {"transaction_id": resource_id})
                elif service == "orders" and action == "create":
                    await ctx.call("orders", "cancel", {"order_id": resource_id})
            except Exception as comp_error:
                # Log compensation failures
                await ctx.state.set(f"compensation_error_{service}", str(comp_error))
        
        await ctx.state.set("saga_status", "failed")
        return {"success": False, "error": str(e)}
