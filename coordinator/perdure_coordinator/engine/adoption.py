"""What a reconnecting worker holds, compared with what is on disk.

A worker knows only what was acknowledged. Entries that it has and the disk has not, or has others
in their place of, are lost: the file is an older copy, or the disk did not keep what was synced.
"""

from __future__ import annotations

from collections.abc import Sequence

from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import Cached
from perdure_runtime.integrity import JournalCheck
from perdure_runtime.storage import Damaged, Store, StoredEntry


async def lost(shard: Shard, execution: Execution, cached: Cached) -> str:
    """What the worker knows and the disk does not; "" if nothing is lost. All is on disk."""
    row = execution.row
    if not cached.last_time_ms or cached.first_time_ms < row.created_ms:
        return ""  # it does not say, or held an earlier execution of this id that was deleted
    if cached.run > row.run:
        return f"a worker knows its run {cached.run}, the database only run {row.run}"
    if cached.last_index >= execution.length:
        return (
            f"a worker knows its entry {cached.last_index}, the database has {execution.length} "
            "entries: it is older than that"
        )
    try:
        stored = await shard.store.load(row.key, cached.last_index, limit=1)
    except Damaged as error:
        return str(error)
    if stored is None or not stored.entries or stored.entries[0].index != cached.last_index:
        return ""  # deleted or trimmed
    if stored.entries[0].time_ms == cached.last_time_ms:
        return ""
    return (
        f"a worker knows another entry {cached.last_index} than the database has: it was older "
        "once, and the execution went on from there"
    )


async def intact(
    store: Store, key: ExecutionKey, check: JournalCheck, limit: int | None, limit_bytes: int
) -> Sequence[StoredEntry]:
    """The next page of a journal, as it was written; `check` says what is wrong with the rest."""
    try:
        page = await store.load(key, check.index, limit, limit_bytes)
    except Damaged as error:
        check.problem = str(error)
        return ()
    if page is None:
        check.problem = "it is gone"
        return ()
    return check.take(page)
