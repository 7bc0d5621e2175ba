"""Durable timers near enough to matter: loaded from the store by horizon, fired from a heap.

A million sleeping executions have a million rows in the store and a heap of those due within the
horizon. A timer in the heap may be cleared in the meantime: the decision that it triggers checks.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from perdure_coordinator.engine.clock import Clock
from perdure_runtime.core.rows import Timer, TimerKey
from perdure_runtime.storage import Store

LOAD_LIMIT: Final = 50_000


class Timers:
    """Fires due timers on the coordinator's clock, never early."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        horizon_ms: int,
        fire: Callable[[list[Timer]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._horizon_ms = horizon_ms
        self._fire = fire
        self._failed = failed
        self.sources: list[Callable[[int], Iterable[Timer]]] = []  # others that know due timers
        self._heap: list[tuple[int, int, TimerKey]] = []
        self._near: dict[TimerKey, Timer] = {}
        self._serial = count()
        self._loaded_to_ms = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin loading and firing."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="perdure-timers")

    async def stop(self) -> None:
        """Stop; tolerates never started and twice."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def set(self, timer: Timer) -> None:
        """A timer was set; kept here if it is due before the next load."""
        if timer.due_ms <= self._loaded_to_ms:
            self._add([timer])

    def clear(self, key: TimerKey) -> None:
        """A timer was cleared."""
        self._near.pop(key, None)

    def _add(self, timers: Iterable[Timer]) -> None:
        for timer in timers:
            key = TimerKey(timer.key, timer.kind, timer.path)
            if self._near.get(key) != timer:
                self._near[key] = timer
                heapq.heappush(self._heap, (timer.due_ms, next(self._serial), key))
                if self._heap[0][2] == key:
                    self._wake.set()

    async def _run(self) -> None:
        try:
            await self._fire_all()
        except Exception as error:
            self._failed(error)

    async def _fire_all(self) -> None:
        while True:
            now_ms = self._clock.now_ms()
            if now_ms + self._horizon_ms // 2 >= self._loaded_to_ms:
                await self._load(now_ms)
            due = self._due(self._clock.now_ms())
            if due:
                self._fire(due)
                await asyncio.sleep(0)
                continue
            next_ms = self._loaded_to_ms - self._horizon_ms // 2
            if self._heap:
                next_ms = min(next_ms, self._heap[0][0])
            self._wake.clear()
            await self._clock.wait(self._wake, next_ms)

    async def _load(self, now_ms: int) -> None:
        until_ms = now_ms + self._horizon_ms
        # Timers set while the query runs must not be missed: they count as near from now on.
        self._loaded_to_ms = until_ms
        timers = await self._store.timers_due(until_ms, LOAD_LIMIT)
        if len(timers) == LOAD_LIMIT:
            self._loaded_to_ms = max(now_ms, timers[-1].due_ms)
        for source in self.sources:
            self._add(source(self._loaded_to_ms))
        known = self._near.keys()
        self._add(t for t in timers if TimerKey(t.key, t.kind, t.path) not in known)

    def _due(self, now_ms: int) -> list[Timer]:
        due: list[Timer] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, key = heapq.heappop(self._heap)
            timer = self._near.get(key)
            if timer is not None and timer.due_ms == due_ms:
                del self._near[key]
                due.append(timer)
        return due
