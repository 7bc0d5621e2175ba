"""A client's transport over gRPC: one channel, one batched session for nearly everything.

Journals come as a stream of their own, the admin calls as unary ones. Requests are sent again while
nobody answers (`perdure.client.multiplexer`) or the coordinator is overloaded, with their old
`request_id`; all errors are those of `perdure_runtime.core.errors`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, TypeVar, cast

import grpc
from grpc import aio

from perdure.client.endpoint import OPTIONS, Endpoint, error_of, parse_endpoint
from perdure.client.multiplexer import Multiplexer
from perdure.client.security import Tls
from perdure.client.transport import Transport
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    ControlReply,
    ControlRequest,
    Description,
    ListReply,
    ListRequest,
    MethodInfo,
    Outcome,
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
    TaskReply,
    TaskRequest,
    WorkerInfo,
)
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    OverloadedError,
    PerdureError,
    ProtocolError,
)
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest
from perdure_runtime.wire.v1 import rpc
from perdure_runtime.wire.v1.client import ClientRequest, ObjectState, StateValues
from perdure_runtime.wire.v1.client_requests import (
    DescribeRequest,
    HistoryRequest,
    ReadObjectStateRequest,
    ReadStateRequest,
    WaitRequest,
)
from perdure_runtime.wire.v1.streams import read_history_page, read_watch_reply

_HEALTH_PATH: Final = "/grpc.health.v1.Health/Check"
_SERVING: Final = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
_RETRY_DELAY_S: Final = 0.1
_SERVED_S: Final = 1.0  # a request that took longer was not refused but broken off

R = TypeVar("R")
Q = TypeVar("Q")


class GrpcTransport(Transport):
    """A `Transport` to a coordinator in another process. Make it on the loop that uses it.

    Args:
        endpoint: `http://host:port`, `https://host:port` or `host:port`.
        token: sent with every call.
        tls: files for `https://` that the system does not have.
        retry_s: for how long a request is tried again while nobody answers.
        channel: instead of one to the endpoint, for simulations.

    Raises:
        InvalidArgumentError: the endpoint is none, or a TLS file cannot be read.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        retry_s: float = 60.0,
        channel: aio.Channel | None = None,
    ) -> None:
        self._endpoint = parse_endpoint(endpoint, token, tls)
        self._retry_s = retry_s
        self._channel = _channel_to(self._endpoint) if channel is None else channel
        self._session = Multiplexer(self._channel, self._endpoint, retry_s)
        self._closed = False

    async def start(self, request: StartRequest) -> StartReply:
        return await self._ask(request, StartReply)

    async def describe(self, namespace: str, id: str) -> Description:
        return await self._ask(DescribeRequest(ExecutionKey(namespace, id)), Description)

    async def wait(self, namespace: str, id: str) -> Outcome:
        return await self._ask(WaitRequest(ExecutionKey(namespace, id)), Outcome)

    async def list(self, request: ListRequest) -> ListReply:
        return await self._ask(request, ListReply)

    async def control(self, request: ControlRequest) -> ControlReply:
        return await self._ask(request, ControlReply)

    async def send_event(self, request: SendEventRequest) -> SendEventReply:
        return await self._ask(request, SendEventReply)

    async def settle_promise(self, request: SettlePromiseRequest) -> SettlePromiseReply:
        return await self._ask(request, SettlePromiseReply)

    async def schedule(self, request: ScheduleRequest) -> ScheduleReply:
        return await self._ask(request, ScheduleReply)

    async def update_tasks(self, request: TaskRequest) -> TaskReply:
        return await self._ask(request, TaskReply)

    async def claim_task(self, request: ClaimRequest) -> ClaimReply:
        return await self._ask(request, ClaimReply)

    async def read_state(self, namespace: str, id: str) -> dict[str, Payload]:
        values = await self._ask(ReadStateRequest(ExecutionKey(namespace, id)), StateValues)
        return values.values

    async def read_object_state(self, namespace: str, class_name: str, key: str) -> Payload:
        request = ReadObjectStateRequest(ObjectKey(namespace, class_name, key))
        return (await self._ask(request, ObjectState)).state

    async def list_workers(self, namespace: str) -> Sequence[WorkerInfo]:
        return await self._call(rpc.LIST_WORKERS, namespace)

    async def list_methods(self, namespace: str) -> Sequence[MethodInfo]:
        return await self._call(rpc.LIST_SERVICES, namespace)

    async def stats(self) -> dict[str, float]:
        """The coordinator's counters."""
        return await self._call(rpc.STATS, None)

    async def health(self) -> dict[str, str]:
        answer = await self._unary(_HEALTH_PATH, b"")
        status = "serving" if answer == _SERVING else "not serving"
        return {"status": status, "endpoint": self._endpoint.text}

    async def history(
        self, namespace: str, id: str, from_index: int, follow: bool, values_only: bool = False
    ) -> AsyncIterator[Recorded]:
        key, index = ExecutionKey(namespace, id), from_index
        patience = _Patience(self._endpoint, self._retry_s)
        while True:
            stream = self._channel.unary_stream(rpc.HISTORY_PATH, None, None)(
                rpc.encode_history_request(HistoryRequest(key, index, follow, values_only)),
                metadata=self._endpoint.metadata(),
            )
            try:
                async for data in stream:
                    for recorded in read_history_page(cast("bytes", data)):
                        index = recorded.index + 1
                        yield recorded
                    patience.renew()
                return
            except grpc.RpcError as raised:
                await patience.wait(error_of(raised))
            finally:
                stream.cancel()

    async def watch(self, namespace: str, id: str) -> AsyncIterator[Description]:
        patience = _Patience(self._endpoint, self._retry_s)
        while True:
            stream = self._channel.unary_stream(rpc.WATCH_PATH, None, None)(
                rpc.encode_watch_request(ExecutionKey(namespace, id)),
                metadata=self._endpoint.metadata(),
            )
            try:
                async for data in stream:
                    newest = read_watch_reply(cast("bytes", data))
                    if newest is not None:
                        yield newest
                    patience.renew()
                return
            except grpc.RpcError as raised:
                await patience.wait(error_of(raised))
            finally:
                stream.cancel()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._session.close()
            await self._channel.close(None)

    async def _ask(self, request: ClientRequest, kind: type[R]) -> R:
        """One request over the session; overload is waited out."""
        patience = _Patience(self._endpoint, self._retry_s)
        while True:
            asked_s = time.monotonic()
            reply = await self._session.ask(request)
            if time.monotonic() - asked_s > _SERVED_S:
                patience.renew()
            if isinstance(reply, kind):
                return reply
            if not isinstance(reply, PerdureError):
                raise ProtocolError(f"{type(reply).__name__} is no answer to {type(request)}")
            await patience.wait(reply)

    async def _call(self, method: rpc.Rpc[Q, R], request: Q) -> R:
        """One unary call."""
        return method.decode_reply(await self._unary(method.path, method.encode_request(request)))

    async def _unary(self, path: str, data: bytes) -> bytes:
        patience = _Patience(self._endpoint, self._retry_s)
        call = self._channel.unary_unary(path, None, None)
        while True:
            try:
                answer: Any = await call(data, metadata=self._endpoint.metadata())
                return cast("bytes", answer)
            except grpc.RpcError as raised:
                await patience.wait(error_of(raised))


