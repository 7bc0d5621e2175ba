"""Checks of what comes from outside about events and promises, before anything is recorded."""

from __future__ import annotations

from perdure_runtime.core.client import SendEventRequest, SettlePromiseRequest
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name, check_payload_bytes
from perdure_runtime.core.tokens import PromiseAddress, read_token


def check_send_event(request: SendEventRequest) -> None:
    """Raises InvalidArgumentError or LimitExceededError."""
    check_name("namespace", request.namespace)
    check_name("request id", request.request_id)
    check_name("event id", request.event_id)
    if request.execution_id:
        check_name("execution id", request.execution_id)
    if request.dedupe_id:
        check_name("dedupe id", request.dedupe_id)
    check_payload_bytes(f"the event {request.event_id!r}", len(request.payload.data))


def check_settle(request: SettlePromiseRequest) -> PromiseAddress:
    """The address in a token. Raises InvalidArgumentError or LimitExceededError."""
    check_name("namespace", request.namespace)
    check_name("request id", request.request_id)
    address = read_token(request.token)
    if address.key.namespace != request.namespace:
        raise InvalidArgumentError(
            f"the token is of namespace {address.key.namespace!r}, this client of "
            f"{request.namespace!r}"
        )
    if request.result is not None:
        check_payload_bytes("the result of the promise", len(request.result.data))
    return address
