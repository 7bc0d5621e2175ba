"""Group commit: everything decided while the last batch was written becomes the next one.

Batches grow with load by themselves: no timers, no tuning. One batch is one store transaction with
one sync; what it covers is released only afterwards, and in order (architecture, section 3).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from perdure_coordinator.engine.clock import Clock
from perdure_coordinator.engine.pending import Pending
from perdure_coordinator.engine.stats import Stats
from perdure_runtime.core.errors import CoordinatorUnavailableError
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
        failed: Callable[[BaseException], None],
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
        self._error: BaseException | None = None

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
    def pending_bytes(self) -> int:
        """What waits for the disk."""
        return self.pending.size_bytes + self._writing_bytes

    @property
    def congested(self) -> bool:
        """Whether more is waiting for the disk than the bound allows."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    async def flushed(self) -> None:
        """Wait until everything decided so far is on disk.

        Raises:
            CoordinatorUnavailableError: the committer has ended; whether it was written, only the
                next owner of the store knows.
        """
        if self._error is not None:
            raise self._error
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

    async def abandon(self, error: BaseException) -> None:
        """Stop without writing; who waits for a commit gets the error. Nothing follows."""
        self._error = error
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        flushes, self._flushes = self._flushes, []
        for _, future in flushes:
            if not future.done():
                future.set_exception(error)
        self._room.set()

    async def _run(self) -> None:
        try:
            await self._commit_all()
        except Exception as error:
            # The memory is ahead of the disk: what was decided is dropped, nothing more is written.
            self._error = unavailable(error)
            self._failed(error)

    async def _commit_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._before()
            pending = self.pending
            if not pending.empty:
                self.pending = Pending(self._shard_epoch, pending.serial + 1)
                await self._write(pending)
                self.committed = pending.serial
                self._release(pending)
                self._flush(pending.serial)
                failpoint("before-dispatch")
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
        began_s = time.perf_counter()
        try:
            await self._store.commit(batch)
        finally:
            self._writing_bytes = 0
            if self.pending.size_bytes <= self._limit_bytes:
                self._room.set()
        failpoint("after-commit-before-ack")
        stats = self._stats
        stats.commits += 1
        stats.entries += len(batch.entries)
        stats.commit_entries.observe(len(batch.entries))
        stats.commit_seconds.observe(time.perf_counter() - began_s)

    def _flush(self, serial: int) -> None:
        waiting, self._flushes = self._flushes, []
        for upto, future in waiting:
            if upto > serial:
                self._flushes.append((upto, future))
            elif not future.done():
                future.set_result(None)


def unavailable(error: BaseException) -> CoordinatorUnavailableError:
    """What those are told who wait for a coordinator that ended: to ask the next one."""
    if isinstance(error, CoordinatorUnavailableError):
        return error
    told = CoordinatorUnavailableError(f"the coordinator could not go on: {error}")
    told.__cause__ = error
    return told
