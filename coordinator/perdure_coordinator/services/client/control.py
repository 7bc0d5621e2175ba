"""The unary calls that change executions and tasks."""

from __future__ import annotations

from perdure_coordinator.services.calls import (
    Desk,
    MethodHandler,
    unary,
)
from perdure_runtime.wire.v1 import rpc


def control_handlers(desk: Desk) -> dict[str, MethodHandler]:
    """`Control`, `Schedule`, `UpdateTasks`, `ClaimTask`."""
    return dict(
        (
            unary(desk, rpc.CONTROL, desk.engine.control),
            unary(desk, rpc.SCHEDULE, desk.engine.schedule),
            unary(desk, rpc.UPDATE_TASKS, desk.engine.update_tasks),
            unary(desk, rpc.CLAIM_TASK, desk.engine.claim_task),
        )
    )
