"""What all services share: versions, errors as statuses, counting, refusing while stopping."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, TypeAlias

import grpc
from grpc import aio

from perdure_coordinator.access import admitted, check_access
from perdure_coordinator.engine import Engine
from perdure_coordinator.engine.committer import unavailable
from perdure_runtime.core.errors import CoordinatorUnavailableError, PerdureError
from perdure_runtime.storage import Fenced, StoreError
from perdure_runtime.wire.v1.rpc import Reply, Request, Rpc
from perdure_runtime.wire.v1.status import ERROR_METADATA, to_status
from perdure_runtime.wire.v1.version import PROTOCOL_METADATA, negotiate_metadata

_LOG = logging.getLogger("perdure.coordinator")

Context = aio.ServicerContext[Any, Any]
"""gRPC's side of one call; requests and replies are bytes."""

# Not subscriptable at run time.
MethodHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
ServiceHandler: TypeAlias = "grpc.GenericRpcHandler[Any, Any]"


class OpenStream(Protocol):
    """A stream that lasts until its client or the coordinator ends it."""

    async def drain(self) -> None:
        """End it soon: give the answers that are there, then say that the coordinator stops."""
        ...


@dataclass(slots=True)
class Desk:
    """The engine and what services know beside it. `requests` counts what clients asked."""

    engine: Engine
    requests: int = 0
    streams: set[OpenStream] = field(default_factory=set)
    stopping: bool = False

    @contextmanager
    def opened(self, stream: OpenStream) -> Iterator[None]:
        """The stream is open for the duration of the block."""
        self.streams.add(stream)
        try:
            yield
        finally:
            self.streams.discard(stream)

    def check_open(self) -> None:
        """Raise CoordinatorUnavailableError when the coordinator stops."""
        if self.stopping:
            raise stopping()


def stopping() -> CoordinatorUnavailableError:
    """What calls and streams end with while the coordinator stops."""
    return CoordinatorUnavailableError("the coordinator stops; connect again")


def check_version(context: Context) -> None:
    """Raise ProtocolError when client and coordinator share no protocol version."""
    for key, value in context.invocation_metadata() or ():
        if key == PROTOCOL_METADATA:
            negotiate_metadata(value)
            return
    negotiate_metadata(None)


def as_told(error: Exception) -> Exception:
    """The error as clients are to hear of it.

    A request may still be at work when a coordinator that ends closes its store: that the store is
    closed, or another's, says nothing about the request. The next coordinator knows.
    """
    return unavailable(error) if type(error) in (StoreError, Fenced) else error


async def abort(context: Context, error: Exception) -> NoReturn:
    """End the call with the status of an error."""
    error = as_told(error)
    if not isinstance(error, PerdureError):
        _LOG.error("a call failed inside the coordinator", exc_info=error)
    status = to_status(error)
    await context.abort(
        grpc.StatusCode[status.code.name],
        status.message,
        ((ERROR_METADATA, status.detail),),
    )
    raise AssertionError("abort() raises")


@asynccontextmanager
async def errors_as_status(context: Context) -> AsyncIterator[None]:
    """Any error of the block ends the call with its status."""
    try:
        yield
    except (aio.AbortError, asyncio.CancelledError):
        raise
    except Exception as error:
        await abort(context, error)


def unary(
    desk: Desk, rpc: Rpc[Request, Reply], answer: Callable[[Request], Awaitable[Reply]]
) -> tuple[str, MethodHandler]:
    """The handler of a unary call, by its name."""

    async def handle(data: bytes, context: Context) -> bytes:
        try:
            check_version(context)
            desk.check_open()
            desk.requests += 1
            request = rpc.decode_request(data)
            check_access(request, admitted())
            return rpc.encode_reply(await answer(request))
        except Exception as error:
            await abort(context, error)

    return rpc.name, grpc.unary_unary_rpc_method_handler(handle)
