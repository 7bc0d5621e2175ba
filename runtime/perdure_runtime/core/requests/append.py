"""A worker appends commands: the hot path."""

from __future__ import annotations

import msgspec

from perdure_runtime.core.effects import (
    Acknowledge,
    ClearTimer,
    Decision,
    SaveObject,
    SetTimer,
    StartChild,
)
from perdure_runtime.core.entries import (
    BranchCompleted,
    CallIssued,
    Command,
    CommandReused,
    EventAwaited,
    EventSent,
    PromiseCreated,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.errors import InvalidArgumentError, ProtocolError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, ParentLink, child_id
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import (
    MAX_PAYLOAD_BYTES,
    RESERVED_ID_PREFIX,
    check_execution_id,
    due_after,
)
from perdure_runtime.core.messages import Append
from perdure_runtime.core.objects import OBJECT, chain_of
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.requests.event import accept_send, accept_wait, withdraw
from perdure_runtime.core.requests.promise import accept_promise, settle_again
from perdure_runtime.core.requests.wake import cancel_child, move, note_progress
from perdure_runtime.core.retry import JITTER
from perdure_runtime.core.rows import TimerKind
from perdure_runtime.core.trace import call_trace

_AS_THEY_ARE = (StepCompleted, BranchCompleted, CommandReused)


def append(execution: Execution, request: Append, now_ms: int, draw: float) -> Decision:
    """Record what is new of the commands, acknowledge them, follow the hints, maybe suspend.

    Raises:
        ProtocolError: the worker skipped commands, or one of them cannot be.
    """
    decision = Decision()
    commands = new_commands(execution, request.base, request.commands)
    wake_index = execution.wake_index
    if commands:
        for offset, command in enumerate(commands):
            if isinstance(command, StepCompleted):
                _check_step(execution, decision, command)
            elif isinstance(command, ValueEmitted):
                _check_size(f"the emitted value {command.path}", command.value)
            elif isinstance(command, StepCheckpointed):
                _check_size(f"checkpoint {command.name!r}", command.value)
            if isinstance(command, _AS_THEY_ARE):
                wake_index = execution.length + offset
                decision.entries.append(command)
            else:
                if isinstance(command, StepStarted):
                    wake_index = execution.length + offset
                decision.entries.append(accept(execution, decision, command, now_ms, draw))
                if isinstance(command, EventAwaited) and command.source_index:
                    wake_index = execution.length + offset
        decision.effects.insert(0, Acknowledge(len(commands)))
    if request.progress is not None:
        note_progress(execution, decision, request.progress)
    idle = request.idle and request.consumed >= wake_index
    status = execution.row.status
    if idle and status is Status.RUNNING:
        move(execution, decision, Status.SUSPENDED)
    elif not idle and status is Status.SUSPENDED:
        move(execution, decision, Status.RUNNING)
    if execution.settled:
        settle_again(execution, decision)
    if request.cancel_calls or request.cancel_timers:
        _follow_hints(execution, decision, request)
    return decision


def _check_step(execution: Execution, decision: Decision, step: StepCompleted) -> None:
    """What a step leaves may be recorded; a state that it saves is saved in the same commit."""
    if step.result is not None:
        _check_size(f"the result of step {step.path}", step.result)
    state = step.object_state
    if state is None:
        return
    if execution.row.kind != OBJECT:
        raise ProtocolError(
            f"execution {execution.key.id!r} of {execution.row.target.name()} saves a state, "
            "but only exclusive methods of objects have one"
        )
    _check_size(f"the object state saved at {step.path}", state)
    decision.effects.append(SaveObject(state))


def _check_size(what: str, value: Payload) -> None:
    if len(value.data) > MAX_PAYLOAD_BYTES:
        raise ProtocolError(
            f"{what} is {len(value.data)} bytes; the limit is "
            f"{MAX_PAYLOAD_BYTES}, and workers have to keep it"
        )


def new_commands(
    execution: Execution, base: int, commands: tuple[Command, ...]
) -> tuple[Command, ...]:
    """The commands that are not recorded yet: after a reconnect a worker repeats some."""
    repeated = execution.commands - base
    if repeated < 0:
        raise ProtocolError(
            f"execution {execution.key.id!r}: the worker appends from its command {base}, "
            f"but only {execution.commands} are recorded"
        )
    return commands[repeated:] if repeated else commands


def accept(
    execution: Execution, decision: Decision, command: Command, now_ms: int, draw: float
) -> Command:
    """Fill in what only the coordinator knows, and ask for the command's effects."""
    match command:
        case TimerStarted():
            command = msgspec.structs.replace(command, due_ms=due_after(now_ms, command.delay_ms))
            decision.effects.append(SetTimer(TimerKind.TIMER, command.path, command.due_ms))
        case StepFailed():
            delay_ms = max(0, command.delay_ms)
            if command.failure.retry_after_ms is None:
                delay_ms = int(delay_ms * (1 + JITTER * draw))
            command = msgspec.structs.replace(command, due_ms=due_after(now_ms, delay_ms))
            decision.effects.append(SetTimer(TimerKind.TIMER, command.path, command.due_ms))
        case StepStarted():
            command = msgspec.structs.replace(command, epoch=execution.epoch)
        case EventAwaited():
            command = accept_wait(execution, decision, command, now_ms)
        case EventSent():
            accept_send(execution, decision, command)
        case PromiseCreated():
            command = accept_promise(execution, decision, command, now_ms)
        case CallIssued():
            _check_child(execution, command)
            address = ParentLink(
                execution.key,
                execution.row.run,
                execution.attempt,
                command.path,
                command.detached,
            )
            held = () if command.detached else chain_of(execution.row)
            trace = _trace(execution, command)
            decision.effects.append(StartChild(address, command, held, trace))
        case _:
            pass
    return command


def _trace(execution: Execution, call: CallIssued) -> dict[str, str]:
    created = execution.created
    if created is None or not created.trace:
        return {}
    run, attempt = execution.row.run, execution.attempt
    return call_trace(created.trace, execution.key, run, attempt, call.path)


def _check_child(execution: Execution, call: CallIssued) -> None:
    """A made id is the address of its call; any other would overwrite somebody else's child."""
    if call.child_id.startswith(RESERVED_ID_PREFIX):
        expected = child_id(execution.key, execution.row.run, execution.attempt, call.path)
        if call.child_id != expected:
            raise ProtocolError(
                f"call {call.path} of {execution.key.id!r} names its child {call.child_id!r}; "
                f"its address makes {expected!r}"
            )
        return
    try:
        check_execution_id(call.child_id)
    except InvalidArgumentError as error:
        raise ProtocolError(f"call {call.path} of {execution.key.id!r}: {error}") from error


def _follow_hints(execution: Execution, decision: Decision, request: Append) -> None:
    namespace, attempt = execution.key.namespace, execution.attempt
    issued = {  # by this very append: after a reconnect both come at once
        entry.path: ExecutionKey(namespace, entry.child_id)
        for entry in decision.entries
        if isinstance(entry, CallIssued) and not entry.detached
    }
    for path in request.cancel_calls:
        call = execution.calls.get((attempt, path))
        child = call.child if call is not None else issued.get(path)
        if child is not None:
            reason = "the caller stopped waiting"
            decision.effects.append(cancel_child(execution, attempt, path, child, reason))
    for path in request.cancel_timers:
        decision.effects.append(ClearTimer(TimerKind.TIMER, path))
        withdraw(execution, decision, path)
