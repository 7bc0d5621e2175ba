"""The gRPC server of a coordinator: its port or socket, its options and its services.

Listens on loopback addresses only, unless it is protected (`perdure_coordinator.security`) or told
that an unprotected port is meant. Does not own the engine and does not watch signals;
`perdure_coordinator.serving` does.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from grpc import aio

from perdure_coordinator.engine import Engine
from perdure_coordinator.security import Security, check_address
from perdure_coordinator.services.admin import AdminService
from perdure_coordinator.services.calls import Desk
from perdure_coordinator.services.client import client_service
from perdure_coordinator.services.worker import WorkerService
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.limits import MAX_FRAME_BYTES

if TYPE_CHECKING:
    from perdure_coordinator.services.standard import StandardServices

OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # else a second server would share the port in silence
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
    ("grpc.max_send_message_length", MAX_FRAME_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


class Server:
    """Serves an engine on one port or Unix socket.

    Args:
        standard: whether health checking and reflection are served; needs the extra `server`.
        security: of the port; who reaches a Unix socket is for its directory to say.
    """

    def __init__(
        self,
        engine: Engine,
        heartbeat_s: float,
        *,
        standard: bool = True,
        security: Security | None = None,
    ) -> None:
        self._desk = Desk(engine)
        self._security = security or Security()
        self._grpc = aio.server(options=OPTIONS, interceptors=self._security.interceptors())
        self.port = 0
        self._grpc.add_generic_rpc_handlers(
            (
                WorkerService(self._desk, heartbeat_s).handler(),
                client_service(self._desk),
                AdminService(self._desk).handler(),
            )
        )
        self._standard: StandardServices | None = None
        if standard:
            from perdure_coordinator.services.standard import StandardServices

            self._standard = StandardServices(self._grpc)

    def bind(self, host: str, port: int, *, insecure: bool = False) -> int:
        """Take the port (0: a free one) and return it.

        Raises:
            InvalidArgumentError: others reach the address and `insecure` was not said, or a TLS
                file is none.
            PerdureError: the port is taken, or the address is not of this machine.
        """
        check_address(host, insecure, self._security)
        credentials = self._security.credentials()
        host = host.strip("[]")
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            _probe(host, port)
            if credentials is None:
                self.port = self._grpc.add_insecure_port(address)
            else:
                self.port = self._grpc.add_secure_port(address, credentials)
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "the port is taken"
            raise PerdureError(
                f"cannot listen on {address}: {why}; choose another (port 0 takes a free one)"
            ) from None
        return self.port

    def bind_socket(self, path: str) -> None:
        """Take a Unix socket. Who may reach it is for its directory to say.

        Raises:
            PerdureError: the path cannot be bound.
        """
        try:
            self._grpc.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise PerdureError(f"cannot listen at {path}: {error}") from None

    async def start(self) -> None:
        """Accept calls."""
        await self._grpc.start()

    async def stop(self, grace_s: float) -> None:
        """Stop: no new calls, the engine drained and closed, streams ended. Twice is once."""
        if self._desk.stopping:
            return
        self._desk.stopping = True
        if self._standard is not None:
            await self._standard.stop()
        ending = asyncio.create_task(self._grpc.stop(grace_s))
        await self._desk.engine.stop(grace_s)
        await asyncio.gather(*(stream.drain() for stream in self._desk.streams))
        await ending


def _probe(host: str, port: int) -> None:
    """Raise OSError where the address cannot be taken: gRPC would only say that it failed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
