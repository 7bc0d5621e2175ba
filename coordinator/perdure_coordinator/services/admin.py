"""`AdminService`: workers, methods and counters."""

from __future__ import annotations

import grpc

from perdure_coordinator.services.calls import (
    Desk,
    ServiceHandler,
    unary,
)
from perdure_runtime.core.client import MethodInfo, WorkerInfo
from perdure_runtime.wire.v1 import rpc


class AdminService:
    """The service over one engine."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def handler(self) -> ServiceHandler:
        """What the server registers."""
        desk = self._desk
        return grpc.method_handlers_generic_handler(
            rpc.ADMIN_SERVICE,
            dict(
                (
                    unary(desk, rpc.LIST_WORKERS, self._workers),
                    unary(desk, rpc.LIST_SERVICES, self._methods),
                    unary(desk, rpc.STATS, self._stats),
                )
            ),
        )

    async def _workers(self, namespace: str) -> list[WorkerInfo]:
        return self._desk.engine.list_workers(namespace)

    async def _methods(self, namespace: str) -> list[MethodInfo]:
        return self._desk.engine.list_methods(namespace)

    async def _stats(self, _: None) -> dict[str, float]:
        """The engine's counters and gauges, and: `client_requests` (unary calls and requests of
        sessions, this one included), `open_streams`."""
        desk = self._desk
        values = desk.engine.stats.snapshot() | desk.engine.gauges()
        values["client_requests"] = desk.requests
        values["open_streams"] = len(desk.streams)
        return values
