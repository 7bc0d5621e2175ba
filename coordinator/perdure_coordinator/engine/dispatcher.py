"""Which queued execution goes to which session: by priority, then first come, to the least busy.

The order holds over all methods, so that a long queue of one does not starve another, and neither
does one that waits for a place (`places`). Queued
executions need not be in memory; a bounded number of those next in line is loaded at a time.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from typing import Final

from perdure_coordinator.engine.places import MethodKey, Places
from perdure_coordinator.engine.sessions import Session, Sessions
from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import ExecutionKey

_Queue = tuple[MethodKey, bool]  # those that have to get a place first wait by themselves
_Item = tuple[int, int, ExecutionKey]  # -priority, serial, key

LOADS_MAX: Final = 256


class Granted(Enum):
    """What became of an execution that a session was to get."""

    TAKEN = auto()
    GONE = auto()  # it does not want a worker any more
    LOADING = auto()  # it is not in memory; `loaded` follows
    LATER = auto()  # it waits for a slot of a worker of its own build


@dataclass(slots=True)
class _Choosy:
    """A queued execution that not every session may get."""

    method: MethodKey
    item: _Item
    alone: bool
    session_id: str = ""


class Dispatcher:
    """Queues per method. It knows keys and sessions only; `grant` does the rest."""

    def __init__(
        self,
        sessions: Sessions,
        grant: Callable[[ExecutionKey, Session], Granted],
        places: Places,
    ) -> None:
        self._sessions = sessions
        self._places = places
        self._grant = grant
        self._queues: dict[_Queue, list[_Item]] = {}
        self._queued: dict[ExecutionKey, int] = {}  # serial of the item that counts
        self._loading: dict[ExecutionKey, tuple[MethodKey, _Item]] = {}
        self._loaded: set[ExecutionKey] = set()
        self._serial = count()
        self._reserved: list[Session] = []
        self._wishes: dict[ExecutionKey, str] = {}
        self._choosy: dict[ExecutionKey, _Choosy] = {}  # queued, but not for just any session

    @property
    def waiting(self) -> int:
        """How many executions want a worker."""
        return len(self._queued)

    def enqueue(
        self, key: ExecutionKey, target: Target, priority: int, *, alone: bool = False
    ) -> None:
        """The execution wants a worker. Twice is once.

        Args:
            alone: nothing else may run in that worker at the time: it has killed some.
        """
        if key in self._queued:
            return
        serial = self._queued[key] = next(self._serial)
        method = (key.namespace, target.service, target.method)
        item = (-priority, serial, key)
        session_id = self._wishes.pop(key, "")
        if alone or session_id:
            self._choosy[key] = _Choosy(method, item, alone, session_id)
        else:
            self._push(method, item)

    def prefer(self, key: ExecutionKey, session_id: str) -> None:
        """When it is queued next, an execution is for this session, as long as that is there."""
        self._wishes[key] = session_id

    def dequeue(self, key: ExecutionKey) -> None:
        """The execution does not want a worker any more."""
        self._queued.pop(key, None)
        self._loaded.discard(key)
        self._choosy.pop(key, None)

    def loaded(self, key: ExecutionKey) -> None:
        """An execution is in memory now: it is next again, at its old place."""
        method, item = self._loading.pop(key)
        if self._queued.get(key) == item[1]:
            self._loaded.add(key)
            if key in self._choosy:
                return
            self._push(method, item)

    def sort_anew(self, method: MethodKey) -> None:
        """The limits of a method have changed: who has to get a place first, and who not."""
        items = [*self._queues.pop((method, False), ()), *self._queues.pop((method, True), ())]
        for item in items:
            self._push(method, item)

    def wanted(self, key: ExecutionKey) -> bool:
        """Whether an execution was loaded for a worker that is about to get it."""
        return key in self._loaded

    def pump(self) -> None:
        """Hand out as much as free slots allow."""
        if self._choosy or self._reserved:
            self._pump_choosy()
        heads = [(queue[0], name) for name, queue in self._live_queues()]
        heapq.heapify(heads)
        offering = {method: self._sessions.offering(*method) for _, (method, _) in heads}
        loading = Counter(method for method, _ in self._loading.values())
        later: list[tuple[MethodKey, _Item]] = []
        while heads and len(self._loading) < LOADS_MAX:
            _, name = heads[0]
            method, seeks_place = name
            sessions = offering[method]
            if seeks_place and not self._places.admits(method, loading[method]):
                heapq.heappop(heads)  # the others go on
                continue
            # What is being loaded has its slot already: those behind it do not overtake it.
            if sum(map(_free_slots, sessions)) <= loading[method]:
                heapq.heappop(heads)
                continue
            session = max(sessions, key=_free_slots)
            queue = self._queues[name]
            item = heapq.heappop(queue)
            key = item[2]
            match self._grant(key, session):
                case Granted.LOADING:
                    self._loading[key] = method, item
                    loading[method] += 1
                case Granted.LATER:
                    later.append((method, item))
                case _:
                    self.dequeue(key)
            self._skip_gone(queue)
            if queue:
                heapq.heapreplace(heads, (queue[0], name))
            else:
                heapq.heappop(heads)
        for method, item in later:
            self._push(method, item)

    def _push(self, method: MethodKey, item: _Item) -> None:
        name = (method, self._places.seeks(method, item[2]))
        heapq.heappush(self._queues.setdefault(name, []), item)

    def _pump_choosy(self) -> None:
        """Those that want a certain session, or one for themselves, come first."""
        for session in self._reserved:
            if session.reserved_for not in self._choosy:
                session.reserved_for = None
        self._reserved = [s for s in self._reserved if s.reserved_for is not None]
        waiting = sorted(self._choosy.items(), key=lambda entry: entry[1].item)
        for key, choosy in waiting:
            if key not in self._loading:
                self._place(key, choosy)

    def _place(self, key: ExecutionKey, choosy: _Choosy) -> None:
        preferred = self._sessions.by_id.get(choosy.session_id)
        if preferred is not None and preferred.free_slots <= 0 and not choosy.alone:
            return
        offering = self._sessions.offering(*choosy.method)
        wanted = [session for session in offering if session.id == choosy.session_id]
        if choosy.session_id and not wanted:
            choosy.session_id = ""  # it has gone: any other will do
        if not choosy.session_id and not choosy.alone:
            del self._choosy[key]
            self._push(choosy.method, choosy.item)
            return
        if self._places.seeks(choosy.method, key) and not self._places.admits(choosy.method):
            return
        candidates = wanted or offering
        if choosy.alone:
            ready = [session for session in candidates if session.may_run_alone(key)]
        else:
            ready = [session for session in candidates if session.free_slots > 0]
        if ready:
            self._hand_over(key, choosy, ready[0])
        elif choosy.alone and not any(s.reserved_for == key for s in self._reserved):
            free = [s for s in candidates if s.connected and s.reserved_for is None]
            if free:  # it takes nothing more, so that it is empty one day
                session = min(free, key=lambda s: len(s.active))
                session.reserved_for = key
                self._reserved.append(session)

    def _hand_over(self, key: ExecutionKey, choosy: _Choosy, session: Session) -> None:
        granted = self._grant(key, session)
        if granted is Granted.LOADING:
            self._loading[key] = choosy.method, choosy.item
            return
        if session.reserved_for == key:
            session.reserved_for = None
        if granted is Granted.TAKEN and choosy.alone:
            session.alone_epoch = max(session.active, default=0)
        self.dequeue(key)

    def methods(self) -> list[MethodKey]:
        """The methods that executions are queued for."""
        choosy = {choosy.method for choosy in self._choosy.values()}
        return list(choosy.union(method for (method, _), _ in self._live_queues()))

    def queued(self, method: MethodKey) -> list[ExecutionKey]:
        """What is queued for a method."""
        items = [*self._queues.get((method, False), ()), *self._queues.get((method, True), ())]
        items += [choosy.item for choosy in self._choosy.values() if choosy.method == method]
        return [key for _, serial, key in items if self._queued.get(key) == serial]

    def _live_queues(self) -> list[tuple[_Queue, list[_Item]]]:
        for name, queue in list(self._queues.items()):
            self._skip_gone(queue)
            if not queue:
                del self._queues[name]
        return list(self._queues.items())

    def _skip_gone(self, queue: list[_Item]) -> None:
        while queue and self._queued.get(queue[0][2]) != queue[0][1]:
            heapq.heappop(queue)


def _free_slots(session: Session) -> int:
    return session.free_slots
