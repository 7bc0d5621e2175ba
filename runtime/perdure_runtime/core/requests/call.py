"""A call's child ended."""

from __future__ import annotations

from perdure_runtime.core.effects import Decision
from perdure_runtime.core.entries import CallCompleted
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ParentLink
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.requests.wake import enqueue, news


def call_completed(
    execution: Execution,
    address: ParentLink,
    result: Payload | None,
    failure: Failure | None,
    now_ms: int,
) -> Decision:
    """Record the completion under its address; what matches no open call is dropped.

    A completion for an earlier attempt is recorded too, for the lookup of the next (section 2),
    and may be what the next attempt waited for.
    """
    decision = Decision()
    call = execution.calls.get((address.attempt, address.path))
    if address.run != execution.row.run or call is None or is_end(execution.row.status):
        return decision
    entry = CallCompleted(address.path, address.attempt, result, failure)
    news(execution, decision, entry)
    waits = execution.row.status is Status.SCHEDULED and execution.row.due_ms <= now_ms
    if waits and len(execution.calls) == 1 and not execution.dependencies:
        enqueue(execution, decision)
    return decision
