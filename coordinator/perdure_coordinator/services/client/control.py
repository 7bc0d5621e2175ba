"""The unary call that changes executions."""

from __future__ import annotations

from perdure_coordinator.services.calls import (
    Desk,
    MethodHandler,
    unary,
)
from perdure_runtime.wire.v1 import rpc


def control_handlers(desk: Desk) -> dict[str, MethodHandler]:
    """`Control`."""
    return dict(
        (
            unary(desk, rpc.CONTROL, desk.engine.control),
            unary(desk, rpc.SCHEDULE, desk.engine.schedule),
        )
    )
