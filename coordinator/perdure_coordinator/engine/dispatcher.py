"""Which queued execution goes to which session: by priority, then first come, to the least busy."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from perdure_coordinator.engine.sessions import Session, Sessions
from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import ExecutionKey

MethodKey = tuple[str, str, str]  # namespace, service, method


class Dispatcher:
    """Queues per method. It knows keys and sessions only; `grant` does the rest."""

    def __init__(self, sessions: Sessions, grant: Callable[[ExecutionKey, Session], bool]) -> None:
        self._sessions = sessions
        self._grant = grant
        self._queues: dict[MethodKey, list[tuple[int, int, ExecutionKey]]] = {}
        self._queued: set[ExecutionKey] = set()
        self._serial = count()

    def enqueue(self, key: ExecutionKey, target: Target, priority: int) -> None:
        """The execution wants a worker. Twice is once."""
        if key in self._queued:
            return
        self._queued.add(key)
        queue = self._queues.setdefault((key.namespace, target.service, target.method), [])
        heapq.heappush(queue, (-priority, next(self._serial), key))

    def pump(self) -> None:
        """Hand out as much as free slots allow. `grant` says whether the execution was taken."""
        for method_key, queue in list(self._queues.items()):
            if not queue:
                del self._queues[method_key]
                continue
            sessions = self._sessions.offering(*method_key)
            while queue and sessions:
                session = max(sessions, key=lambda s: s.free_slots)
                if session.free_slots <= 0:
                    break
                _, _, key = heapq.heappop(queue)
                self._queued.discard(key)
                self._grant(key, session)

    def waiting(self) -> Iterator[tuple[MethodKey, list[ExecutionKey]]]:
        """What is queued, by method."""
        for method_key, queue in self._queues.items():
            if queue:
                yield method_key, [key for _, _, key in queue]

    def clear(self) -> None:
        """Forget everything (the engine reloads)."""
        self._queues.clear()
        self._queued.clear()
