"""What comes of a tree of nodes, told by walking through it: no engine, no time, no crashes.

Where the order of things decides, all outcomes that the rules allow are given, up to a number of
them. The effects are told too: which names must appear, which may, and what must be undone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from perdure.testing.simulator.interpreter import RETRIES
from perdure.testing.simulator.nodes import Node

MOST_OUTCOMES: Final = 2000
Outcome = tuple[bool, str]
"""Whether it succeeded, and its value as JSON or its message."""


@dataclass(slots=True)
class Prediction:
    """What a program may come to.

    Attributes:
        outcomes: all that are allowed; None: too many to tell.
        certain: names of effects that appear, whatever happens.
        possible: names of those that may appear.
        events: (seconds, event id, value, dedupe id): what the outside has to send.
        promises: name -> whether the outside lets it fail.
    """

    outcomes: frozenset[Outcome] | None = None
    certain: set[str] = field(default_factory=set)
    possible: set[str] = field(default_factory=set)
    events: list[tuple[int, str, Any, str | None]] = field(default_factory=list)
    promises: dict[str, bool] = field(default_factory=dict)

    def allows(self, succeeded: bool, told: Any) -> bool:
        """Whether this may be the outcome."""
        return self.outcomes is None or (succeeded, _json(told) if succeeded else told) in (
            self.outcomes
        )

    def __str__(self) -> str:
        if self.outcomes is None:
            return "anything"
        shown = sorted(self.outcomes)[:8]
        told = [("" if succeeded else "failure: ") + text for succeeded, text in shown]
        return " or ".join([*told, *(["..."] if len(self.outcomes) > len(shown) else [])])


def predict(root: Node, *, faults: bool = True, cancelled: bool = False) -> Prediction:
    """Predict a tree.

    Args:
        faults: whether anything may crash.
        cancelled: whether the outside cancels the execution at some time.
    """
    model = Model(faults)
    outcomes = model.outcomes(root, "", certain=not cancelled)
    told = model.prediction
    told.outcomes = outcomes
    told.possible -= told.certain
    told.events.sort(key=lambda event: event[0])
    return told


class Model:
    """Walks through a tree."""

    def __init__(self, faults: bool) -> None:
        self._faults = faults
        self.prediction = Prediction()

    def outcomes(self, node: Node, turn: str, certain: bool) -> frozenset[Outcome] | None:
        """What may come of a node.

        Args:
            turn: which turn of the loops around it this is.
            certain: whether it surely begins, and is not cut off.
        """
        told = getattr(self, f"_{node.kind.rstrip('_')}_outcomes")(node, turn, certain)
        return told if told is None or len(told) <= MOST_OUTCOMES else None

    def _effect(self, name: str, certain: bool) -> None:
        (self.prediction.certain if certain else self.prediction.possible).add(name)

    # --- leaves --------------------------------------------------------------------------------

    def _step_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        name = f"{node.label}{turn}"
        self._effect(name, certain)
        return _values(name)

    _sync_outcomes = _retried_outcomes = _step_outcomes

    def _failing_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        self._effect(f"{node.label}{turn}", certain)
        return _failures(f"{node.label}{turn} failed")

    def _once_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        name = f"{node.label}{turn}"
        self._effect(name, certain and not self._faults)
        interrupted = _failures(f"{name} interrupted") if self._faults else frozenset()
        return _values(name) | interrupted

    def _sleep_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return _values("slept")

    def _emit_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return _values("emitted")

    def _event_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        name = f"{node.label}{turn}"
        dedupe = f"dedupe {name}" if node.mode == "twice" else None
        for _ in range(2 if dedupe else 1):
            self.prediction.events.append((node.number, name, f"event {name}", dedupe))
        late = _values("timeout") if node.mode == "timeout" else frozenset()
        return _values(f"event {name}") | late

    def _inbox_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        name, each = f"{node.label}{turn}", 1 if node.mode == "late" else 0
        for number in range(node.number):
            self.prediction.events.append((each * (1 + number), name, number, None))
        return _values(list(range(node.number)))

    def _promise_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        name = f"{node.label}{turn}"
        if node.mode == "timeout":
            return _values("timeout")
        self.prediction.promises[name] = node.mode == "fails"
        return _failures(f"{name} broken") if node.mode == "fails" else _values(f"given {name}")

    def _append_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return _values("appended")

    def _read_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return _values("read")

    def _map_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        names = [f"{node.label}{turn}/{item}" for item in range(node.number)]
        for name in names:
            self._effect(name, certain)
        return _values(names)

    # --- one child -----------------------------------------------------------------------------

    def _timeout_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return _either(self.outcomes(node.children[0], turn, False), _values("timeout"))

    def _try_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        inner = self.outcomes(node.children[0], turn, certain)
        if inner is None:
            return None
        return frozenset(each if each[0] else (True, _json(["caught", each[1]])) for each in inner)

    def _finally_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        self._effect(f"{node.label}{turn}", certain)
        return self.outcomes(node.children[0], turn, certain)

    def _call_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return self.outcomes(node.children[0], turn, certain)

    _flow_outcomes = _call_outcomes

    def _send_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        self.outcomes(node.children[0], turn, certain)
        return _values("sent")

    def _give_up_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return _either(self.outcomes(node.children[0], turn, False), _values("given up"))

    def _attempts_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        inner = self.outcomes(node.children[0], turn, certain)
        if inner is None:
            return None
        succeeded, failed = _split(inner)
        first = node.number + 1
        last = RETRIES + 1 if failed else first
        return frozenset(failed) | frozenset(
            (True, _json([tries, json.loads(value)]))
            for tries in range(first, last + 1)
            for _, value in succeeded
        )

    def _turns_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        failed: frozenset[Outcome] = frozenset()
        succeeded: frozenset[Outcome] = frozenset()
        for number in range(1, node.number + 1):
            inner = self.outcomes(node.children[0], f"{turn}.{number}", certain)
            if inner is None:
                return None
            succeeded, failing = _split(inner)
            failed |= failing
            certain = certain and not failing
            if not succeeded:
                return failed
        return failed | succeeded

    # --- several children ----------------------------------------------------------------------

    def _sequence_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        inner: list[frozenset[Outcome]] = []
        failed: frozenset[Outcome] = frozenset()
        for child in node.children:
            outcomes = self.outcomes(child, turn, certain)
            if outcomes is None:
                return None
            succeeded, failing = _split(outcomes)
            failed |= failing
            certain = certain and not failing
            if not succeeded:
                return failed
            inner.append(succeeded)
        return _either(failed, _lists(inner))

    def _together(self, node: Node, turn: str, certain: bool) -> Any:
        """Children that run at once: the outcomes of each."""
        quiet = Model(self._faults)
        inner = [quiet.outcomes(child, turn, False) for child in node.children]
        safe = all(each is not None and not _split(each)[1] for each in inner)
        return [self.outcomes(child, turn, certain and safe) for child in node.children]

    def _gather_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        inner = self._together(node, turn, certain)
        if any(each is None for each in inner):
            return None
        failed = frozenset(each for outcomes in inner for each in _split(outcomes)[1])
        return _either(failed, _lists([_split(outcomes)[0] for outcomes in inner]))

    _group_outcomes = _spawn_outcomes = _gather_outcomes

    def _completed_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        outcomes = self._gather_outcomes(node, turn, certain)
        if outcomes is None:
            return None
        return frozenset(
            (True, _json(sorted(json.loads(text), key=json.dumps))) if succeeded else (False, text)
            for succeeded, text in outcomes
        )

    def _race_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return self._any_of(node, turn, lambda place, value: [place, value])

    def _first_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        return self._any_of(node, turn, lambda place, value: ["first", value])

    def _any_of(self, node: Node, turn: str, shown: Any) -> Any:
        allowed: set[Outcome] = set()
        inner = [self.outcomes(child, turn, False) for child in node.children]
        for place, outcomes in enumerate(inner):
            if outcomes is None:
                return None
            for succeeded, text in outcomes:
                value = _json(shown(place, json.loads(text))) if succeeded else text
                allowed.add((succeeded, value))
        return frozenset(allowed)

    def _saga_outcomes(self, node: Node, turn: str, certain: bool) -> Any:
        done: list[str] = []
        inner: list[frozenset[Outcome]] = []
        failed: frozenset[Outcome] = frozenset()
        goes_on = certain
        for child in node.children:
            outcomes = self.outcomes(child, turn, goes_on)
            if outcomes is None:
                self._undone(done, False)
                return None
            succeeded, failing = _split(outcomes)
            failed |= failing
            if not succeeded:
                self._undone(done, goes_on)
                return failed
            if failing:
                self._undone(done, False)
                goes_on = False
            if child.kind in ("step", "sync", "retried", "call"):
                done.append(f"undo {child.label}{turn}")
            inner.append(succeeded)
        if node.mode == "fails":
            self._undone(done, goes_on)
            return failed | _failures(f"{node.label}{turn} failed")
        self._undone(done, False)
        return _either(failed, _lists(inner))

    def _undone(self, names: Iterable[str], certain: bool) -> None:
        for name in names:
            self._effect(name, certain)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _values(*values: Any) -> frozenset[Outcome]:
    return frozenset((True, _json(value)) for value in values)


def _failures(*messages: str) -> frozenset[Outcome]:
    return frozenset((False, message) for message in messages)


def _split(outcomes: frozenset[Outcome]) -> tuple[frozenset[Outcome], frozenset[Outcome]]:
    succeeded = frozenset(each for each in outcomes if each[0])
    return succeeded, outcomes - succeeded


def _either(
    first: frozenset[Outcome] | None, second: frozenset[Outcome] | None
) -> frozenset[Outcome] | None:
    return None if first is None or second is None else first | second


def _lists(inner: Sequence[frozenset[Outcome]]) -> frozenset[Outcome] | None:
    """All lists with one of each."""
    count = 1
    for each in inner:
        count *= len(each)
    if count > MOST_OUTCOMES:
        return None
    return frozenset(_combined(inner))


def _combined(inner: Sequence[frozenset[Outcome]]) -> Iterator[Outcome]:
    for chosen in itertools.product(*[sorted(each) for each in inner]):
        yield True, f"[{', '.join(text for _, text in chosen)}]"
