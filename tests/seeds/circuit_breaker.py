"""The users' block on circuit breakers, as they wrote it.

Only the imports differ.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293, RET504, RET506, E501
# fmt: off

import time

from perdure import DurableContext, durable


@durable.function
async def circuit_breaker_service_call(ctx: DurableContext, service: str, method: str, data: dict) -> dict:
    """Service call with circuit breaker pattern."""
    
    circuit_key = f"circuit_{service}_{method}"
    failure_count = await ctx.state.get(f"{circuit_key}_failures", 0)
    last_failure = await ctx.state.get(f"{circuit_key}_last_failure")
    
    # Check if circuit is open
    if failure_count >= 5:
        if last_failure and (time.time() - last_failure) < 300:  # 5 minutes
            raise Exception(f"Circuit breaker open for {service}.{method}")
        else:
            # Reset circuit after timeout
            await ctx.state.set(f"{circuit_key}_failures", 0)
    
    try:
        result = await ctx.call(service, method, data)
        
        # Reset failure count on success
        await ctx.state.set(f"{circuit_key}_failures", 0)
        return result
        
    except Exception:
        # Increment failure count
        await ctx.state.set(f"{circuit_key}_failures", failure_count + 1)
        await ctx.state.set(f"{circuit_key}_last_failure", time.time())
        raise
