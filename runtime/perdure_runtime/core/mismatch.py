"""The readable diff of a journal mismatch (semantics, section 4): recorded against attempted.

Only text is made here; what counts as a mismatch is decided in `perdure_runtime.core.machine`.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType
from typing import Final

from perdure_runtime.core.entries import (
    BranchCompleted,
    CallIssued,
    Command,
    CommandReused,
    EventAwaited,
    EventSent,
    Forgotten,
    PatchDecided,
    PromiseCreated,
    StateWrite,
    StateWritten,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.ids import PROMISE_DIGEST, wait_digest
from perdure_runtime.core.issued import (
    BRANCH,
    CALL,
    EMIT,
    EVENT,
    EVENT_SEND,
    FORGET,
    PROMISE,
    SEND,
    STEP,
    TIMER,
    Issued,
    event_send_name,
)

WAYS_OUT: Final = """\
ways out
  resume   replay again, after the code that recorded this is running again
  retry    start a new attempt; what succeeded is reused, the rest runs again
  fork     copy the execution up to a command and go on from there with the new code
  cancel   give it up"""

_MOVED: Final = (
    "the code changed since this was recorded (a command was added, removed, renamed or moved), or "
    "a condition read something that is not recorded: the clock, an environment variable, a file, "
    "a global, the order of a set"
)
_INPUT: Final = (
    "the command is the same but its input differs: it holds a value that is not recorded (the "
    "clock, a random number, the order of a set, a global), or the code that builds it changed"
)
_ENDED: Final = (
    "the body ended earlier than the recorded one: a return, a raise or a condition changed, or "
    "depends on something that is not recorded"
)
_EARLY: Final = (
    "the branch was recorded as ended and has not ended here: the code of the branch changed, or "
    "it waits for something that is not recorded"
)
_STATE: Final = (
    "the body wrote another value, another key or in another order: the value depends on "
    "something that is not recorded, or the code changed"
)


def command_line(entry: Command) -> tuple[str, str, str, bytes]:
    """Kind, path, name and digest of a recorded command."""
    match entry:
        case StepStarted() | StepCompleted() | StepFailed():
            return STEP, entry.path, entry.name, entry.digest
        case CallIssued():
            kind = SEND if entry.detached else CALL
            return kind, entry.path, entry.target.name(), entry.input.digest
        case BranchCompleted():
            return BRANCH, entry.path, entry.name, entry.digest
        case CommandReused():
            return entry.kind, entry.path, entry.name, entry.digest
        case TimerStarted():
            return TIMER, entry.path, _seconds(entry.delay_ms), b""
        case StepCheckpointed():
            return "checkpoint", entry.path, entry.name, b""
        case ValueEmitted():
            return EMIT, entry.path, "", entry.value.digest
        case Forgotten():
            return FORGET, entry.path, entry.name, entry.key
        case PatchDecided():
            return "patch", "", entry.id, b""
        case EventAwaited():
            return EVENT, entry.path, entry.event_id, wait_digest(entry.since_start)
        case EventSent():
            name = event_send_name(entry.event_id, entry.execution_id)
            return EVENT_SEND, entry.path, name, entry.payload.digest
        case PromiseCreated():
            return PROMISE, entry.path, entry.name, PROMISE_DIGEST
        case StateWritten():
            return "state write", "", ", ".join(write.key for write in entry.writes), b""


def place(where: tuple[CodeType, int] | None) -> str:
    """Source file and line of an instruction; "" when unknown."""
    if where is None:
        return ""
    code, instruction = where
    for number, position in enumerate(code.co_positions()):
        if number == instruction // 2:
            return f"{code.co_filename}:{position[0] or code.co_firstlineno}, in {code.co_name}"
    return f"{code.co_filename}:{code.co_firstlineno}, in {code.co_name}"


def command_diff(
    index: int, entry: Command, attempted: Issued | None, others: Iterable[Issued], ended: bool
) -> str:
    """The diff for a command that the body did not issue as it is recorded.

    Args:
        attempted: what the body issued at the recorded path, if anything.
        others: what the body issued elsewhere and the journal does not hold.
        ended: the body had ended.
    """
    kind, path, name, digest = command_line(entry)
    lines = [
        f"journal mismatch at entry {index}, command {path}",
        f"  recorded:  {_words(kind, name, digest)}",
    ]
    if attempted is None:
        lines.append(f"  attempted: nothing at {path}" + ("; the body had ended" if ended else ""))
        cause = _ENDED if ended else _MOVED
    else:
        lines.append(f"  attempted: {_attempted(attempted)}")
        if (attempted.kind, attempted.name) != (kind, name) and kind != TIMER:
            cause = _MOVED
        elif attempted.kind == BRANCH and not attempted.reported:
            lines[-1] += " (has not ended)"
            cause = _EARLY
        else:
            cause = _INPUT if attempted.kind == kind else _MOVED
    lineage = path.rpartition(":")[0]
    lines.extend(
        f"  new here:  {_attempted(other)}, path {other.path}"
        for other in others
        if other is not attempted and other.path.rpartition(":")[0] == lineage
    )
    return "\n".join((*lines, f"likely cause: {cause}", WAYS_OUT))


def write_diff(index: int, recorded: StateWrite, made: StateWrite | None) -> str:
    """The diff for a state write that differs."""
    return "\n".join(
        (
            f"journal mismatch at entry {index}, state key {recorded.key!r}",
            f"  recorded:  {_write(recorded)}",
            f"  attempted: {_write(made) if made else 'no further write'}",
            f"likely cause: {_STATE}",
            WAYS_OUT,
        )
    )


def patch_diff(index: int, id: str) -> str:
    """The diff for a recorded patch that the code does not have."""
    return "\n".join(
        (
            f"journal mismatch at entry {index}, patch {id!r}",
            f"  recorded:  ctx.patched({id!r}) was True",
            "  attempted: the code has not asked for it",
            "likely cause: the code is older than what recorded this, or ctx.patched() was removed "
            "before ctx.deprecate_patch() had taken its place",
            WAYS_OUT,
        )
    )


def withdrawn_diff(index: int, wait: Issued) -> str:
    """The diff for a wait that the recorded body had cancelled, and this one has not."""
    return "\n".join(
        (
            f"journal mismatch at entry {index}, command {wait.path}",
            f"  recorded:  the wait for event {wait.name!r} was cancelled",
            f"  attempted: {_attempted(wait)}, and it still waits",
            f"likely cause: {_MOVED}",
            WAYS_OUT,
        )
    )


def _attempted(issued: Issued) -> str:
    name = _seconds(issued.request) if issued.kind == TIMER else issued.name
    words = _words(issued.kind, name, issued.digest)
    where = place(issued.where)
    return f"{words} at {where}" if where else words


def _words(kind: str, name: str, digest: bytes) -> str:
    return f"{kind} {name!r}" + (f", input digest {digest.hex()[:12]}" if digest else "")


def _seconds(delay_ms: int) -> str:
    return f"{delay_ms / 1000:g} s"


def _write(write: StateWrite) -> str:
    if write.value is None:
        return f"delete {write.key!r}"
    return f"set {write.key!r} to {write.value.data[:80]!r}"
