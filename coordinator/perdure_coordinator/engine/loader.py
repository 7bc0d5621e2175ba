"""Loads executions that are not in memory: what was asked for while one query runs is the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.execution import Execution, evolve
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.storage import StoredExecution
from perdure_runtime.wire.v1.entries import decode_entry

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard


class Loader:
    """Batches loads. Whatever is not in memory is wholly on disk, so no flush is needed first."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._waiting: dict[ExecutionKey, list[Callable[[Execution | None], None]]] = {}
        self._next: list[ExecutionKey] = []
        self._task: asyncio.Task[None] | None = None

    def load(self, key: ExecutionKey, action: Callable[[Execution | None], None]) -> None:
        """Run the action when the execution has been loaded (None: it does not exist)."""
        actions = self._waiting.get(key)
        if actions is not None:
            actions.append(action)
            return
        self._waiting[key] = [action]
        self._next.append(key)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="perdure-loader")

    def reset(self) -> None:
        """Drop what waits (the engine reloads)."""
        self._waiting.clear()
        self._next.clear()

    async def stop(self) -> None:
        """Stop; tolerates never started and twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._next:
            keys, self._next = self._next, []
            rows = await self._shard.store.load_rows(keys)
            for key in keys:
                row = rows.get(key)
                loaded = await self._fold(row) if row is not None else None
                self._arrived(key, loaded)
            self._shard.committer.kick()

    async def _fold(self, row: ExecutionRow) -> Execution | None:
        stored = await self._shard.store.load(row.key)
        return fold(stored) if stored is not None else None

    def _arrived(self, key: ExecutionKey, loaded: Execution | None) -> None:
        actions = self._waiting.pop(key, [])
        execution = self._shard.executions.get(key)
        if execution is None and loaded is not None:
            execution = self._shard.executions[key] = loaded
        for action in actions:
            # An earlier action may have created it.
            action(execution or self._shard.executions.get(key))


def fold(stored: StoredExecution) -> Execution:
    """The state that a whole journal implies.

    Raises:
        DataLossError: the journal has a gap.
    """
    execution = Execution(stored.row)
    for index, entry in enumerate(stored.entries):
        if entry.index != index:
            raise DataLossError(
                f"execution {stored.row.key.id!r}: journal entry {index} is missing"
            )
        evolve(execution, Recorded(entry.index, entry.time_ms, decode_entry(entry.data)))
    execution.chain = stored.chain
    return execution
