"""The ambient context of a step or plain handler: what code with effects may know of its execution.

It issues no commands: a step is plain code. What it does not offer says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

from perdure.context.log import ExecutionLogger
from perdure.context.step_notes import StepNotes
from perdure_runtime.core.errors import NotInExecutionError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import Failure
from perdure_runtime.core.progress import progress_of


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread, if one runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class StepContext:
    """Made by the worker for each try of a step or handler.

    Args:
        idempotency_key: 32 hex digits, the same over crashes and attempts (semantics, section 1).
        report: takes progress, on any thread.
        is_cancelled: whether nobody wants the result any more.
        resources: what the service's `lifespan` gave.
        held: objects ("Class/id") that the execution, or who awaits it, holds.
        previous_failure: what ended the attempt before this one; of handlers only.
        notes: what earlier runs have recorded, and how to record more; None where nobody can.
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
        notes: StepNotes | None = None,
    ) -> None:
        self.idempotency_key = idempotency_key
        self.execution_id = execution_id
        self.attempt = attempt
        self.resources = resources
        self.held = held
        self.previous_failure = previous_failure
        self._cancel_hooks: list[Callable[[], object]] = []
        self._notes = notes
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

    @property
    def checkpoints(self) -> dict[str, Any]:
        """What this run and earlier ones of the same step have recorded, by key (JSON shapes)."""
        return {} if self._notes is None else self._notes.values()

    @property
    def last_progress(self) -> Progress | None:
        """The last progress of the execution that was on disk when this run began."""
        return None if self._notes is None else self._notes.progress

    async def checkpoint(self, key: str, value: Any = None) -> None:
        """Record how far the step has got; it is on disk when this returns.

        A later run of the same step, after a crash or a failure, finds the last value of each key
        in `ctx.checkpoints`: retries of the step, later attempts and `retry` included. What was
        done after the last checkpoint is done again (semantics, section 1).

        Raises:
            InvalidArgumentError: the key is empty or longer than 255 characters.
            SerializationError, LimitExceededError: the value cannot be encoded.
            NotInExecutionError: in a sync step, whose thread cannot wait.
        """
        if self._notes is None:
            raise NotInExecutionError("ctx.checkpoint() is not there: no coordinator keeps it")
        if running_loop() is None:
            raise NotInExecutionError(
                "ctx.checkpoint() waits for the disk, which a sync step cannot; write `async def`"
            )
        await self._notes.record(check_name("checkpoint", key), value)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotInExecutionError(
            f"ctx.{name} is not there inside a step or handler, which are plain code; it has "
            "idempotency_key, execution_id, attempt, log, progress, last_progress, checkpoint, "
            "checkpoints, cancelled and on_cancel"
        )
