"""The ambient context of a step or plain handler: what code with effects may know of its execution.

It issues no commands: a step is plain code. What it does not offer says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from perdure.context.log import ExecutionLogger
from perdure_runtime.core.errors import NotInExecutionError
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import Failure
from perdure_runtime.core.progress import progress_of


class StepContext:
    """Made by the worker for each try of a step or handler.

    Args:
        idempotency_key: 32 hex digits, the same over crashes and attempts (semantics, section 1).
        report: takes progress, on any thread.
        is_cancelled: whether nobody wants the result any more.
        resources: what the service's `lifespan` gave.
        held: objects ("Class/id") that the execution, or who awaits it, holds.
        previous_failure: what ended the attempt before this one; of handlers only.
    """

    def __init__(
        self,
        *,
        idempotency_key: str,
        execution_id: str,
        attempt: int,
        report: Callable[[Progress], None],
        is_cancelled: Callable[[], bool],
        resources: Any = None,
        held: tuple[str, ...] = (),
        previous_failure: Failure | None = None,
    ) -> None:
        self.idempotency_key = idempotency_key
        self.execution_id = execution_id
        self.attempt = attempt
        self.resources = resources
        self.held = held
        self.previous_failure = previous_failure
        self._cancel_hooks: list[Callable[[], object]] = []
        self._report = report
        self._is_cancelled = is_cancelled

    @property
    def cancelled(self) -> bool:
        """Whether the execution was cancelled or nobody awaits this any more."""
        return self._is_cancelled()

    def on_cancel(self, hook: Callable[[], object]) -> None:
        """Have `hook` called, on the worker's loop, once nobody wants the result any more.

        For code in threads, which cannot be stopped; a coroutine is cancelled besides.
        """
        self._cancel_hooks.append(hook)
        if self.cancelled:  # before the hook was there, maybe
            self.tell_cancelled()

    def tell_cancelled(self) -> None:
        """Call the hooks, each once. The worker does."""
        hooks, self._cancel_hooks = self._cancel_hooks, []
        for hook in hooks:
            hook()

    @property
    def log(self) -> ExecutionLogger:
        """A logger whose records carry the execution's id."""
        return ExecutionLogger(self.execution_id, self.attempt, lambda: False)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the execution is."""
        self._report(progress_of(done, total, message))

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotInExecutionError(
            f"ctx.{name} is not there inside a step or handler, which are plain code; it has "
            "idempotency_key, execution_id, attempt, log, progress, cancelled and on_cancel"
        )
