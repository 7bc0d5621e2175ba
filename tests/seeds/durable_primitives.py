"""Blocks of the users' page on durable primitives, as they wrote them.

Only the imports differ, and the example calls at the ends of the blocks stand in the tests.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293, RET504
# fmt: off

from perdure import DurableContext, durable
from tests.integration.apps.sources import fetch_data_source


@durable.function(
    name="data_processor",
    max_retries=5,
    retry_delay=2.0,
    timeout=300.0,
    deterministic=True
)
async def process_data(ctx: DurableContext, data: dict) -> dict:
    """Process data with custom durability controls."""
    # Manual state management
    await ctx.state.set("processing_started", True)
    
    # Durable external service call
    result = await ctx.call("processing_service", "transform", data)
    
    # Update state with progress
    await ctx.state.set("processed_count", len(result))
    
    # Durable sleep between operations
    await ctx.sleep(1.0)
    
    # Another service call
    enriched = await ctx.call("enrichment_service", "enrich", result)
    
    return {"processed": enriched, "count": len(enriched)}


@durable.flow(
    name="data_pipeline",
    checkpoint_interval=1,  # Checkpoint after each step
    max_concurrent_steps=5,
    max_retries=3
)
async def data_pipeline(ctx: DurableContext, sources: list) -> dict:
    """Complex data pipeline with manual orchestration."""
    # Step 1: Initialize pipeline state
    await ctx.state.set("pipeline_started", True)
    
    # Step 2: Fetch data from multiple sources in parallel
    fetch_tasks = [
        ("fetch_source", fetch_data_source, source) 
        for source in sources
    ]
    
    raw_data = await ctx.spawn(fetch_tasks)
    await ctx.state.set("raw_data_count", len(raw_data))
    
    # Step 3: Process data sequentially with state tracking
    processed_data = []
    for i, data in enumerate(raw_data):
        processed = await ctx.call("processor_service", "process", data)
        processed_data.append(processed)
        
        # Update progress state
        await ctx.state.set("processed_items", i + 1)
    
    # Step 4: Generate final report
    report = await ctx.call("report_service", "generate", {
        "data": processed_data,
        "metadata": {
            "sources": len(sources),
            "processed": len(processed_data)
        }
    })
    
    return {"report": report, "summary": await ctx.state.get("processed_items")}


async def advanced_service_integration(ctx: DurableContext, data: dict) -> dict:
    """Advanced service integration with error handling."""
    
    # Simple service call
    result1 = await ctx.call("service_a", "method1", data)
    
    # Service call with custom retry handling
    try:
        result2 = await ctx.call("service_b", "method2", result1)
    except Exception as e:
        # Log error and use fallback
        await ctx.state.set("service_b_error", str(e))
        result2 = await ctx.call("fallback_service", "method2", result1)
    
    # Combine results
    combined = await ctx.call("combiner_service", "merge", {
        "result1": result1,
        "result2": result2
    })
    
    return combined


async def stateful_processing(ctx: DurableContext, batch_data: list) -> dict:
    """Processing with comprehensive state management."""
    
    # Initialize state
    await ctx.state.set("batch_size", len(batch_data))
    await ctx.state.set("processed_count", 0)
    await ctx.state.set("errors", [])
    
    processed_items = []
    
    for i, item in enumerate(batch_data):
        try:
            # Process item
            processed = await ctx.call("processor", "process_item", item)
            processed_items.append(processed)
            
            # Update progress
            await ctx.state.set("processed_count", i + 1)
            await ctx.state.set("last_processed_item", item["id"])
            
        except Exception as e:
            # Track errors in state
            errors = await ctx.state.get("errors", [])
            errors.append({"item_id": item["id"], "error": str(e)})
            await ctx.state.set("errors", errors)
    
    # Get final state summary
    final_count = await ctx.state.get("processed_count")
    error_list = await ctx.state.get("errors", [])
    
    return {
        "processed_items": processed_items,
        "total_processed": final_count,
        "errors": error_list,
        "success_rate": final_count / len(batch_data)
    }
