"""Events and promises from outside: requests of a client, checked and encoded."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from perdure.client.transport import Transport
from perdure_runtime.core.client import SendEventRequest, SettlePromiseRequest
from perdure_runtime.core.errors import ApplicationError, InvalidArgumentError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.tokens import read_token
from perdure_runtime.core.trace import with_sender
from perdure_runtime.serde import Serializer, encode_exception
from perdure_runtime.telemetry import current_trace


async def send_event(
    transport: Transport,
    namespace: str,
    event_id: str,
    payload: Payload,
    dedupe_id: str | None,
    execution: str | None,
) -> None:
    """Put an event into its mailbox."""
    check_name("event id", event_id)
    if dedupe_id is not None:
        check_name("dedupe id", dedupe_id)
    if execution is not None:
        check_name("execution id", execution)
    payload = with_sender(payload, current_trace())
    request = SendEventRequest(
        namespace, uuid4().hex, event_id, payload, execution or "", dedupe_id or ""
    )
    await transport.send_event(request)


async def settle_promise(
    transport: Transport,
    namespace: str,
    token: str,
    *,
    result: Payload | None = None,
    failure: Failure | None = None,
    heartbeat: bool = False,
) -> bool:
    """Settle a promise or keep it alive; see `Client`."""
    read_token(token)
    if result is not None:
        result = with_sender(result, current_trace())
    request = SettlePromiseRequest(namespace, uuid4().hex, token, result, failure, heartbeat)
    return (await transport.settle_promise(request)).effect


def failure_of(error: Any, serializer: Serializer) -> Failure:
    """What a promise fails with: an exception, or the message of one.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if isinstance(error, str):
        error = ApplicationError(error)
    if not isinstance(error, Exception):
        raise InvalidArgumentError(
            f"fail_promise() takes an exception or a message, not {error!r:.80}"
        )
    return encode_exception(error, serializer)
