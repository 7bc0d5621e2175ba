"""Steering executions: one operation on one of them, or on many (semantics, section 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from uuid import uuid4

from msgspec.structs import replace

from perdure.client.query import statuses_of
from perdure.client.transport import Transport
from perdure_runtime.core import errors
from perdure_runtime.core.client import (
    ControlOperation,
    ControlRequest,
    ControlResult,
    ListRequest,
)
from perdure_runtime.core.payload import Payload
from perdure_runtime.telemetry import current_trace

PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which executions an operation is for: those with these ids, or all that a filter selects."""

    ids: Sequence[str] | None = None
    status: str | Sequence[str] | None = None
    service: str = ""
    method: str = ""
    id_prefix: str = ""
    parent_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def pages(self, namespace: str) -> Iterator[ControlRequest]:
        """Requests without an operation yet: pages of ids, or the first page of the filter.

        Raises:
            InvalidArgumentError: neither ids nor a filter, or both; or there is no such status.
        """
        given = (
            self.status,
            self.service,
            self.method,
            self.id_prefix,
            self.parent_id,
            self.labels,
        )
        if any(given) == (self.ids is not None):
            raise errors.InvalidArgumentError(
                "say which executions: ids=, or at least one of status=, service=, method=, "
                "id_prefix=, parent_id= and labels=, not both"
            )
        empty = ControlRequest(namespace, "", ControlOperation.CANCEL)
        if self.ids is None:
            filter = ListRequest(
                namespace,
                statuses_of(self.status),
                self.service,
                self.method,
                self.id_prefix,
                self.parent_id,
                PAGE,
                labels=dict(self.labels),
            )
            yield replace(empty, filter=filter)
            return
        if isinstance(self.ids, str):
            raise errors.InvalidArgumentError("ids= is a list of ids")
        ids = iter(self.ids)
        while page := tuple(islice(ids, PAGE)):
            yield replace(empty, ids=page)


async def control_many(
    transport: Transport,
    namespace: str,
    operation: ControlOperation,
    selection: Selection,
    *,
    reason: str = "",
    new_input: Payload | None = None,
) -> list[ControlResult]:
    """One operation on many executions, page by page; problems of single ones are in the results.

    Raises:
        InvalidArgumentError: neither ids nor a filter, or both.
    """
    request = ControlRequest(namespace, uuid4().hex, operation, reason=reason, input=new_input)
    request = replace(request, trace=current_trace())
    results: list[ControlResult] = []
    for page in selection.pages(namespace):
        cursor = None
        while cursor is None or cursor:
            if page.filter is not None and cursor:
                page = replace(page, filter=replace(page.filter, cursor=cursor))
            asked = replace(request, request_id=uuid4().hex, ids=page.ids, filter=page.filter)
            reply = await transport.control(asked)
            results += reply.results
            cursor = reply.next_cursor
    return results


async def control_one(
    transport: Transport,
    namespace: str,
    operation: ControlOperation,
    id: str,
    *,
    reason: str = "",
    new_input: Payload | None = None,
    grace_ms: int | None = None,
    at: str = "",
    new_id: str = "",
) -> bool:
    """One operation on one execution; whether it had an effect.

    Raises:
        NotFoundError, InvalidTransitionError, ...: what the coordinator found wrong.
    """
    request = ControlRequest(
        namespace=namespace,
        request_id=uuid4().hex,
        operation=operation,
        ids=(id,),
        reason=reason,
        input=new_input,
        grace_ms=grace_ms,
        at=at,
        new_id=new_id,
        trace=current_trace(),
    )
    results = (await transport.control(request)).results
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
