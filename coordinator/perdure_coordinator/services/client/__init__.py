"""`ClientService`: unary calls for everyone, and the batched session for busy clients.

Both are thin forms of the same engine calls: `start`, `control` and `query` hold them, `session`
carries them batched.
"""

from __future__ import annotations

import grpc

from perdure_coordinator.services.calls import (
    Desk,
    ServiceHandler,
)
from perdure_coordinator.services.client.control import control_handlers
from perdure_coordinator.services.client.events import event_handlers
from perdure_coordinator.services.client.query import query_handlers
from perdure_coordinator.services.client.session import session_handlers
from perdure_coordinator.services.client.start import start_handlers
from perdure_runtime.wire.v1.rpc import CLIENT_SERVICE

__all__ = ["client_service"]


def client_service(desk: Desk) -> ServiceHandler:
    """What the server registers."""
    return grpc.method_handlers_generic_handler(
        CLIENT_SERVICE,
        {
            **start_handlers(desk),
            **control_handlers(desk),
            **query_handlers(desk),
            **event_handlers(desk),
            **session_handlers(desk),
        },
    )