def _channel_to(endpoint: Endpoint) -> aio.Channel:
    credentials = endpoint.credentials()
    if credentials is None:
        return aio.insecure_channel(endpoint.target, OPTIONS)
    return aio.secure_channel(endpoint.target, credentials, OPTIONS)


class _Patience:
    """For how long one request is tried again while it fails without having been carried out."""

    def __init__(self, endpoint: Endpoint, retry_s: float) -> None:
        self._endpoint = endpoint
        self._retry_s = retry_s
        self._end_s: float | None = None

    def renew(self) -> None:
        """It was being served: the next failure is a first one."""
        self._end_s = None

    async def wait(self, error: PerdureError) -> None:
        """Wait until the next try; raises the error when there is to be none."""
        if isinstance(error, OverloadedError):
            delay_s = error.retry_after * random.uniform(1.0, 1.5)
        elif isinstance(error, CoordinatorUnavailableError):
            delay_s = _RETRY_DELAY_S * random.uniform(0.5, 1.0)
        else:
            raise error
        now_s = time.monotonic()
        if self._end_s is None:
            self._end_s = now_s + self._retry_s
        if now_s + delay_s > self._end_s:
            if isinstance(error, CoordinatorUnavailableError):
                raise self._endpoint.unavailable(str(error))
            raise error
        await asyncio.sleep(delay_s)
