"""The users' block on custom retry strategies, as they wrote it.

Only the imports differ.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293, RET504
# fmt: off

from perdure import DurableContext, durable


@durable.function(
    max_retries=10,
    retry_delay=1.0,
    deterministic=False  # Allow non-deterministic operations
)
async def resilient_api_integration(ctx: DurableContext, api_data: dict) -> dict:
    """API integration with custom retry strategy."""
    
    retry_count = await ctx.state.get("retry_count", 0)
    
    try:
        # Attempt API call
        result = await ctx.call("external_api", "process", api_data)
        
        # Reset retry count on success
        await ctx.state.set("retry_count", 0)
        return result
        
    except Exception as e:
        # Increment retry count
        retry_count += 1
        await ctx.state.set("retry_count", retry_count)
        
        # Custom retry delay based on error type
        if "rate_limit" in str(e):
            await ctx.sleep(retry_count * 60)  # Exponential backoff for rate limits
        elif "timeout" in str(e):
            await ctx.sleep(retry_count * 2)   # Linear backoff for timeouts
        else:
            await ctx.sleep(retry_count * 1.5) # Default backoff
        
        # Re-raise for automatic retry
        raise
