"""Which events of a mailbox a run has consumed: the cursor, one per event id.

Every event of a coordinator has a sequence that only goes up. A wait takes the earliest event above
its lowest bound that is not consumed, so all of (bound, sequence] is consumed then, or not for this
run. The consumed events of one id are therefore a few disjoint intervals, in order, however many
events there were. Pure functions over values; they know no mailbox.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from perdure_runtime.core.payload import Payload

Intervals = tuple[tuple[int, int], ...]
"""Disjoint, ascending; each is (after, upto]: the sequences above `after`, `upto` included."""


class Consumed(Struct, frozen=True):
    """One interval of the consumed events of an id, as `ExecutionCreated` carries it."""

    event_id: str
    after: int
    upto: int


class OpenWait(Struct, frozen=True):
    """A wait without an event."""

    event_id: str
    since_start: bool = False


class OpenPromise(Struct, frozen=True):
    """A promise that nobody has settled."""

    name: str
    path: str
    attempt: int
    heartbeat_timeout_ms: int | None = None


class Event(Struct, frozen=True):
    """One event of a mailbox, as a delivery sees it. `execution_id` "" addresses everyone."""

    sequence: int
    payload: Payload
    execution_id: str = ""


def is_consumed(intervals: Intervals, sequence: int) -> bool:
    """Whether the event with this sequence is consumed."""
    return any(after < sequence <= upto for after, upto in intervals)


def consume(intervals: Intervals, after: int, upto: int) -> Intervals:
    """Add (after, upto]; intervals that touch become one."""
    kept: list[tuple[int, int]] = []
    for left, right in intervals:
        if right < after or upto < left:
            kept.append((left, right))
        else:
            after, upto = min(left, after), max(right, upto)
    kept.append((after, upto))
    return tuple(sorted(kept))


def give_back(intervals: Intervals, sequences: Iterable[int]) -> Intervals:
    """Take single sequences out again."""
    for sequence in sequences:
        left: list[tuple[int, int]] = []
        for after, upto in intervals:
            if not after < sequence <= upto:
                left.append((after, upto))
                continue
            left += [(a, u) for a, u in ((after, sequence - 1), (sequence, upto)) if a < u]
        intervals = tuple(left)
    return intervals


def first_after(intervals: Intervals, bound: int) -> int:
    """The bound, or the end of the interval that covers what follows it."""
    for after, upto in intervals:
        if after <= bound < upto:
            return upto
    return bound


def intervals_of(rows: Iterable[Consumed]) -> dict[str, Intervals]:
    """The cursors that an `ExecutionCreated` carries."""
    cursors: dict[str, Intervals] = {}
    for row in rows:
        cursors[row.event_id] = consume(cursors.get(row.event_id, ()), row.after, row.upto)
    return cursors
