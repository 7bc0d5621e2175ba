"""A run continues as new: it ends, and the next run of the same execution begins (semantics, 1).

One journal holds all runs, one behind the other; everything of a run starts at its
`ExecutionCreated`. State, cursors of events and the execution's timeout go on; the lookup, attempts
and open calls do not. The journal keeps the run that ends beside the new one; those before it go.
"""

from __future__ import annotations

import msgspec

from perdure_runtime.core.effects import ClearTimers, Decision, EndRuns
from perdure_runtime.core.entries import ExecutionContinued, ExecutionCreated
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import child_run_key_base, root_key_base
from perdure_runtime.core.messages import Finish
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.requests.event import consumed_events
from perdure_runtime.core.requests.wake import (
    cancel_calls,
    drop_waits,
    end_lease,
    enqueue,
    set_timeout,
    timeout_due_ms,
)
from perdure_runtime.core.rows import TimerKind


def continue_as_new(
    execution: Execution,
    decision: Decision,
    request: Finish,
    input: Payload,
    unclaimed_events: tuple[int, ...],
    event_sequence: int,
) -> None:
    """End the run and begin the next one with `input`."""
    created = execution.created
    assert created is not None
    run = execution.row.run + 1
    decision.entries.append(ExecutionContinued(request.writes))
    if created.parent is None:
        key_base = root_key_base(execution.key, run)
    else:
        key_base = child_run_key_base(created.key_base, run)
    decision.entries.append(
        ExecutionCreated(
            created.target,
            input,
            key_base,
            run,
            created.options,
            created.parent,
            created.trace,
            held=created.held,
            event_sequence=event_sequence,
            consumed=consumed_events(execution, unclaimed_events),
            writes=request.state,
        )
    )
    due_ms = timeout_due_ms(execution, TimerKind.EXECUTION)
    decision.effects.append(ClearTimers(tuple(execution.timers)))
    drop_waits(execution, decision)
    decision.changes["held"] = b""
    if due_ms:
        set_timeout(execution, decision, TimerKind.EXECUTION, due_ms)
    end_lease(execution, decision, "continued as new")
    enqueue(
        execution,
        decision,
        run=run,
        run_index=execution.length + len(decision.entries) - 1,
        attempt=0,
        crash_count=0,
        crash_index=-1,
        error="",
        progress=msgspec.json.encode(request.progress) if request.progress else b"",
    )
    if execution.row.run_index:
        decision.effects.append(EndRuns(execution.row.run_index))
    cancel_calls(execution, decision, f"run {run - 1} of the caller continued as new")
