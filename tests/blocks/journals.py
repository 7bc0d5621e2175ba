"""What a run left on disk, in a form in which a calm run and one with crashes must be equal.

Everything is compared, times included, since time is virtual and stands still during a crash: a
timer that began anew would show. Left out is only what may differ although nothing was lost or
doubled:

- `epoch` of a `StepStarted`, `crash_count`, `crash_index` and `lane_order` of rows: bookkeeping of
  leases, crashes and waiting. Attempts are not bookkeeping: a crash never makes another one;
- numbers of events in a mailbox (`event_sequence`, `sequence`): a crash may skip some, and an event
  that is sent beside the run is sooner or later than what the run does meanwhile. They go up;
- the order between entries of different commands that were in progress at the same time (steps and
  calls of one spawn, branches): they finish as they finish. What stays is the order in which
  commands of one task are issued, and of the entries of each command. Where a body does one thing
  after the other there is only one order, and it is compared whole.

So these are equal: executions with targets, parents and outcomes; kinds, paths, keys, digests,
child ids, inputs, results, failures with their tracebacks, tries and attempts; state writes and the
entries that they ride with; states of objects, mailboxes, timers, and that nothing waits to be
delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import unified_diff
from pprint import pformat
from typing import Any, Final

import msgspec

from perdure_runtime.core.entries import Recorded, StepCompleted
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.memory import MemoryDisk
from perdure_runtime.storage import StoredEntry
from perdure_runtime.wire.v1.entries import decode_entry

NUMBERS: Final = frozenset({"epoch", "event_sequence", "sequence"})
BOOKKEEPING: Final = frozenset({"crash_count", "crash_index", "lane_order"})
Plain = dict[str, Any]
Found = dict[str, Any]


def plain(value: Any, without: frozenset[str] = frozenset()) -> Plain:
    """A struct as plain data, by field; bytes are hexadecimal."""
    fields = msgspec.structs.asdict(value)
    return {name: _plain(each) for name, each in fields.items() if name not in without}


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True)


def command_of(entry: Plain) -> str:
    """Which command an entry is about; "" for none."""
    return str(entry.get("path", ""))


def normal(journal: Sequence[Recorded]) -> Found:
    """A journal as what has one order, and what may come in several."""
    times = [recorded.time_ms for recorded in journal]
    assert sorted(times) == times
    assert list(range(len(journal))) == [recorded.index for recorded in journal]
    entries = [
        {"kind": type(each.entry).__name__, "time_ms": each.time_ms, **plain(each.entry, NUMBERS)}
        for each in journal
    ]
    return {"whole": entries, "several": _in_several_orders(entries)}


def _in_several_orders(entries: list[Plain]) -> Found:
    """By attempt and command; with the first entries of commands in the order of each task."""
    by_command: dict[str, list[Plain]] = {}
    issued: dict[str, list[str]] = {}
    attempt = 0
    for entry in entries:
        attempt += entry["kind"] == "AttemptStarted"
        path = command_of(entry)
        task = f"{attempt} {path.rpartition(':')[0]}"
        if path and f"{attempt} {path}" not in by_command and entry["kind"] != "StepCompleted":
            issued.setdefault(task, []).append(path)
        by_command.setdefault(f"{attempt} {path}", []).append(entry)
    return {"commands": by_command, "issued": issued}


def compared(calm: Found, run: Found, *, one_after_the_other: bool) -> str:
    """How a run differs from the calm one, readable; "" when it does not."""
    parts = sorted(calm.keys() - {"journals"})
    lines = [
        f"{part}: {calm[part]}\n  but {run[part]}" for part in parts if calm[part] != run[part]
    ]
    form = "whole" if one_after_the_other else "several"
    for id in sorted(calm["journals"].keys() | run["journals"].keys()):
        first, second = (each["journals"].get(id, {}).get(form) for each in (calm, run))
        if first != second:
            left, right = (pformat(each, width=100).splitlines() for each in (first, second))
            lines += [f"journal of {id}:", *unified_diff(left, right, "calm", "this run", n=2)]
    return "\n".join(lines)


def read(disk: MemoryDisk) -> Found:
    """Everything that is on a disk."""
    journals = {key.id: normal(decoded(entries)) for key, entries in disk.journals.items()}
    return {
        "journals": journals,
        "rows": {key.id: plain(row, BOOKKEEPING) for key, row in disk.rows.items()},
        "objects": {key.name(): plain(each, BOOKKEEPING) for key, each in disk.objects.items()},
        "events": [(each.event_id, each.dedupe, each.data) for each in disk.events.values()],
        "waits": [(each.name, each.execution_id) for each in disk.waits.values()],
        "outbox": list(disk.outbox.values()),
        "timers": sorted((key.key.id, key.kind, key.path) for key in disk.timers),
    }


def decoded(entries: Sequence[StoredEntry]) -> list[Recorded]:
    """Stored entries as what they say."""
    return [Recorded(each.index, each.time_ms, decode_entry(each.data)) for each in entries]


def finished(disk: MemoryDisk) -> tuple[set[str], set[str]]:
    """What is recorded as done: ids of executions, keys of steps (as hexadecimal text)."""
    ended = {key.id for key, row in disk.rows.items() if is_end(row.status)}
    steps: set[str] = set()
    for journal in disk.journals.values():
        for recorded in decoded(journal):
            if isinstance(recorded.entry, StepCompleted):
                steps.add(recorded.entry.key.hex())
    return ended, steps


__all__ = ["Found", "compared", "decoded", "finished", "read"]
