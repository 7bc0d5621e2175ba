"""Durable tasks with retries, timeouts, children and sequences: `DurableExecutor`.

A layer over the engine for those who think in tasks rather than in durable functions; what is
enqueued here is an execution like any other (`perdure list`, `perdure show`).
"""

from perdure.executor.checked import CheckedInput
from perdure.executor.errors import (
    DurableTaskCancelledError,
    DurableTaskError,
    DurableTaskTimedOutError,
    TaskError,
)
from perdure.executor.executor import DurableExecutor
from perdure.executor.handle import TaskHandle
from perdure.executor.record import (
    ChildError,
    TaskExecution,
    TaskReference,
    TaskStatus,
)
from perdure.executor.signals import CancelSignal, Signal
from perdure.executor.task import (
    ChildOutput,
    ChildResult,
    ChildTask,
    DurableTask,
    FinalizeInput,
    FinalizerInput,
    LoopOutput,
    ParentOutput,
    ParentRun,
)
from perdure.executor.task_context import TaskContext
from perdure.executor.task_options import ParentTaskOptions, RetryOptions, TaskOptions

__all__ = [
    "CancelSignal",
    "CheckedInput",
    "ChildError",
    "ChildOutput",
    "ChildResult",
    "ChildTask",
    "DurableExecutor",
    "DurableTask",
    "DurableTaskCancelledError",
    "DurableTaskError",
    "DurableTaskTimedOutError",
    "FinalizeInput",
    "FinalizerInput",
    "LoopOutput",
    "ParentOutput",
    "ParentRun",
    "ParentTaskOptions",
    "RetryOptions",
    "Signal",
    "TaskContext",
    "TaskError",
    "TaskExecution",
    "TaskHandle",
    "TaskOptions",
    "TaskReference",
    "TaskStatus",
]
