"""What the parts of the store suite share: a store that is opened, owned and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from perdure_runtime.storage import ExecutionRow, Store, WriteBatch
from perdure_runtime.testing.store_samples import rows_of

Opening = Callable[[], Awaitable[Store]]


class Owner:
    """A store with the epoch that its commits carry."""

    def __init__(self, store: Store, epoch: int) -> None:
        self.store = store
        self.epoch = epoch

    async def commit(self, batch: WriteBatch) -> None:
        """Commit with this owner's epoch."""
        batch.shard_epoch = self.epoch
        await self.store.commit(batch)

    async def put(self, *rows: ExecutionRow) -> None:
        """Commit rows alone."""
        await self.commit(WriteBatch(shard_epoch=0, rows=rows_of(*rows)))


@asynccontextmanager
async def owning(opening: Opening) -> AsyncIterator[Owner]:
    """Open, acquire, close."""
    store = await opening()
    try:
        yield Owner(store, (await store.acquire("test")).epoch)
    finally:
        await store.close()
