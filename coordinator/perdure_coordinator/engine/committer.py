"""Group commit: everything decided while the last batch was written becomes the next one.

Batches grow with load by themselves: no timers, no tuning. One batch is one store transaction with
one sync; what it covers is released only afterwards, and in order (architecture, section 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from perdure_coordinator.engine.clock import Clock
from perdure_coordinator.engine.pending import Pending
from perdure_coordinator.engine.stats import Stats
from perdure_runtime.failpoints import failpoint
from perdure_runtime.storage import Store


class Committer:
    """Owns the batch in the making and the loop that writes it."""

    def __init__(
        self,
        store: Store,
        shard_epoch: int,
        clock: Clock,
        stats: Stats,
        limit_bytes: int,
        *,
        before: Callable[[], None],
        release: Callable[[Pending], None],
        failed: Callable[[Pending, BaseException], None],
    ) -> None:
        self._store = store
        self._shard_epoch = shard_epoch
        self._clock = clock
        self._stats = stats
        self._limit_bytes = limit_bytes
        self._before = before
        self._release = release
        self._failed = failed
        self.pending = Pending(shard_epoch, 1)
        self.committed = 0
        self._writing_bytes = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin committing."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="perdure-committer")

    def kick(self) -> None:
        """There is something to commit or to release."""
        self._wake.set()
        size_bytes = self.pending.size_bytes + self._writing_bytes
        if size_bytes > self._limit_bytes and self._room.is_set():
            self._room.clear()
        if size_bytes > self._stats.peak_pending_bytes:
            self._stats.peak_pending_bytes = size_bytes

    @property
    def congested(self) -> bool:
        """Whether more is waiting for the disk than the bound allows."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    async def flushed(self) -> None:
        """Wait until everything decided so far is on disk."""
        serial = self.pending.serial if not self.pending.empty else self.pending.serial - 1
        if serial <= self.committed:
            return
        future = asyncio.get_running_loop().create_future()
        self._flushes.append((serial, future))
        self.kick()
        await future

    async def stop(self) -> None:
        """Commit what is decided, then stop."""
        if self._task is None:
            return
        self._stopping = True
        self._wake.set()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._before()
            pending = self.pending
            if not pending.empty:
                self.pending = Pending(self._shard_epoch, pending.serial + 1)
                try:
                    await self._write(pending)
                except Exception as error:
                    self._flush(pending.serial, error)
                    self._failed(pending, error)
                    continue
                self.committed = pending.serial
                self._release(pending)
                self._flush(pending.serial, None)
                if not self.pending.empty:
                    self._wake.set()
            if self._stopping and self.pending.empty:
                return

    async def _write(self, pending: Pending) -> None:
        if not pending.has_writes:
            return
        self._writing_bytes = pending.size_bytes
        batch = pending.seal(self._clock.now_ms())
        failpoint("before-commit")
        try:
            await self._store.commit(batch)
        finally:
            self._writing_bytes = 0
            if self.pending.size_bytes <= self._limit_bytes:
                self._room.set()
        failpoint("after-commit-before-ack")
        self._stats.commits += 1
        self._stats.entries += len(batch.entries)

    def _flush(self, serial: int, error: BaseException | None) -> None:
        waiting, self._flushes = self._flushes, []
        for upto, future in waiting:
            if upto > serial and error is None:
                self._flushes.append((upto, future))
            elif not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)
