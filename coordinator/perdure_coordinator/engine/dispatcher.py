"""Which queued execution goes to which session: by priority, then first come, to the least busy.

The order holds over all methods, so that a long queue of one does not starve another. Queued
executions need not be in memory; a bounded number of those next in line is loaded at a time.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from itertools import count
from typing import Final

from perdure_coordinator.engine.sessions import Session, Sessions
from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import ExecutionKey

MethodKey = tuple[str, str, str]  # namespace, service, method
_Item = tuple[int, int, ExecutionKey]  # -priority, serial, key

LOADS_MAX: Final = 256


class Granted(Enum):
    """What became of an execution that a session was to get."""

    TAKEN = auto()
    GONE = auto()  # it does not want a worker any more
    LOADING = auto()  # it is not in memory; `loaded` follows


class Dispatcher:
    """Queues per method. It knows keys and sessions only; `grant` does the rest."""

    def __init__(
        self, sessions: Sessions, grant: Callable[[ExecutionKey, Session], Granted]
    ) -> None:
        self._sessions = sessions
        self._grant = grant
        self._queues: dict[MethodKey, list[_Item]] = {}
        self._queued: dict[ExecutionKey, int] = {}  # serial of the item that counts
        self._loading: dict[ExecutionKey, tuple[MethodKey, _Item]] = {}
        self._loaded: set[ExecutionKey] = set()
        self._serial = count()

    def enqueue(self, key: ExecutionKey, target: Target, priority: int) -> None:
        """The execution wants a worker. Twice is once."""
        if key in self._queued:
            return
        serial = self._queued[key] = next(self._serial)
        method = (key.namespace, target.service, target.method)
        heapq.heappush(self._queues.setdefault(method, []), (-priority, serial, key))

    def dequeue(self, key: ExecutionKey) -> None:
        """The execution does not want a worker any more."""
        self._queued.pop(key, None)
        self._loaded.discard(key)

    def loaded(self, key: ExecutionKey) -> None:
        """An execution is in memory now: it is next again, at its old place."""
        method, item = self._loading.pop(key)
        if self._queued.get(key) == item[1]:
            self._loaded.add(key)
            heapq.heappush(self._queues.setdefault(method, []), item)

    def wanted(self, key: ExecutionKey) -> bool:
        """Whether an execution was loaded for a worker that is about to get it."""
        return key in self._loaded

    def pump(self) -> None:
        """Hand out as much as free slots allow."""
        heads = [(queue[0], method) for method, queue in self._live_queues()]
        heapq.heapify(heads)
        offering = {method: self._sessions.offering(*method) for _, method in heads}
        loading = Counter(method for method, _ in self._loading.values())
        while heads and len(self._loading) < LOADS_MAX:
            _, method = heads[0]
            sessions = offering[method]
            # What is being loaded has its slot already: those behind it do not overtake it.
            if sum(map(_free_slots, sessions)) <= loading[method]:
                heapq.heappop(heads)
                continue
            session = max(sessions, key=_free_slots)
            queue = self._queues[method]
            item = heapq.heappop(queue)
            key = item[2]
            match self._grant(key, session):
                case Granted.LOADING:
                    self._loading[key] = method, item
                    loading[method] += 1
                case _:
                    self.dequeue(key)
            self._skip_gone(queue)
            if queue:
                heapq.heapreplace(heads, (queue[0], method))
            else:
                heapq.heappop(heads)

    def methods(self) -> list[MethodKey]:
        """The methods that executions are queued for."""
        return [method for method, _ in self._live_queues()]

    def queued(self, method: MethodKey) -> list[ExecutionKey]:
        """What is queued for a method."""
        queue = self._queues.get(method, ())
        return [key for _, serial, key in queue if self._queued.get(key) == serial]

    def _live_queues(self) -> list[tuple[MethodKey, list[_Item]]]:
        for method, queue in list(self._queues.items()):
            self._skip_gone(queue)
            if not queue:
                del self._queues[method]
        return list(self._queues.items())

    def _skip_gone(self, queue: list[_Item]) -> None:
        while queue and self._queued.get(queue[0][2]) != queue[0][1]:
            heapq.heappop(queue)


def _free_slots(session: Session) -> int:
    return session.free_slots
