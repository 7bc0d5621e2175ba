"""Creating an execution: by a client's start, or by a call of another execution."""

from __future__ import annotations

import msgspec

from perdure_runtime.core.client import IdPolicy, StartReply
from perdure_runtime.core.effects import AwaitEnds, Decision, Enqueue, SetTimer
from perdure_runtime.core.entries import ExecutionCreated, StartOptions, Target
from perdure_runtime.core.errors import AlreadyExistsError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, ParentLink, root_key_base, shard_of
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_DUE_MS, due_after
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.requests.wake import set_timeout
from perdure_runtime.core.rows import ExecutionRow, TimerKind
from perdure_runtime.core.tasks import TASK, TaskState, task_status


def create(
    key: ExecutionKey,
    target: Target,
    input: Payload,
    options: StartOptions,
    now_ms: int,
    *,
    key_base: bytes | None = None,
    parent: ParentLink | None = None,
    trace: dict[str, str] | None = None,
    event_sequence: int = 0,
    held: tuple[str, ...] = (),
    run: int = 1,
) -> tuple[Execution, Decision]:
    """A new execution, queued or scheduled. The caller has checked that the id is free.

    Args:
        run: above 1 where children of a deleted execution of this id are left.
        held: the objects held by those who await it.
    """
    start_at_ms = min(options.start_at_ms or 0, MAX_DUE_MS)
    if options.delay_ms > 0:
        start_at_ms = max(start_at_ms, due_after(now_ms, options.delay_ms))
    scheduled = start_at_ms > now_ms
    status = _status(options, scheduled)
    row = ExecutionRow(
        key=key,
        shard=shard_of(key),
        target=target,
        status=status,
        run=run,
        created_ms=now_ms,
        input_digest=input.digest,
        priority=options.priority,
        parent=parent,
        due_ms=start_at_ms,
        held_objects=held,
        labels=options.labels,
        after=tuple(dict.fromkeys(dependency.id for dependency in options.after)),
    )
    if options.task is not None:
        row.kind = TASK
        row.task = TaskState(allowed=options.task.allowed)
        row.task_status = task_status(status, row.task, bool(options.after))
    execution = Execution(row)
    entry = ExecutionCreated(
        target,
        input,
        key_base or root_key_base(key, run),
        run,
        options,
        parent,
        trace or {},
        event_sequence=event_sequence,
        held=held,
    )
    decision = Decision(reply=StartReply(key.id, run, True), entries=[entry])
    if scheduled and status is Status.SCHEDULED:
        decision.effects.append(SetTimer(TimerKind.START, "", start_at_ms))
    if status is Status.QUEUED:
        decision.effects.append(Enqueue())
    if row.after:
        decision.effects.append(AwaitEnds(row.after))
    if options.execution_timeout_ms is not None and status is Status.PAUSED:
        row.held = msgspec.json.encode({TimerKind.EXECUTION.value: options.execution_timeout_ms})
    elif options.execution_timeout_ms is not None:
        due_ms = due_after(now_ms, options.execution_timeout_ms)
        set_timeout(execution, decision, TimerKind.EXECUTION, due_ms)
    return execution, decision


def _status(options: StartOptions, scheduled: bool) -> Status:
    if options.task is not None and options.task.hold:
        return Status.PAUSED
    return Status.SCHEDULED if scheduled or options.after else Status.QUEUED


def check_attach(row: ExecutionRow, target: Target, input: Payload, policy: IdPolicy) -> StartReply:
    """What a start gets whose id exists (semantics, section 8).

    Raises:
        AlreadyExistsError: the policy is `reject`, or target or input differ.
    """
    if policy is IdPolicy.REJECT:
        raise AlreadyExistsError(
            f"execution {row.key.id!r} exists ({row.target.name()}, {row.status.value}) "
            'and id_policy is "reject"'
        )
    if row.target != target:
        raise AlreadyExistsError(
            f"execution {row.key.id!r} exists and runs {row.target.name()}, not {target.name()}; "
            "choose another id"
        )
    if row.input_digest and input.digest and row.input_digest != input.digest:
        raise AlreadyExistsError(
            f"execution {row.key.id!r} of {row.target.name()} exists with another input; "
            "choose another id, or get its handle by id"
        )
    return StartReply(row.key.id, row.run, False)
