"""Unary starts, one or many."""

from __future__ import annotations

from perdure_coordinator.services.calls import (
    Desk,
    MethodHandler,
    unary,
)
from perdure_runtime.wire.v1 import rpc


def start_handlers(desk: Desk) -> dict[str, MethodHandler]:
    """`Start` and `StartBatch`."""
    engine = desk.engine
    return dict(
        (
            unary(desk, rpc.START, engine.start),
            unary(desk, rpc.START_BATCH, engine.start_batch),
        )
    )
