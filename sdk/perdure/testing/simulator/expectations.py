"""What must hold after a run of a random program: outcome, effects, keys and objects.

The journals alone are looked at by `journals`; here they are compared with the prediction and with
the witness.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from perdure.testing.simulator.journals import journal_violations, outcome
from perdure.testing.simulator.linearizability import Operation, Undecided, explained
from perdure.testing.simulator.model import Prediction
from perdure.testing.simulator.nodes import Node
from perdure_runtime.core.entries import CallIssued, ExecutionCreated, Recorded
from perdure_runtime.core.lifecycle import Status

if TYPE_CHECKING:
    from perdure.testing.simulator.program import Run

ONCE = ("step", "sync", "once", "map", "finally")


def violations(
    expected: Prediction, root: Node, run: Run, cancel_s: float | None = None
) -> list[str]:
    """All violations of a run of a random program; [] when everything is as it must be."""
    if run.error is not None:
        return [f"the outside met {type(run.error).__name__}: {run.error}", *_stuck(run)]
    return [
        *_outcome(expected, run, cancel_s),
        *journal_violations(run),
        *_effects(expected, run),
        *_repeated(expected, root, run),
        *_keys(run),
        *object_violations(run.journals),
    ]


def _stuck(run: Run) -> Iterator[str]:
    for id, row in run.rows.items():
        yield f"{id}: {row.target.method} is {row.status} ({row.detail or row.error})"


def _outcome(expected: Prediction, run: Run, cancel_s: float | None) -> Iterator[str]:
    status, told = run.result
    if status == "cancelled" and cancel_s is not None:
        return
    if status not in ("completed", "failed") or not expected.allows(status == "completed", told):
        yield f"it {status} with {told!r}, not with {expected}"


# --- effects ---------------------------------------------------------------------------------


def _names(run: Run) -> Counter[str]:
    return Counter(
        {name: count for name, count in run.witness.counts.items() if not _is_token(name)}
    )


def _is_token(name: str) -> bool:
    return name.startswith("token ")


def _effects(expected: Prediction, run: Run) -> Iterator[str]:
    """What must appear has appeared, and nothing else."""
    seen = set(_names(run))
    for name in sorted(expected.certain - seen):
        yield f"{name} had no effect"
    for name in sorted(seen - expected.certain - expected.possible):
        yield f"{name} had an effect, which nothing asked for"


def _repeated(expected: Prediction, root: Node, run: Run) -> Iterator[str]:
    """Steps repeat their effect only after a fault; those that run at most once, never."""
    kinds = {node.label: node for node in root.walk()}
    counts: Counter[tuple[str, str]] = Counter(
        (effect.name, effect.key or "") for effect in run.witness.log if not _is_token(effect.name)
    )
    for (name, _), count in counts.items():
        label = name.removeprefix("undo ").split(".")[0].split("/")[0]
        node = kinds[label]
        if node.kind == "once" and count > 1:
            yield f"{name} ran {count} times, at most once is allowed"
        if run.faults or name not in expected.certain:
            continue
        most = node.number + 1 if node.kind == "retried" and not name.startswith("undo") else 1
        if node.kind in (*ONCE, "retried") and count > most:
            yield f"{name} ran {count} times without a fault"


def _keys(run: Run) -> Iterator[str]:
    """One key per logical operation, and never one for two."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    names: defaultdict[str, set[str]] = defaultdict(set)
    for effect in run.witness.log:
        if effect.key and not _is_token(effect.name):
            key = effect.key.split("@")[0]
            keys[effect.name].add(key)
            names[key].add(effect.name)
    for key, sharing in names.items():
        if len(sharing) > 1:
            yield f"{', '.join(sorted(sharing))} share the key {key}"
    if any(name.startswith("undo ") for name in keys):
        return  # what was undone is done anew under another key
    for name, different in keys.items():
        if len(different) > 1:
            yield f"{name} had {len(different)} keys: {', '.join(sorted(different))}"


# --- objects ---------------------------------------------------------------------------------


def object_violations(journals: Mapping[str, Sequence[Recorded]]) -> Iterator[str]:
    """P6: every history of `Lines` can be explained by one order of its methods."""
    histories: defaultdict[str, list[Operation]] = defaultdict(list)
    calls = _calls(journals)
    for id, journal in journals.items():
        created = journal[0].entry if journal else None
        if isinstance(created, ExecutionCreated) and created.target.method.startswith("Lines."):
            histories[created.target.key] += _operations(id, journal, created, calls)
    for key, history in histories.items():
        try:
            if not explained(history, (), _apply):
                shown = "; ".join(f"{each.did} gave {each.result}" for each in history)
                yield f"{key}: no order of its methods explains {shown}"
        except Undecided:
            continue
        yield from _together(key, history)


def _calls(journals: Mapping[str, Sequence[Recorded]]) -> dict[str, tuple[str, int]]:
    """Of each child: who sent it and where in the sender's journal."""
    return {
        recorded.entry.child_id: (id, recorded.index)
        for id, journal in journals.items()
        for recorded in journal
        if isinstance(recorded.entry, CallIssued)
    }


def _operations(
    id: str,
    journal: Sequence[Recorded],
    created: ExecutionCreated,
    calls: Mapping[str, tuple[str, int]],
) -> Iterator[Operation]:
    end = outcome(journal)
    completed = end is not None and end.status is Status.COMPLETED
    begin_ms, end_ms = journal[0].time_ms, journal[-1].time_ms
    result: Any = None
    if end is not None and end.result is not None:
        result = tuple(msgspec.json.decode(end.result.data))
    if created.target.method == "Lines.read":
        if completed:
            yield Operation(("read",), result, begin_ms, end_ms)
        return
    sender, number = calls.get(id, ("", 0))
    if msgspec.json.decode(created.input.data) == "stumble":
        half = Operation(("half", f"{id}?"), None, begin_ms, end_ms, completed, sender, 2 * number)
        yield half
    did = ("append", id)
    yield Operation(did, result, begin_ms, end_ms, completed, sender, 2 * number + 1)


def _apply(state: Any, did: Any) -> tuple[Any, Any]:
    match did:
        case ("read",):
            return state, state
        case ("half", line):
            return (*state, line), None
        case (_, line):
            return (*state, line), (*state, line)
    raise AssertionError(did)


def _together(key: str, history: Sequence[Operation]) -> Iterator[str]:
    """The lock is held through the back-off: nothing comes between the attempts of a method."""
    longest: tuple[str, ...] = max((each.result or () for each in history), key=len, default=())
    for place, line in enumerate(longest[:-1]):
        other = longest[place + 1]
        if line.endswith("?") and other != line[:-1] and line[:-1] in longest:
            yield f"{key}: {other} came between the attempts of {line[:-1]}"
