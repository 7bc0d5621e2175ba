"""Tasks: work that people, agents and code share, with a lifecycle that is kept on disk.

    from perdure import tasks

    task = await tasks.create_task("summarize", {"text": "..."}, priority="high")
    await tasks.start_task(task.id, {"type": "agent", "id": "agent_1"})
    await tasks.complete_task(task.id, {"summary": "..."})

Workers claim what is queued, the highest priority first: `await tasks.work("tasks", handler)`.
See docs/tasks.md.
"""

from __future__ import annotations

from perdure.tasks.ambient import (
    add_comment,
    add_dependency,
    assign_task,
    bulk_cancel,
    bulk_update_status,
    cancel_task,
    claim,
    complete_task,
    create_subtask,
    create_task,
    fail_task,
    get_subtasks,
    get_task,
    list_tasks,
    reject_task,
    release_task,
    remove_dependency,
    retry_task,
    start_task,
    stats,
    submit_for_review,
    update_progress,
    update_task,
    wait_for_task,
    work,
)
from perdure.tasks.claim import Claim
from perdure.tasks.tasks import DEFAULT_QUEUE, Tasks
from perdure.tasks.values import (
    PRIORITIES,
    BulkResult,
    Priority,
    Progress,
    QueueStats,
    Task,
    TaskError,
    TaskEvent,
    TaskFunction,
    TaskMetadata,
    TaskResult,
    TaskSummary,
)
from perdure_runtime.core.errors import ClaimLostError, InvalidTransitionError
from perdure_runtime.core.tasks import TaskStatus, WorkerRef

__all__ = [
    "DEFAULT_QUEUE",
    "PRIORITIES",
    "BulkResult",
    "Claim",
    "ClaimLostError",
    "InvalidTransitionError",
    "Priority",
    "Progress",
    "QueueStats",
    "Task",
    "TaskError",
    "TaskEvent",
    "TaskFunction",
    "TaskMetadata",
    "TaskResult",
    "TaskStatus",
    "TaskSummary",
    "Tasks",
    "WorkerRef",
    "add_comment",
    "add_dependency",
    "assign_task",
    "bulk_cancel",
    "bulk_update_status",
    "cancel_task",
    "claim",
    "complete_task",
    "create_subtask",
    "create_task",
    "fail_task",
    "get_subtasks",
    "get_task",
    "list_tasks",
    "reject_task",
    "release_task",
    "remove_dependency",
    "retry_task",
    "start_task",
    "stats",
    "submit_for_review",
    "update_progress",
    "update_task",
    "wait_for_task",
    "work",
]
