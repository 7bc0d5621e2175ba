"""The queues of tasks: who is next, and who waits for one.

One heap per namespace, queue and type of worker, by priority and then by the order in which tasks
were queued first; that order is in their rows, so that it survives restarts. A claim looks at the
heads of a few heaps, however long they are. Tasks need not be in memory.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from perdure_runtime.core.client import ClaimRequest
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.core.tasks import ANYONE

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard


class Item(NamedTuple):
    """A queued task; sorts as tasks are handed out."""

    urgency: int  # the priority, turned round
    order: int
    key: ExecutionKey


class Claimant:
    """Somebody who waits for a task. `grant` gives it one; False: that one cannot be had.

    Attributes:
        is_loading: one was found for it, which is on its way into the memory.
    """

    def __init__(
        self, request: ClaimRequest, grant: Callable[[Execution], bool], done: asyncio.Future[None]
    ) -> None:
        self.request = request
        self.grant = grant
        self.done = done
        self.is_loading = False


class WorkQueues:
    """The queued tasks of one shard and the claimants of them."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._last_order = 0
        self._heaps: dict[tuple[str, str], dict[str, list[Item]]] = {}  # by type of worker
        self._queued: dict[ExecutionKey, Item] = {}
        self._claimants: dict[tuple[str, str], dict[Claimant, None]] = {}

    # --- tasks ---------------------------------------------------------------------------------

    def restore(self, row: ExecutionRow) -> None:
        """A task that an earlier coordinator left."""
        if row.task is not None:
            self._last_order = max(self._last_order, row.task.order)
            if row.status is Status.QUEUED:
                self._queued[row.key] = _item(row)
                self._heap(row).append(_item(row))

    def start(self) -> None:
        """All that were left are restored."""
        for heaps in self._heaps.values():
            for heap in heaps.values():
                heapq.heapify(heap)

    def enqueue(self, execution: Execution) -> None:
        """A task is queued: at its old place if it has one, else behind those of its priority."""
        row = execution.row
        assert row.task is not None
        if not row.task.order:
            self._last_order += 1
            row.task = replace(row.task, order=self._last_order)
            self._shard.pending.row(row)
        item = self._queued[row.key] = _item(row)
        heapq.heappush(self._heap(row), item)
        self._match((row.key.namespace, row.target.service))

    def dequeue(self, key: ExecutionKey) -> None:
        """A task is queued no longer."""
        self._queued.pop(key, None)

    @property
    def waiting(self) -> int:
        """How many tasks are queued."""
        return len(self._queued)

    # --- claimants -----------------------------------------------------------------------------

    def add(self, claimant: Claimant) -> None:
        """Somebody wants a task. Those who came first get one first."""
        request = claimant.request
        for queue in request.queues:
            self._claimants.setdefault((request.namespace, queue), {})[claimant] = None
        self._serve(claimant)

    def remove(self, claimant: Claimant) -> None:
        """Somebody has one, or has given up."""
        request = claimant.request
        for queue in request.queues:
            place = (request.namespace, queue)
            waiting = self._claimants.get(place)
            if waiting is not None:
                waiting.pop(claimant, None)
                if not waiting:
                    del self._claimants[place]

    def _match(self, place: tuple[str, str]) -> None:
        for claimant in list(self._claimants.get(place, ())):
            if not claimant.done.done() and self._serve(claimant):
                return

    def _serve(self, claimant: Claimant) -> bool:
        """Give a claimant the next task that it may have; False: there is none."""
        item = self._pop(claimant.request)
        if item is None:
            return False
        self.remove(claimant)
        claimant.is_loading = True
        self._shard.submit(
            item.key,
            partial(self._hand_over, claimant, item),
            lambda error: self._again(claimant),  # damaged: the next one, then
        )
        return True

    def _hand_over(self, claimant: Claimant, item: Item, execution: Execution | None) -> None:
        if execution is None or self._queued.get(item.key) != item:
            self._again(claimant)
        elif claimant.done.done():  # it gave up while the task was loaded
            heapq.heappush(self._heap(execution.row), item)
            self._match((item.key.namespace, execution.row.target.service))
        elif not claimant.grant(execution):
            self._again(claimant)

    def _again(self, claimant: Claimant) -> None:
        claimant.is_loading = False
        if not claimant.done.done():
            self.add(claimant)

    def _pop(self, request: ClaimRequest) -> Item | None:
        """The next task of all the queues that a worker of this type may have."""
        best: list[Item] | None = None
        for queue in request.queues:
            heaps = self._heaps.get((request.namespace, queue), {})
            types = ("", request.worker.type) if request.worker.type != ANYONE else tuple(heaps)
            for kind in types:
                heap = heaps.get(kind)
                if heap is None:
                    continue
                while heap and self._queued.get(heap[0].key) != heap[0]:
                    heapq.heappop(heap)
                if not heap:
                    del heaps[kind]
                elif best is None or heap[0] < best[0]:
                    best = heap
        return None if best is None else heapq.heappop(best)

    def _heap(self, row: ExecutionRow) -> list[Item]:
        assert row.task is not None
        heaps = self._heaps.setdefault((row.key.namespace, row.target.service), {})
        return heaps.setdefault(row.task.allowed, [])


def _item(row: ExecutionRow) -> Item:
    assert row.task is not None
    return Item(-row.priority, row.task.order, row.key)
