"""`ctx.wait_for_event` and `ctx.send_event` (semantics, section 7).

Who gets which event, and when a wait is over, is decided by the engine; here arguments are checked
and payloads encoded.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from perdure.context.future import DurableFuture, Outcome
from perdure.context.surroundings import Surroundings
from perdure.option_checks import check_seconds, milliseconds
from perdure_runtime.core.arrivals import Wait
from perdure_runtime.core.errors import EventTimeoutError, InvalidArgumentError
from perdure_runtime.core.issued import EventRequest
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.payload import Failure
from perdure_runtime.failpoints import failpoint

_WAIT: Final = "ctx.wait_for_event()"
START: Final = "start"


def issue_wait(
    around: Surroundings,
    event_id: str,
    timeout: float | None,
    since: Literal["start"] | None,
    reuse_on_retry: bool | None,
) -> DurableFuture[Any]:
    """Wait for an event. Raises `InvalidArgumentError` for an argument that is not allowed."""
    check_name("event id", event_id)
    if since not in (None, START):
        raise InvalidArgumentError(f"{_WAIT}: since must be 'start' or None, not {since!r}")
    timeout_ms = None
    if timeout is not None:
        timeout_ms = milliseconds(check_seconds(_WAIT, "timeout", timeout, zero=True))
    if around.body.is_replaying:
        failpoint("mid-replay")
    reuse = around.options.reuse_on_retry if reuse_on_retry is None else reuse_on_retry
    command = around.body.wait_event(Wait(event_id, timeout_ms, since == START), reuse=reuse)

    def decode(outcome: Outcome) -> Any:
        if isinstance(outcome, Failure):
            error = EventTimeoutError(outcome.message)
            error.add_note(f"at command {command.path}")
            raise error
        return around.serializers.decode(outcome, what=f"event {event_id!r}")

    return DurableFuture(command, decode)


def issue_event(
    around: Surroundings,
    event_id: str,
    payload: Any,
    execution: str | None,
    dedupe_id: str | None,
    reuse_on_retry: bool | None,
) -> DurableFuture[None]:
    """Send an event. Raises what `check_event` and encoding raise."""
    check_event(event_id, execution, dedupe_id)
    encoded = around.serializers.encode(payload, what=f"event {event_id!r}")
    reuse = around.options.reuse_on_retry if reuse_on_retry is None else reuse_on_retry
    event = EventRequest(event_id, encoded, execution or "", dedupe_id or "")
    return DurableFuture(around.body.send_event(event, reuse=reuse), _nothing)


def check_event(event_id: str, execution: str | None, dedupe_id: str | None) -> None:
    """Raises InvalidArgumentError: a name is empty, too long, or holds control characters."""
    check_name("event id", event_id)
    if execution is not None:
        check_name("execution id", execution)
    if dedupe_id is not None:
        check_name("dedupe id", dedupe_id)


def _nothing(_: Outcome) -> None:
    return None
