"""The users' block on parallel execution, as they wrote it.

Only the imports differ.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return"
# ruff: noqa: W291, W293, RET504
# fmt: off

from perdure import DurableContext
from tests.integration.apps.sources import analyze_dataset, fetch_from_source, process_dataset


async def parallel_data_processing(ctx: DurableContext, data_sources: list) -> dict:
    """Parallel processing with custom concurrency control."""
    
    # Parallel data fetching
    fetch_tasks = [
        ("fetch_data", fetch_from_source, source)
        for source in data_sources
    ]
    
    raw_datasets = await ctx.spawn(fetch_tasks)
    
    # Parallel processing with different functions
    processing_tasks = [
        ("process_dataset", process_dataset, dataset, i)
        for i, dataset in enumerate(raw_datasets)
    ]
    
    processed_datasets = await ctx.spawn(processing_tasks)
    
    # Parallel analysis
    analysis_tasks = [
        ("analyze_data", analyze_dataset, dataset)
        for dataset in processed_datasets
    ]
    
    analyses = await ctx.spawn(analysis_tasks)
    
    # Combine all results
    final_report = await ctx.call("report_generator", "combine", {
        "raw_count": len(raw_datasets),
        "processed_count": len(processed_datasets),
        "analyses": analyses
    })
    
    return final_report
