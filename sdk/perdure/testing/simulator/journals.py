"""What must hold of the journals of every run, whatever the program: a list of violations.

P1 (one result per address), P5 (timers never early, no event taken twice) and the rules of keys
(semantics, section 1) are looked for in the entries alone, without any code of the engine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CommandReused,
    EventAwaited,
    EventReceived,
    EventSent,
    ExecutionContinued,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    PromiseCreated,
    PromiseSettled,
    Recorded,
    StepCompleted,
    StepFailed,
    TimerFired,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.lifecycle import is_end

if TYPE_CHECKING:
    from perdure.testing.simulator.program import Run

Journals = Mapping[str, Sequence[Recorded]]
KEYED = (
    StepCompleted,
    BranchCompleted,
    CallIssued,
    EventSent,
    EventAwaited,
    PromiseCreated,
    ValueEmitted,
)


def journal_violations(run: Run, *, may_stand: Sequence[str] = ()) -> Iterator[str]:
    """Violations that need no knowledge of the program.

    Args:
        may_stand: ids of executions that need not have ended.
    """
    for id, journal in run.journals.items():
        for text in _of_one(journal):
            yield f"{id}: {text}"
    for id, row in run.rows.items():
        if not is_end(row.status) and id not in may_stand:
            yield f"{id}: is {row.status} at the end ({row.detail or row.error})"
    yield from _keys_across(run.journals)
    yield from _children(run.journals)


def runs_of(journal: Sequence[Recorded]) -> Iterator[list[Recorded]]:
    """The runs of an execution: each begins with an `ExecutionCreated`."""
    current: list[Recorded] = []
    for recorded in journal:
        if isinstance(recorded.entry, ExecutionCreated) and current:
            yield current
            current = []
        current.append(recorded)
    if current:
        yield current


def _of_one(journal: Sequence[Recorded]) -> Iterator[str]:
    if not journal:
        return
    first = journal[0].index
    if [recorded.index for recorded in journal] != [*range(first, first + len(journal))]:
        yield "its indices have gaps"
    times = [recorded.time_ms for recorded in journal]
    if times != sorted(times):
        yield "its times decrease"
    over = False
    for recorded in journal:
        if over and not isinstance(recorded.entry, ExecutionRetried):
            yield f"entry {recorded.index} follows the end"
        over = isinstance(recorded.entry, ExecutionEnded)
    for entries in runs_of(journal):
        yield from _addresses(entries)
        yield from _timers(entries)
        yield from _events(entries)
        yield from _keys_within(entries)


def _addresses(entries: Sequence[Recorded]) -> Iterator[str]:
    """P1: one completion, and one command, per path of an attempt."""
    attempt = 0
    seen: Counter[tuple[str, int, str]] = Counter()
    for recorded in entries:
        entry = recorded.entry
        match entry:
            case AttemptStarted():
                attempt = entry.attempt
            case StepCompleted() | BranchCompleted() | CommandReused():
                seen["result", attempt, entry.path] += 1
            case CallIssued() | TimerStarted() | EventSent() | PromiseCreated():
                seen["command", attempt, entry.path] += 1
            case CallCompleted():
                seen["result", entry.attempt, entry.path] += 1
            case EventReceived() if entry.payload is not None:
                seen["result", entry.attempt, entry.path] += 1
            case PromiseSettled():
                seen[f"settled {entry.key.hex()}", entry.attempt, entry.path] += 1
            case _:
                pass
    for (what, number, path), count in seen.items():
        if count > 1:
            yield f"{count} times {what} at {path} of attempt {number}"


def _timers(entries: Sequence[Recorded]) -> Iterator[str]:
    """P5: what has a due time comes no earlier; what was set fires once."""
    attempt = 0
    due: dict[tuple[int, str], int] = {}
    next_ms = 0
    for recorded in entries:
        entry = recorded.entry
        match entry:
            case AttemptStarted():
                attempt = entry.attempt
                if recorded.time_ms < next_ms:
                    yield f"attempt {attempt} began {next_ms - recorded.time_ms} ms early"
            case AttemptEnded():
                next_ms = entry.next_ms
            case ExecutionRetried():
                next_ms = 0
            case TimerStarted() | StepFailed() | EventAwaited() | PromiseCreated():
                if entry.due_ms:
                    due[attempt, entry.path] = entry.due_ms
            case TimerFired():
                due_ms = due.pop((entry.attempt, entry.path), None)
                if due_ms is None:
                    yield f"timer {entry.path} of attempt {entry.attempt} fired without being set"
                elif recorded.time_ms < due_ms:
                    yield f"timer {entry.path} fired {due_ms - recorded.time_ms} ms early"
            case _:
                pass


def _events(entries: Sequence[Recorded]) -> Iterator[str]:
    """P5: a run takes each event of a mailbox once."""
    taken: Counter[int] = Counter(
        recorded.entry.sequence
        for recorded in entries
        if isinstance(recorded.entry, EventReceived) and recorded.entry.payload is not None
    )
    for sequence, count in taken.items():
        if count > 1:
            yield f"event {sequence} was taken {count} times"


def _keys_within(entries: Sequence[Recorded]) -> Iterator[str]:
    """Two commands of an attempt never share a key; a command that was sent is sent once."""
    attempt = 0
    keys: defaultdict[tuple[int, bytes], set[str]] = defaultdict(set)
    sent: Counter[bytes] = Counter()
    for recorded in entries:
        entry = recorded.entry
        if isinstance(entry, AttemptStarted):
            attempt = entry.attempt
        elif isinstance(entry, KEYED):
            keys[attempt, entry.key].add(entry.path)
            if isinstance(entry, EventSent) or (isinstance(entry, CallIssued) and entry.detached):
                sent[entry.key] += 1
    for (number, key), paths in keys.items():
        if len(paths) > 1:
            yield f"{', '.join(sorted(paths))} of attempt {number} share the key {key.hex()}"
    for key, count in sent.items():
        if count > 1:
            yield f"{count} sends with the key {key.hex()}"


def _keys_across(journals: Journals) -> Iterator[str]:
    """Different executions share no key, unless one was made again for the other's call."""
    owners: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for journal in journals.values():
        for entries in runs_of(journal):
            created = entries[0].entry
            if not isinstance(created, ExecutionCreated) or created.forked:
                continue
            for recorded in entries:
                if isinstance(recorded.entry, KEYED):
                    owners[recorded.entry.key].add(created.key_base)
    for key, bases in owners.items():
        if len(bases) > 1:
            yield f"{len(bases)} different executions share the key {key.hex()}"


def _children(journals: Journals) -> Iterator[str]:
    """What a caller was told is what its callee came to; a call has a callee."""
    for id, journal in journals.items():
        for entries in runs_of(journal):
            calls: dict[tuple[int, str], CallIssued] = {}
            attempt = 0
            for recorded in entries:
                entry = recorded.entry
                match entry:
                    case AttemptStarted():
                        attempt = entry.attempt
                    case CallIssued():
                        calls[attempt, entry.path] = entry
                    case CallCompleted(result=result) if result is not None:
                        call = calls.get((entry.attempt, entry.path))
                        if call is None:
                            yield f"{id}: {entry.path} completed without having been issued"
                        elif call.child_id in journals:
                            end = outcome(journals[call.child_id])
                            if end is None or end.result != result:
                                yield f"{id}: {entry.path} has a result that its callee has not"
                    case _:
                        pass


def outcome(journal: Sequence[Recorded]) -> ExecutionEnded | None:
    """The last end of an execution."""
    ends = [each.entry for each in journal if isinstance(each.entry, ExecutionEnded)]
    return ends[-1] if ends else None


def continued(journal: Sequence[Recorded]) -> int:
    """How often an execution continued as new."""
    return sum(isinstance(each.entry, ExecutionContinued) for each in journal)
