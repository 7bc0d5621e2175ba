"""The users' block on tasks, as they wrote it.

Only the imports differ, and the `async` that its `await` needs.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293, RET504
# fmt: off

from perdure import DurableContext, durable, task


@task
async def advanced_task_processing(data: dict) -> dict:
    """Task that uses durable primitives internally."""
    
    @durable.function
    async def internal_processing(ctx: DurableContext, data: dict) -> dict:
        # Use primitives for complex internal logic
        result = await ctx.call("complex_service", "process", data)
        await ctx.state.set("processing_complete", True)
        return result
    
    # Execute durable function within task
    return await internal_processing(data)
