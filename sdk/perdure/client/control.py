"""Steering executions: cancel, retry, pause, resume, delete (semantics, section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from perdure.client.transport import Transport
from perdure_runtime.core import errors
from perdure_runtime.core.client import ControlOperation, ControlRequest, ControlResult
from perdure_runtime.core.payload import Payload


async def control(
    transport: Transport,
    namespace: str,
    operation: ControlOperation,
    ids: Sequence[str],
    *,
    reason: str = "",
    new_input: Payload | None = None,
    grace_ms: int | None = None,
) -> tuple[ControlResult, ...]:
    """One operation on several executions; what went wrong with single ones is in the results."""
    request = ControlRequest(
        namespace=namespace,
        request_id=uuid4().hex,
        operation=operation,
        ids=tuple(ids),
        reason=reason,
        input=new_input,
        grace_ms=grace_ms,
    )
    return (await transport.control(request)).results


async def control_one(
    transport: Transport,
    namespace: str,
    operation: ControlOperation,
    id: str,
    *,
    reason: str = "",
    new_input: Payload | None = None,
    grace_ms: int | None = None,
) -> bool:
    """One operation on one execution; whether it had an effect.

    Raises:
        NotFoundError, InvalidTransitionError, ...: what the coordinator found wrong.
    """
    results = await control(
        transport,
        namespace,
        operation,
        (id,),
        reason=reason,
        new_input=new_input,
        grace_ms=grace_ms,
    )
    if len(results) != 1:
        raise errors.ProtocolError(f"{operation} of one execution got {len(results)} answers")
    check_result(results[0])
    return results[0].effect


def check_result(result: ControlResult) -> None:
    """Raise the error that a result carries, if any."""
    if result.error_code:
        kind = getattr(errors, result.error_code, None)
        if isinstance(kind, type) and issubclass(kind, errors.PerdureError):
            raise kind(result.error_message)
        raise errors.PerdureError(f"{result.error_code}: {result.error_message}")
