"""Durable objects: who may run, who waits, and who would wait for ever (semantics, section 6).

Exclusive methods of one object stand in its lane, first come, first served; the head of a lane is
the only one that a worker may get, and it stays the head through all attempts until it has ended.
`Lanes` is the order in memory; the rows' `lane_order` is the same order on disk. An object that
nobody uses has no lane. Knows nothing of states, dispatch or disk.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct

from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.rows import ExecutionRow

OBJECT: Final = "object"
"""Kind of an object's methods; in a row: the attempt is of an exclusive one."""

SHARED: Final = "shared"
"""In a row: the attempt is of a method that only reads, and stands in no lane."""


def class_of(method: str) -> str:
    """The class of an object method "Class.method"; "" for other names."""
    return method.rpartition(".")[0]


def object_of(namespace: str, target: Target) -> ObjectKey | None:
    """The object that a target names; None: it names none."""
    class_name = class_of(target.method)
    return ObjectKey(namespace, class_name, target.key) if target.key and class_name else None


def is_exclusive(target: Target, spec: MethodSpec | None) -> bool:
    """Whether a call of the target has to stand in a lane.

    Args:
        spec: what is registered; None: not known yet. A method that nobody knows is taken for an
            exclusive one, until a worker comes that has it.
    """
    if not target.key or not class_of(target.method):
        return False
    return spec is None or (spec.kind == OBJECT and not spec.shared)


def chain_of(row: ExecutionRow) -> tuple[str, ...]:
    """The objects that are held while somebody awaits a call of this execution."""
    own = object_of(row.key.namespace, row.target) if row.kind == OBJECT else None
    if own is None or own.name() in row.held_objects:
        return row.held_objects
    return (*row.held_objects, own.name())


def reentrancy(target: Target, spec: MethodSpec | None, held: tuple[str, ...]) -> Failure | None:
    """The failure of a call that comes back to an object which its own callers hold."""
    if not held or not is_exclusive(target, spec):
        return None
    name = ObjectKey("", class_of(target.method), target.key).name()
    if name not in held:
        return None
    chain = " -> ".join((*held, name))
    message = (
        f"{target.name()} is called by a chain of calls that already holds object {name} ({chain}):"
        " it would wait for itself; send it, or call a shared method"
    )
    return Failure("ReentrancyError", message, FailureCode.REENTRANCY, retryable=False)


class Place(Struct, eq=False):
    """One execution in a lane. `held` is held by those who await it."""

    key: ExecutionKey
    lane: ObjectKey
    order: int
    target: Target
    priority: int = 0
    held: tuple[str, ...] = ()
    doomed: bool = False  # is about to end as the victim of a deadlock
    before: Place | None = None
    behind: Place | None = None


class Lanes:
    """The lanes of one shard: only those in which somebody stands."""

    def __init__(self) -> None:
        self._places: dict[ExecutionKey, Place] = {}
        self._heads: dict[ObjectKey, Place] = {}
        self._tails: dict[ObjectKey, Place] = {}
        # Who waits for some lane while an object (of a namespace) is held for it.
        self._waiting: dict[tuple[str, str], dict[ExecutionKey, Place]] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, key: ExecutionKey) -> Place | None:
        """Where an execution stands."""
        return self._places.get(key)

    def head(self, lane: ObjectKey) -> Place | None:
        """Who holds the object, or is next to."""
        return self._heads.get(lane)

    def is_head(self, key: ExecutionKey) -> bool:
        """Whether a worker may get it."""
        place = self._places.get(key)
        return place is not None and place.before is None

    def enter(self, place: Place) -> bool:
        """Stand at the end of the lane; returns whether that is its head."""
        self._places[place.key] = place
        last = self._tails.get(place.lane)
        self._tails[place.lane] = place
        if last is None:
            self._heads[place.lane] = place
            return True
        last.behind, place.before = place, last
        for name in place.held:
            self._waiting.setdefault((place.lane.namespace, name), {})[place.key] = place
        return False

    def leave(self, key: ExecutionKey) -> Place | None:
        """Give the place up; returns who became the head of the lane by it."""
        place = self._places.pop(key, None)
        if place is None:
            return None
        before, behind, lane = place.before, place.behind, place.lane
        place.before = place.behind = None
        if behind is None:
            if before is None:
                del self._tails[lane]
            else:
                self._tails[lane] = before
        else:
            behind.before = before
        if before is not None:
            before.behind = behind
            self._waits_no_more(place)
            return None
        # Who still waits in the name of the one that left keeps nobody from this object any more.
        self._waiting.pop((lane.namespace, lane.name()), None)
        if behind is None:
            del self._heads[lane]
            return None
        self._heads[lane] = behind
        self._waits_no_more(behind)
        return behind

    def deadlock(self, place: Place) -> Place | None:
        """Whom to end, so that the one in `place` does not wait for ever; None: no cycle.

        An object is kept by every call that waits, in another lane, in the name of its holder. If
        that leads from the lane in which `place` waits to an object held for `place`, nobody in
        the cycle can go on; the youngest call of it is to go.
        """
        if place.before is None or place.doomed:
            return None
        namespace, start = place.lane.namespace, place.lane.name()
        goals = set(place.held)
        came: dict[str, tuple[str, Place] | None] = {start: None}
        reached = deque([start])
        while reached:
            name = reached.popleft()
            if name in goals:
                return max([place, *_way(came, name)], key=lambda other: other.order)
            for waiting in self._waiting.get((namespace, name), {}).values():
                onward = waiting.lane.name()
                if onward not in came and not waiting.doomed:
                    came[onward] = name, waiting
                    reached.append(onward)
        return None

    def _waits_no_more(self, place: Place) -> None:
        for name in place.held:
            waiting = self._waiting.get((place.lane.namespace, name))
            if waiting is not None:
                waiting.pop(place.key, None)
                if not waiting:
                    del self._waiting[place.lane.namespace, name]


def _way(came: dict[str, tuple[str, Place] | None], name: str) -> list[Place]:
    way: list[Place] = []
    step = came[name]
    while step is not None:
        way.append(step[1])
        step = came[step[0]]
    return way


def deadlock_failure(place: Place, holder: ExecutionKey) -> Failure:
    """What the victim of a deadlock ends with: it never ran, so its caller may try again."""
    held = ", ".join(place.held)
    message = (
        f"{place.target.name()} waits for object {place.lane.name()}, held by execution "
        f"{holder.id!r}, which waits for what is held here ({held}): the youngest call of the "
        "cycle gives way; try again, or take objects in one order everywhere"
    )
    return Failure("DeadlockError", message, FailureCode.DEADLOCK)
