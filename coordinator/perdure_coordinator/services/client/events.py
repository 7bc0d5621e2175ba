"""The unary calls that send events and settle promises."""

from __future__ import annotations

from perdure_coordinator.services.calls import (
    Desk,
    MethodHandler,
    unary,
)
from perdure_runtime.wire.v1 import rpc


def event_handlers(desk: Desk) -> dict[str, MethodHandler]:
    """`SendEvent`, `SettlePromise`."""
    return dict(
        (
            unary(desk, rpc.SEND_EVENT, desk.engine.send_event),
            unary(desk, rpc.SETTLE_PROMISE, desk.engine.settle_promise),
        )
    )
