"""What a task's code gets as its first argument."""

from __future__ import annotations

from perdure.context.log import ExecutionLogger
from perdure.context.step_context import StepContext
from perdure.executor.errors import TaskError, task_error
from perdure.executor.signals import Signal


class TaskContext:
    """One attempt of a task.

    Args:
        task_id: of the task.
        execution_id: the one that `enqueue_task` gave, also in the `run_parent` of a parent task.
        attempt: 0 for the first.
        prev_error: of the attempt before this one.
        cancel_signal: given when the execution is cancelled or this attempt's time is over.
        shutdown_signal: given when this executor shuts down.
    """

    def __init__(
        self, task_id: str, execution_id: str, step: StepContext, shutdown_signal: Signal
    ) -> None:
        self.task_id = task_id
        self.execution_id = execution_id
        self.attempt = step.attempt - 1
        self.prev_error: TaskError | None = None
        if step.previous_failure is not None:
            self.prev_error = task_error(step.previous_failure)
        self.cancel_signal = Signal()
        self.shutdown_signal = shutdown_signal
        self._step = step
        step.on_cancel(self.cancel_signal.give)

    @property
    def idempotency_key(self) -> str:
        """32 hex digits, the same in every attempt and after a crash: for effects outside."""
        return self._step.idempotency_key

    @property
    def log(self) -> ExecutionLogger:
        """A logger whose records carry the execution's id."""
        return self._step.log

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far it is; `perdure show` tells it."""
        self._step.progress(done, total, message)
