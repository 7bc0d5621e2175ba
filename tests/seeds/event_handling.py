"""The users' block on events, as they wrote it."""

# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293
# fmt: off

from perdure import DurableContext


async def event_driven_workflow(ctx: DurableContext, workflow_id: str) -> dict:
    """Workflow that waits for external events."""
    
    # Start processing
    await ctx.state.set("workflow_status", "waiting_for_approval")
    
    # Wait for approval event
    try:
        approval = await ctx.wait_for_event(
            event_id=f"approval_{workflow_id}",
            timeout=86400.0  # 24 hours
        )
        
        if approval["approved"]:
            await ctx.state.set("workflow_status", "approved")
            
            # Process approved workflow
            result = await ctx.call("processor", "execute_approved", {
                "workflow_id": workflow_id,
                "approval_data": approval
            })
            
            await ctx.state.set("workflow_status", "completed")
            return {"success": True, "result": result}
        else:
            await ctx.state.set("workflow_status", "rejected")
            return {"success": False, "reason": approval["reason"]}
            
    except TimeoutError:
        await ctx.state.set("workflow_status", "timeout")
        return {"success": False, "reason": "Approval timeout"}
