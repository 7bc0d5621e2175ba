"""The invariants of ARCHITECTURE.md that can be read from what is on disk, after any run.

`broken_invariants` needs no program: journals and rows are enough. What was told to workers and
clients is `observer`'s part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CommandReused,
    Entry,
    EventAwaited,
    EventReceived,
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
)
from perdure_runtime.core.ids import ExecutionKey, next_chain
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.memory import End, MemoryDisk
from perdure_runtime.storage import StoredEntry
from perdure_runtime.wire.v1.entries import decode_entry

Journals = dict[ExecutionKey, list[Recorded]]
ONCE = (
    StepCompleted,
    CallIssued,
    TimerStarted,
    BranchCompleted,
    CommandReused,
    CallCompleted,
)
"""Entries that one command path of an attempt has once at most."""


def broken_invariants(disk: MemoryDisk) -> list[str]:
    """What is wrong with what is on disk."""
    journals = {key: _decoded(stored) for key, stored in disk.journals.items()}
    found: list[str] = []
    for key, stored in disk.journals.items():
        found += (f"{key.id}: {text}" for text in _places(stored, disk.ends[key]))
    for key, journal in journals.items():
        found += (f"{key.id}: {text}" for text in _ends(journal))
        for attempt in _attempts(journal):
            found += (f"{key.id}: {text}" for text in _attempt(attempt))
    for key, row in disk.rows.items():
        found += (f"{key.id}: {text}" for text in _row(row, journals.get(key, []), disk))
        found += (f"{key.id}: {text}" for text in _calls(journals.get(key, []), key, journals))
    return found


def _decoded(stored: Sequence[StoredEntry]) -> list[Recorded]:
    return [Recorded(each.index, each.time_ms, decode_entry(each.data)) for each in stored]


def _places(stored: Sequence[StoredEntry], end: End) -> Iterator[str]:
    """I1: no gaps, time does not go back; the hash chain holds."""
    chain, time_ms = end.base, 0
    for index, each in enumerate(stored, end.first):
        chain = next_chain(chain, each.data, each.time_ms)
        if each.index != index:
            yield f"I1: entry {each.index} stands at {index}"
        if each.time_ms < time_ms:
            yield f"I1: time goes back by {time_ms - each.time_ms} ms at {index}"
        if each.chain != chain:
            yield f"the hash chain is broken at {index}"
        time_ms = each.time_ms
    if (end.first + len(stored), chain) != (end.length, end.chain):
        yield f"the journal ends at {end.first + len(stored)} and not at {end.length}"


def _ends(journal: Sequence[Recorded]) -> Iterator[str]:
    """I1: one end, unless it was retried; attempts count up, and begin when they are due."""
    ended = False
    attempt, next_ms = 0, 0
    for recorded in journal:
        match recorded.entry:
            case ExecutionEnded():
                if ended:
                    yield f"I1: it ends again at {recorded.index}"
                ended = True
            case ExecutionRetried():
                ended, next_ms = False, 0
            case ExecutionCreated():
                ended, attempt, next_ms = False, 0, 0
            case AttemptStarted() as started:
                if ended:
                    yield f"I1: an attempt starts after the end, at {recorded.index}"
                if started.attempt != attempt + 1:
                    yield f"attempt {started.attempt} follows attempt {attempt}"
                if recorded.time_ms < next_ms:
                    early_ms = next_ms - recorded.time_ms
                    yield f"I10: attempt {started.attempt} starts {early_ms} ms early"
                attempt = started.attempt
            case AttemptEnded() as over:
                next_ms = over.next_ms
            case _:
                pass


def _attempts(journal: Sequence[Recorded]) -> Iterator[list[Recorded]]:
    """The entries from one start of an attempt to the next."""
    entries: list[Recorded] = []
    for recorded in journal:
        if isinstance(recorded.entry, AttemptStarted | ExecutionCreated | ExecutionContinued):
            yield entries
            entries = []
        entries.append(recorded)
    yield entries


def _attempt(entries: Sequence[Recorded]) -> Iterator[str]:
    """I4, I10, I18: nothing is recorded twice, no timer fires early or without being set."""
    number = next((r.entry.attempt for r in entries if isinstance(r.entry, AttemptStarted)), 0)
    once: Counter[tuple[str, str]] = Counter()
    due: dict[str, list[int]] = {}
    waits: Counter[str] = Counter()
    sequences: Counter[int] = Counter()
    for recorded in entries:
        entry: Entry = recorded.entry
        if isinstance(entry, ONCE):
            name = type(entry).__name__, entry.path
            once[name] += 1
            if once[name] == 2:
                yield f"I4: {name[0]} of {name[1]} is recorded twice, at {recorded.index}"
        match entry:
            case TimerStarted() | StepFailed():
                due.setdefault(entry.path, []).append(entry.due_ms)
            case TimerFired(path=path, attempt=attempt) if attempt == number:
                if not due.get(path):
                    yield f"I10: the timer of {path} fires at {recorded.index} without being set"
                elif recorded.time_ms < (due_ms := due[path].pop()):
                    yield f"I10: the timer of {path} fires {due_ms - recorded.time_ms} ms early"
            case EventAwaited(path=path, due_ms=due_ms):
                waits[path] += 1
                due.setdefault(path, []).append(due_ms)
            case PromiseCreated(path=path, due_ms=due_ms):
                due.setdefault(path, []).append(due_ms)
            case EventReceived(path=path, attempt=attempt) if attempt == number:
                waits[path] -= 1
                if waits[path] < 0:
                    yield f"I18: {path} receives at {recorded.index} what it does not wait for"
                if entry.payload is not None:
                    sequences[entry.sequence] += 1
                    if sequences[entry.sequence] == 2:
                        yield f"I18: event {entry.sequence} is received twice"
            case _:
                pass


def _row(row: ExecutionRow, journal: Sequence[Recorded], disk: MemoryDisk) -> Iterator[str]:
    """The row says what the journal says; what has ended holds nothing."""
    if not journal:
        yield "a row without a journal"
        return
    last = next((r.entry for r in reversed(journal) if isinstance(r.entry, _TURNS)), None)
    if is_end(row.status) != isinstance(last, ExecutionEnded):
        yield f"the row is {row.status}, the journal says {type(last).__name__}"
    elif isinstance(last, ExecutionEnded) and last.status is not row.status:
        yield f"the row is {row.status}, the journal {last.status}"
    if is_end(row.status):
        if row.lane_order:
            yield "I23: it has ended and stands in a lane"
        held = [timer.kind for timer in disk.timers.values() if timer.key == row.key]
        if held:
            yield f"it has ended and has timers: {', '.join(held)}"


_TURNS = (ExecutionEnded, ExecutionRetried, ExecutionCreated)


def _calls(journal: Sequence[Recorded], key: ExecutionKey, journals: Journals) -> Iterator[str]:
    """I11: who awaits another execution gets its outcome; promises are settled once."""
    children: dict[tuple[int, str], str] = {}
    settled: Counter[bytes] = Counter()
    attempt = 0
    for recorded in journal:
        match recorded.entry:
            case AttemptStarted():
                attempt = recorded.entry.attempt
            case ExecutionCreated():
                children = {}
            case CallIssued(path=path, child_id=child):
                children[attempt, path] = child
            case CallCompleted(path=path, attempt=of, result=result) if result is not None:
                child = children.get((of, path), "")
                theirs = journals.get(ExecutionKey(key.namespace, child), [])
                outcomes = [r.entry for r in theirs if isinstance(r.entry, ExecutionEnded)]
                if not any(each.result == result for each in outcomes):
                    yield f"I11: {path} got a result that {child or 'nobody'} did not give"
            case PromiseSettled(key=promise, timed_out=False):
                settled[promise] += 1
                if settled[promise] > 1:
                    yield f"a promise is settled twice, at {recorded.index}"
            case _:
                pass
