"""`perdure.connect`: a client of a coordinator in another process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from perdure.client.ambient import check_no_other, made_ambient
from perdure.client.client import Client
from perdure.client.security import Tls
from perdure.settings import load_settings
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.grpc_loading import load_grpc


@asynccontextmanager
async def connect(
    endpoint: str | None = None,
    *,
    namespace: str | None = None,
    token: str | None = None,
    tls: Tls | None = None,
    ambient: bool = True,
    retry_s: float = 60.0,
) -> AsyncIterator[Client]:
    """A client for the duration of an `async with` block.

    Args:
        endpoint: `http://host:port`, `https://host:port` or `host:port`. What is None comes from
            the settings (`PERDURE_ENDPOINT`, `_NAMESPACE`, `_TOKEN`, `perdure.toml`).
        token: sent with every request.
        tls: files for `https://` that the system does not have; from the settings too
            (`PERDURE_TLS_CA`, `PERDURE_TLS_CERT`, `PERDURE_TLS_KEY`).
        ambient: whether direct calls in this event loop use it.
        retry_s: seconds for which a request is tried again while nobody answers.

    Raises:
        InvalidArgumentError: no endpoint is named anywhere, or another ambient block is open.
        CoordinatorUnavailableError, ProtocolError: by the first request, not by connecting.
    """
    check_no_other(ambient)
    settings = load_settings(endpoint=endpoint, namespace=namespace, token=token)
    if settings.endpoint is None:
        raise InvalidArgumentError(
            "connect() needs an endpoint, for instance http://localhost:8080; pass one or set "
            "PERDURE_ENDPOINT"
        )
    load_grpc()
    from perdure.client.grpc_transport import GrpcTransport

    transport = GrpcTransport(
        settings.endpoint, token=settings.token, tls=tls or settings.tls(), retry_s=retry_s
    )
    try:
        client = Client(transport, settings.namespace)
        with made_ambient(client, ambient):
            yield client
    finally:
        await transport.close()
