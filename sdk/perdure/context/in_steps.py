"""What only the ambient `ctx` of steps and handlers offers; a body of steps is told what to use."""

from __future__ import annotations

from typing import Any

from perdure_runtime.core.errors import NotInExecutionError
from perdure_runtime.core.messages import Progress


class StepMembers:
    """Members of `perdure.ctx` inside steps and handlers; see `StepContext`."""

    __slots__ = ()

    @property
    def checkpoints(self) -> dict[str, Any]:
        """In steps and handlers: what earlier runs of the same step have recorded, by key."""
        raise NotInExecutionError(_ADVICE.format("checkpoints"))

    @property
    def last_progress(self) -> Progress | None:
        """In steps and handlers: the last progress that was on disk when this run began."""
        raise NotInExecutionError(_ADVICE.format("last_progress"))

    async def checkpoint(self, key: str, value: Any = None) -> None:
        """In steps and handlers: record how far this run has got; on disk when it returns.

        A later run of the same step, after a crash or a failure, finds the last value of each key
        in `ctx.checkpoints`.
        """
        raise NotInExecutionError(_ADVICE.format("checkpoint"))


_ADVICE = (
    "ctx.{} is for steps and handlers; the steps of a durable body are recorded one by one, and "
    "its own notes go into ctx.state"
)
