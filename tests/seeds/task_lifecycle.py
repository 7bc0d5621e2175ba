"""The users' page on the life of a task, heading by heading, line by line in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from perdure import tasks
from perdure.tasks import (
    InvalidTransitionError,
    WorkerRef,
    add_comment,
    bulk_cancel,
    bulk_update_status,
    cancel_task,
    complete_task,
    create_task,
    fail_task,
    get_task,
    retry_task,
    start_task,
    update_progress,
    update_task,
    wait_for_task,
)

func = {"type": "code", "name": "process"}
agent = {"type": "agent", "id": "agent_1", "name": "Worker Agent"}
worker = WorkerRef("agent_1", "agent", "Worker Agent")


async def creating_tasks() -> tasks.Task:
    task = await create_task(
        function={
            "type": "generative",
            "name": "summarize",
            "description": "Summarize a document",
            "args": {"text": "The text to summarize"},
            "output": "string",
            "prompt_template": "Summarize: {{text}}",
        },
        input={"text": "Long article content..."},
        priority="high",
    )

    assert task.id.startswith("task_")
    assert task.status == "queued"
    return task


async def starting_tasks(task: tasks.Task) -> None:
    # Start task with worker assignment
    await start_task(
        task.id,
        {
            "type": "agent",
            "id": "agent_1",
            "name": "Worker Agent",
        },
    )

    # Task is now in_progress
    updated = await get_task(task.id)
    assert updated is not None
    assert updated.status == "in_progress"
    assert updated.assigned_to == WorkerRef("agent_1", "agent", "Worker Agent")


async def progress_updates(task: tasks.Task) -> tasks.Progress | None:
    # Update with percentage
    await update_progress(task.id, 25, "Loading data")
    await update_progress(task.id, 50, "Processing")
    await update_progress(task.id, 75, "Generating output")

    # Access progress info
    now = await get_task(task.id)
    assert now is not None
    return now.progress


async def completing_tasks(task: tasks.Task) -> None:
    # Complete with result
    await complete_task(
        task.id,
        {
            "summary": "The article discusses...",
            "word_count": 150,
        },
    )

    completed = await get_task(task.id)
    assert completed is not None
    assert completed.status == "completed"
    assert completed.result is not None
    assert completed.result.output == {"summary": "The article discusses...", "word_count": 150}


async def failing_tasks(task: tasks.Task, other: tasks.Task) -> None:
    # Fail with error message
    await fail_task(task.id, "API rate limit exceeded")

    # Fail with structured error
    await fail_task(
        other.id,
        {
            "code": "RATE_LIMIT",
            "message": "API rate limit exceeded",
            "retryAfter": 60000,
        },
    )

    for id, code, retry_after_ms in (
        (task.id, "TASK_FAILED", None),
        (other.id, "RATE_LIMIT", 60000),
    ):
        failed = await get_task(id)
        assert failed is not None
        assert failed.status == "failed"
        assert failed.result is not None
        assert failed.result.error == tasks.TaskError(
            code, "API rate limit exceeded", None, retry_after_ms
        )


async def cancelling_tasks(task: tasks.Task) -> None:
    # Cancel with reason
    await cancel_task(task.id, "No longer needed")

    cancelled = await get_task(task.id)
    assert cancelled is not None
    assert cancelled.status == "cancelled"
    assert "No longer needed" in cancelled.events[-1].message


async def retrying_tasks(failed_task: tasks.Task, other: tasks.Task) -> None:
    # Retry a failed task
    retried = await retry_task(failed_task.id)
    assert retried.status == "queued"
    assert retried.metadata.retry_count == 1

    # Retry with modified input
    retried2 = await retry_task(other.id, input={"text": "Modified input..."})
    assert retried2.input == {"text": "Modified input..."}


async def event_history(task_id: str) -> tuple[tasks.TaskEvent, ...]:
    task = await get_task(task_id)
    assert task is not None
    return task.events


async def adding_comments(task: tasks.Task) -> list[tasks.TaskEvent]:
    await add_comment(task.id, "Found an edge case, handling it", worker)

    # Comment appears in events
    now = await get_task(task.id)
    assert now is not None
    return [event for event in now.events if event.type == "comment"]


async def task_priority() -> tasks.Task:
    # Create with priority
    urgent_task = await create_task(
        function=func,
        priority="urgent",
    )
    assert urgent_task.priority == "urgent"

    # Update priority
    return await update_task(urgent_task.id, priority="critical")


async def scheduled_tasks(when: datetime) -> tasks.Task:
    # Schedule for future execution
    scheduled = await create_task(
        function=func,
        scheduled_for=when,
    )

    assert scheduled.status == "scheduled"
    return scheduled


async def task_metadata(task_id: str) -> tasks.TaskMetadata:
    task = await get_task(task_id)
    assert task is not None
    return task.metadata


async def waiting_for_completion(task: tasks.Task) -> tuple[str, Any]:
    # Wait with timeout
    result = await wait_for_task(
        task.id,
        timeout=5 * 60,  # 5 minutes
    )

    if result.success:
        return "Output:", result.output
    return "Error:", result.error


async def bulk_operations(
    held: list[str], others: list[str]
) -> tuple[list[tasks.BulkResult], list[tasks.BulkResult]]:
    # Update multiple tasks
    updated = await bulk_update_status(held, "queued")

    # Cancel multiple tasks
    cancelled = await bulk_cancel(others, "Sprint cancelled")
    return list(updated), list(cancelled)


async def state_transitions(pending_task: tasks.Task, result: Any) -> InvalidTransitionError:
    # Invalid transitions throw errors
    try:
        await complete_task(pending_task.id, result)  # Error: Cannot complete pending task
    except InvalidTransitionError as error:
        return error
    raise AssertionError("it was completed")


def soon() -> datetime:
    """The date of the page has passed."""
    return datetime.now(UTC) + timedelta(days=1)
