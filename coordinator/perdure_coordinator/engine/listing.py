"""Rows by filter and journals by pages, as clients ask for them."""

from __future__ import annotations

from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core.client import ListRequest
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.limits import check_labels, check_name
from perdure_runtime.integrity import data_loss
from perdure_runtime.storage import Damaged, Filter, Page, StoredExecution


async def rows_of(shard: Shard, request: ListRequest, max_limit: int) -> Page:
    """One page, newest first, of everything decided so far.

    Raises:
        InvalidArgumentError: a bad name or cursor.
    """
    check_name("namespace", request.namespace)
    check_labels(request.labels)
    await shard.committer.flushed()
    parent = ExecutionKey(request.namespace, request.parent_id) if request.parent_id else None
    filter = Filter(
        request.namespace,
        request.statuses,
        request.service or None,
        request.method or None,
        parent,
        request.id_prefix or None,
        request.labels,
        request.task_statuses,
    )
    limit = min(max(1, request.limit), max_limit)
    return await shard.store.query(filter, limit, request.cursor)


async def load_page(shard: Shard, key: ExecutionKey, index: int) -> StoredExecution | None:
    """A page of a journal as it is on disk.

    Raises:
        DataLossError: it cannot be read.
    """
    config = shard.config
    try:
        return await shard.store.load(key, index, config.page_entries, config.page_bytes)
    except Damaged as error:
        raise data_loss(key, str(error)) from error
