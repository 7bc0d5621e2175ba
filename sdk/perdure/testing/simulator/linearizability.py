"""A checker of object histories: is there one order of the methods that explains all results?

Each method takes effect at one point between its beginning and its end, exclusive methods of one
sender in the order in which they were sent, and readers see a committed state (semantics, 6). The
search is the classic one (Wing and Gong): try every method that may come next, remember which
sets of done methods led nowhere in which state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

State = Hashable
Apply = Callable[[State, Any], tuple[State, Any]]
"""The sequential object: (state, what is done) -> (new state, result)."""

MOST_STEPS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Operation:
    """One method call.

    Args:
        did: what it does, for `Apply`.
        result: what it gave; not looked at if it is not `completed`.
        begin_ms, end_ms: it took effect between these.
        completed: False: it was cancelled or failed, and may have had its effect or not.
        sender: methods of one sender take effect in the order of `number`; "" for no order.
        number: see `sender`.
    """

    did: Any
    result: Any
    begin_ms: int
    end_ms: int
    completed: bool = True
    sender: str = ""
    number: int = 0


class Undecided(Exception):
    """The history is too long to be decided."""


def explained(
    operations: Sequence[Operation], start: State, apply: Apply, final: State | None = None
) -> bool:
    """Whether one order of the operations gives all their results, and the final state if given.

    Raises:
        Undecided: after 200,000 steps of the search.
    """
    places = range(len(operations))
    before = [_before(operations, place) for place in places]
    after = [_mask(other for other in places if before[other] >> place & 1) for place in places]
    needed = _mask(place for place, each in enumerate(operations) if each.completed)
    known: set[tuple[int, State]] = set()
    pending: list[tuple[int, State]] = [(0, start)]
    while pending:
        done, state = pending.pop()
        if (done, state) in known:
            continue
        known.add((done, state))
        if len(known) > MOST_STEPS:
            raise Undecided(f"{len(operations)} operations")
        if done & needed == needed and (final is None or state == final):
            return True
        for place, operation in enumerate(operations):
            if done >> place & 1 or before[place] & ~done & needed or after[place] & done:
                continue
            reached, result = apply(state, operation.did)
            if not operation.completed or result == operation.result:
                pending.append((done | 1 << place, reached))
    return False


def _before(operations: Sequence[Operation], place: int) -> int:
    """Those that come before one: ended before it began, or sent before it by its sender."""
    this = operations[place]
    return _mask(
        other
        for other, each in enumerate(operations)
        if other != place
        and (
            each.end_ms < this.begin_ms
            or (this.sender and each.sender == this.sender and each.number < this.number)
        )
    )


def _mask(places: Iterable[int]) -> int:
    mask = 0
    for place in places:
        mask |= 1 << place
    return mask
