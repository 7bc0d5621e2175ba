"""Retention: executions that ended long ago are deleted, in slices, off the commit path.

What goes: row, journal and timers of finished executions, methods of objects included; never the
states of objects, nor what has not ended - of an execution that continues as new, the runs
before the last two. A slice is one short store transaction; commits run between two. Databases
reuse the space: the file grows to what the retention holds and stays there.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from perdure_coordinator.engine.deleting import SLICE, erase, take_out
from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core.errors import CoordinatorUnavailableError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.storage import StoreError

_LOG = logging.getLogger("perdure.coordinator")
PAUSE_S: Final = 0.01  # between two slices: others get the store
TRIM_SLICE: Final = 1_000  # entries of former runs in one transaction


class Retention:
    """Sweeps now and then. A retention of 0 keeps everything for ever."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin sweeping."""
        if self._shard.config.retention_ms > 0:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="perdure-retention")

    async def stop(self) -> None:
        """Stop; tolerates never started and twice. What was taken out of the memory stays on disk
        if its slice had not begun."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                swept = await self.sweep() + await self.trim()
            except (CoordinatorUnavailableError, StoreError) as error:
                swept = 0
                _LOG.warning("retention could not delete, it is tried again: %s", error)
            await asyncio.sleep(PAUSE_S if swept else self._shard.config.sweep_ms / 1000)

    async def sweep(self) -> int:
        """Delete one slice of what is too old; returns of how many executions."""
        shard = self._shard
        until_ms = shard.clock.now_ms() - shard.config.retention_ms
        taken: list[ExecutionKey] = []
        unknown: list[ExecutionKey] = []
        for key in await shard.store.ended_before(until_ms, SLICE):
            execution = shard.executions.get(key)
            if execution is not None:
                if _is_old(execution.row, until_ms):  # it may have been retried since the query
                    take_out(shard, execution)
                    taken.append(key)
            elif key not in shard.quarantine and not shard.loader.is_loading(key):
                shard.loader.hold(key)
                unknown.append(key)
        taken += await self._still_old(unknown, until_ms)
        if taken:
            await erase(shard, dict.fromkeys(taken))
            shard.stats.deleted += len(taken)
        return len(taken)

    async def trim(self) -> int:
        """Remove one slice of a journal's former runs; returns of how many entries.

        What was to be trimmed is known in memory alone: after a crash the next end of a run says it
        again.
        """
        shard = self._shard
        if not shard.runs_over:
            return 0
        key, before = shard.runs_over.popitem()
        await shard.committer.flushed()  # the new run is on disk before the old one leaves it
        trimmed = await shard.store.trim(key, before, TRIM_SLICE)
        if trimmed == TRIM_SLICE:
            shard.runs_over.setdefault(key, before)
        return trimmed

    async def _still_old(self, held: list[ExecutionKey], until_ms: int) -> list[ExecutionKey]:
        """Those that nobody changed between the query and the moment from which they are held."""
        if not held:
            return []
        old: list[ExecutionKey] = []
        try:
            rows = await self._shard.store.load_rows(held)
            old = [key for key in held if key in rows and _is_old(rows[key], until_ms)]
        finally:
            for key in set(held).difference(old):
                self._shard.loader.let_go(key)
        return old


def _is_old(row: ExecutionRow, until_ms: int) -> bool:
    return is_end(row.status) and row.ended_ms <= until_ms and not row.damage
