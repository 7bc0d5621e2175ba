"""Services that every gRPC server has: health checking and reflection."""

from __future__ import annotations

from grpc import aio
from grpc_health.v1 import health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from perdure_runtime.wire.v1.rpc import ADMIN_SERVICE, CLIENT_SERVICE, WORKER_SERVICE


class StandardServices:
    """Health (serving until `stop`) and descriptions of all services."""

    def __init__(self, server: aio.Server) -> None:
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # not in the stubs
        add_HealthServicer_to_server(self._health, server)
        names = (WORKER_SERVICE, CLIENT_SERVICE, ADMIN_SERVICE)
        reflection.enable_server_reflection(
            (*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )

    async def stop(self) -> None:
        """Answer "not serving" from now on."""
        await self._health.enter_graceful_shutdown()
