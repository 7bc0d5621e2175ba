"""A fork: the journal of an execution up to a command becomes the beginning of another's.

What the body was told before the completion of that command is copied, with its times, so that a
replay of the copy comes to the same place; commands without a completion in there are issued anew
(semantics, section 8). The fork is a run of its own: its keys derive from its own key base, so that
what it does afterwards is never taken for what the source did, and its lookup is empty: of earlier
attempts only what the copied part took over from them is kept. The keys of copied entries stay; the
fork's `Forked.bases` tells its machine where they came from.

Cancellations are not copied: a path that completed after one cannot be forked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from perdure_runtime.core.effects import Decision, Enqueue
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    AttemptTimedOut,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    CommandReused,
    DependencyChanged,
    Entry,
    EventAwaited,
    EventReceived,
    EventSent,
    ExecutionContinued,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Forgotten,
    Forked,
    PatchDecided,
    Paused,
    PromiseCreated,
    PromiseSettled,
    Recorded,
    Resumed,
    StateWritten,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    TaskMoved,
    TaskReported,
    TimerFired,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, root_key_base, shard_of
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import due_after
from perdure_runtime.core.requests.wake import set_timeout
from perdure_runtime.core.rows import ExecutionRow, TimerKind

WHOLE: Final = (
    StepCompleted,
    BranchCompleted,
    CommandReused,
    ValueEmitted,
    StateWritten,
    Forgotten,
    PatchDecided,
    EventSent,
)
"""Commands that are their own completion; so are a detached `CallIssued` and an `EventAwaited` that
takes a recorded event."""

OPENS: Final = (CallIssued, TimerStarted, StepStarted, StepFailed, EventAwaited, PromiseCreated)
"""Commands that wait for a completion."""

COMPLETES: Final = (CallCompleted, TimerFired, EventReceived, PromiseSettled)

RUN: Final = (
    ExecutionCreated,
    ExecutionContinued,
    ExecutionEnded,
    ExecutionRetried,
    AttemptStarted,
    AttemptEnded,
)
"""The life of the run: copied from before the forked attempt."""

STARTS_ANEW: Final = (StepCheckpointed,)
"""Never copied: the steps of a fork have other keys, and begin from their start."""

SIGNALS: Final = (
    CancelRequested,
    AttemptTimedOut,
    Paused,
    Resumed,
    TaskMoved,
    TaskReported,
    DependencyChanged,
)
"""Never copied."""


def fork(
    source: ExecutionRow,
    journal: Sequence[Recorded],
    at: str,
    key: ExecutionKey,
    now_ms: int,
    first_run: int = 1,
) -> tuple[Execution, list[Recorded], Decision]:
    """The new execution, the entries to copy into its journal with their times, and what follows.

    Args:
        journal: the whole one of the source.
        at: a command path of the source; of its last attempt that has it.
        key: of the fork; the caller has checked that it is free.
        first_run: the lowest run that this key may begin with; see `create`.

    Raises:
        NotFoundError: no attempt has a command with this path.
        InvalidArgumentError: the path completed after a cancellation or timeout; or it is a method
            of an object.
    """
    if source.target.key:
        raise InvalidArgumentError(
            f"execution {source.key.id!r} is a method of an object, whose state has moved on: "
            "it cannot be forked"
        )
    if source.task is not None:
        raise InvalidArgumentError(f"task {source.key.id!r} has no body that could be forked")
    journal = _of_the_run(source, journal)
    attempt, cut = _find(source, journal, at)
    entries = _copied(source, journal[:cut], attempt, at)
    created = entries[0].entry
    assert isinstance(created, ExecutionCreated)
    run = max(source.run + 1, first_run)
    bases = (created.key_base, *(created.forked.bases if created.forked else ()))
    created = msgspec.structs.replace(
        created,
        run=run,
        key_base=root_key_base(key, run),
        parent=None,
        held=(),
        options=msgspec.structs.replace(created.options, after=()),
        forked=Forked(source.key.id, source.run, at, bases),
    )
    entries[0] = msgspec.structs.replace(entries[0], entry=created)
    row = ExecutionRow(
        key=key,
        shard=shard_of(key),
        target=source.target,
        status=Status.QUEUED,
        created_ms=now_ms,
        input_digest=source.input_digest,
        run=run,
        attempt=attempt,
        priority=source.priority,
        kind=source.kind,
        started_ms=now_ms,
        build_id=source.build_id,
        labels=created.options.labels,
    )
    execution = Execution(row)
    decision = Decision(reply=True, effects=[Enqueue()])
    _set_timeouts(execution, decision, created, entries, now_ms)
    return execution, entries, decision


def _of_the_run(source: ExecutionRow, journal: Sequence[Recorded]) -> Sequence[Recorded]:
    """The current run of a journal, as if nothing were before it."""
    first = source.run_index
    if not first:
        return journal
    places = {recorded.index: recorded.index - first for recorded in journal[first:]}
    return [
        Recorded(places[recorded.index], recorded.time_ms, _moved(recorded.entry, places))
        for recorded in journal[first:]
    ]


def _set_timeouts(
    execution: Execution,
    decision: Decision,
    created: ExecutionCreated,
    entries: list[Recorded],
    now_ms: int,
) -> None:
    """The clocks of the fork start with it."""
    started = [r.entry for r in entries if isinstance(r.entry, AttemptStarted)][-1]
    limits = (
        (TimerKind.ATTEMPT, started.timeout_ms),
        (TimerKind.EXECUTION, created.options.execution_timeout_ms),
    )
    for kind, timeout_ms in limits:
        if timeout_ms is not None:
            set_timeout(execution, decision, kind, due_after(now_ms, timeout_ms))


def _is_whole(entry: Entry) -> bool:
    return (
        isinstance(entry, WHOLE)
        or (isinstance(entry, CallIssued) and entry.detached)
        or (isinstance(entry, EventAwaited) and entry.source_index > 0)
    )


def _find(source: ExecutionRow, journal: Sequence[Recorded], at: str) -> tuple[int, int]:
    """The last attempt with this path, and the index that the copy ends before."""
    attempt = found = 0
    cut = -1
    is_step = False
    for recorded in journal:
        entry: Any = recorded.entry
        if isinstance(entry, AttemptStarted):
            attempt = entry.attempt
        elif isinstance(entry, (AttemptEnded, ExecutionEnded, ExecutionRetried)):
            if found == attempt and cut < 0:
                cut = recorded.index
        elif getattr(entry, "path", None) != at or isinstance(entry, STARTS_ANEW):
            continue
        elif _is_whole(entry):
            found, cut = attempt, recorded.index
        elif isinstance(entry, OPENS):
            if found < attempt:
                found, cut = attempt, -1
            is_step = isinstance(entry, (StepStarted, StepFailed))
        elif entry.attempt == found and cut < 0 and not is_step:
            cut = recorded.index
    if not found:
        raise NotFoundError(
            f"execution {source.key.id!r} has no command {at!r}; "
            f"`perdure history {source.key.id}` shows the paths"
        )
    return found, len(journal) if cut < 0 else cut


def _copied(
    source: ExecutionRow, prefix: Sequence[Recorded], attempt: int, at: str
) -> list[Recorded]:
    start = next(
        r.index
        for r in prefix
        if isinstance(r.entry, AttemptStarted) and r.entry.attempt == attempt
    )
    kept = _taken_over(prefix, start) | _completed(prefix, start, attempt)
    undone = _undone(prefix[:start])
    places: dict[int, int] = {}
    out: list[Recorded] = []
    cancelled = False
    for recorded in prefix:
        entry = recorded.entry
        if isinstance(entry, CancelRequested) or (
            isinstance(entry, AttemptTimedOut) and recorded.index > start
        ):
            cancelled = True
        elif isinstance(entry, ExecutionRetried):
            cancelled = False
        if recorded.index in kept or isinstance(entry, RUN):
            entry = _moved(entry, places)
        else:
            rest = _rest(entry, undone.get(recorded.index, b""))
            if rest is None:
                continue
            entry = rest
        places[recorded.index] = len(out)
        out.append(Recorded(len(out), recorded.time_ms, entry))
    if cancelled:
        raise InvalidArgumentError(
            f"command {at!r} of execution {source.key.id!r} completed after the body had been "
            "cancelled or had timed out, and a fork copies neither; choose an earlier command"
        )
    return out


def _moved(entry: Entry, places: dict[int, int]) -> Entry:
    """The entry with the new places of those that it names."""
    match entry:
        case CommandReused():
            return msgspec.structs.replace(entry, source_index=places[entry.source_index])
        case EventAwaited() if entry.source_index:
            return msgspec.structs.replace(entry, source_index=places[entry.source_index])
        case AttemptEnded() | ExecutionEnded() if entry.unclaimed_events:
            unclaimed = tuple(places[index] for index in entry.unclaimed_events)
            return msgspec.structs.replace(entry, unclaimed_events=unclaimed)
        case _:
            return entry


def _rest(entry: Any, undone: bytes) -> Entry | None:
    """What stays of an entry that is not copied: its state writes, and that it undid something."""
    if undone:
        return Forgotten(entry.path, "", undone, getattr(entry, "writes", ()))
    writes = getattr(entry, "writes", ())
    return StateWritten(writes) if writes else None


def _undone(earlier: Sequence[Recorded]) -> dict[int, bytes]:
    """By the index of the entry that says so: what earlier attempts compensated."""
    undone: dict[int, bytes] = {}
    issued: dict[tuple[int, str], bytes] = {}
    attempt = 0
    for recorded in earlier:
        match recorded.entry:
            case AttemptStarted() as entry:
                attempt = entry.attempt
            case StepCompleted() | BranchCompleted() as entry if entry.result is not None:
                undone[recorded.index] = entry.compensates
            case CallIssued() as entry if entry.detached:
                undone[recorded.index] = entry.compensates
            case CallIssued() as entry:
                issued[attempt, entry.path] = entry.compensates
            case CallCompleted() as entry if entry.result is not None:
                undone[recorded.index] = issued.get((entry.attempt, entry.path), b"")
            case Forgotten() as entry:
                undone[recorded.index] = entry.key
            case _:
                pass
    return undone


def _taken_over(prefix: Sequence[Recorded], start: int) -> set[int]:
    """Indices of what earlier attempts left and the forked one has taken over."""
    sources = {r.entry.source_index for r in prefix[start:] if isinstance(r.entry, CommandReused)}
    issued: dict[tuple[int, str], int] = {}
    promised: dict[bytes, int] = {}
    kept = set(sources)
    attempt = 0
    for recorded in prefix[:start]:
        entry = recorded.entry
        if isinstance(entry, AttemptStarted):
            attempt = entry.attempt
        elif isinstance(entry, CallIssued):
            issued[attempt, entry.path] = recorded.index
        elif isinstance(entry, CallCompleted) and recorded.index in sources:
            kept.add(issued[entry.attempt, entry.path])
        elif isinstance(entry, (EventAwaited, EventReceived)):
            kept.add(recorded.index)  # what the run has consumed stays consumed
        elif isinstance(entry, PromiseCreated):
            promised[entry.key] = recorded.index
        elif isinstance(entry, PromiseSettled) and recorded.index in sources:
            kept.add(promised[entry.key])
    return kept


def _completed(prefix: Sequence[Recorded], start: int, attempt: int) -> set[int]:
    """Indices of the commands of the forked attempt that have their completions in the prefix,
    and of these completions."""
    kept: set[int] = set()
    opened: dict[str, list[int]] = {}  # what stands or falls with the completion of a path
    steps: set[str] = set()
    for recorded in prefix[start:]:
        entry: Any = recorded.entry
        if _is_whole(entry):
            kept.add(recorded.index)
            kept.update(opened.pop(getattr(entry, "path", ""), ()))
        elif isinstance(entry, OPENS):
            opened.setdefault(entry.path, []).append(recorded.index)
            if isinstance(entry, StepFailed):
                steps.add(entry.path)
        elif isinstance(entry, COMPLETES) and entry.attempt == attempt:
            opened.setdefault(entry.path, []).append(recorded.index)
            if entry.path not in steps:
                kept.update(opened.pop(entry.path))
    return kept
