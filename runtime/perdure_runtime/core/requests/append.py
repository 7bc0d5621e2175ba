"""A worker appends commands: the hot path."""

from __future__ import annotations

from typing import Final

import msgspec

from perdure_runtime.core.effects import (
    Acknowledge,
    CancelChild,
    ClearTimer,
    Decision,
    SetTimer,
    StartChild,
)
from perdure_runtime.core.entries import (
    BranchCompleted,
    CallIssued,
    Command,
    CommandReused,
    StepCompleted,
    StepFailed,
    TimerStarted,
)
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Ack, Append
from perdure_runtime.core.requests.wake import move
from perdure_runtime.core.retry import JITTER
from perdure_runtime.core.rows import TimerKind

WAKING: Final = (StepCompleted, BranchCompleted, CommandReused)
"""Commands whose acknowledgement gives the body something to do."""


def append(execution: Execution, request: Append, now_ms: int, draw: float) -> Decision:
    """Record what is new of the commands, acknowledge them, follow the hints, maybe suspend.

    Raises:
        ProtocolError: the worker skipped commands.
    """
    decision = Decision()
    commands = new_commands(execution, request.base, request.commands)
    wake_index = execution.wake_index
    if commands:
        for offset, command in enumerate(commands):
            if isinstance(command, WAKING):
                wake_index = execution.length + offset
                decision.entries.append(command)
            else:
                decision.entries.append(accept(execution, decision, command, now_ms, draw))
        ack = Ack(execution.length, len(commands), now_ms)
        decision.effects.append(Acknowledge(ack))
    if request.cancel_calls or request.cancel_timers:
        _follow_hints(execution, decision, request)
    if request.progress is not None:
        decision.changes["progress"] = msgspec.json.encode(request.progress)
    if request.idle and request.consumed >= wake_index:
        if execution.row.status is Status.RUNNING:
            move(execution, decision, Status.SUSPENDED)
    elif execution.row.status is Status.SUSPENDED and commands:
        move(execution, decision, Status.RUNNING)
    return decision


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
            command = msgspec.structs.replace(command, due_ms=now_ms + max(0, command.delay_ms))
            decision.effects.append(SetTimer(TimerKind.TIMER, command.path, command.due_ms))
        case StepFailed():
            delay_ms = max(0, command.delay_ms)
            if command.failure.retry_after_ms is None:
                delay_ms = int(delay_ms * (1 + JITTER * draw))
            command = msgspec.structs.replace(command, due_ms=now_ms + delay_ms)
            decision.effects.append(SetTimer(TimerKind.TIMER, command.path, command.due_ms))
        case CallIssued():
            address = ParentLink(
                execution.key,
                execution.row.run,
                execution.attempt,
                command.path,
                command.detached,
            )
            decision.effects.append(StartChild(address, command))
        case _:
            pass
    return command


def _follow_hints(execution: Execution, decision: Decision, request: Append) -> None:
    for path in request.cancel_calls:
        call = execution.calls.get((execution.attempt, path))
        if call is not None:
            decision.effects.append(CancelChild(call.child, "the caller stopped waiting"))
    for path in request.cancel_timers:
        decision.effects.append(ClearTimer(TimerKind.TIMER, path))
