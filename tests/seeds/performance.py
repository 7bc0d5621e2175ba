"""The users' block on performance, as they wrote it.

Only the imports differ.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293, RET504
# fmt: off

from perdure import DurableContext, durable


@durable.flow(
    checkpoint_interval=10,  # Checkpoint every 10 steps
    max_concurrent_steps=20,  # High concurrency
    deterministic=True
)
async def high_performance_pipeline(ctx: DurableContext, large_dataset: list) -> dict:
    """High-performance processing pipeline."""
    
    # Batch processing for efficiency
    batch_size = 100
    batches = [large_dataset[i:i+batch_size] for i in range(0, len(large_dataset), batch_size)]
    
    # Process batches in parallel
    batch_tasks = [
        ("process_batch", process_data_batch, batch, i)
        for i, batch in enumerate(batches)
    ]
    
    batch_results = await ctx.spawn(batch_tasks)
    
    # Combine results efficiently
    final_result = await ctx.call("aggregator", "combine_batches", {
        "batches": batch_results,
        "total_items": len(large_dataset)
    })
    
    return final_result

async def process_data_batch(ctx: DurableContext, batch: list, batch_index: int) -> dict:
    """Process a single batch of data."""
    processed_items = []
    
    for item in batch:
        # Minimal state updates for performance
        processed = await ctx.call("fast_processor", "process", item)
        processed_items.append(processed)
    
    return {
        "batch_index": batch_index,
        "items": processed_items,
        "count": len(processed_items)
    }
