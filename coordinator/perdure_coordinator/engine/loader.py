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

    def hold(self, key: ExecutionKey) -> None:
        """From now on, who asks for this execution waits for `let_go`. It is not in memory."""
        self._waiting[key] = []

    def let_go(self, key: ExecutionKey) -> None:
        """Load what was held, if anybody asked."""
        actions = self._waiting.pop(key, [])
        for action in actions:
            self.load(key, action)

    def is_loading(self, key: ExecutionKey) -> bool:
        """Whether somebody waits for this execution."""
        return key in self._waiting

    @property
    def waiting(self) -> int:
        """How many executions are being loaded."""
        return len(self._waiting)

    async def stop(self) -> None:
        """Stop; tolerates never started and twice."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        try:
            await self._load_all()
        except Exception as error:
            self._shard.fail(error)

    async def _load_all(self) -> None:
        while self._next:
            keys, self._next = self._next, []
            rows = await self._shard.store.load_rows(keys)
            for key in keys:
                row = rows.get(key)
                loaded = await self._fold(row) if row is not None else None
                self._arrived(key, loaded)
            self._shard.committer.kick()

    async def _fold(self, row: ExecutionRow) -> Execution | None:
        """The state that the journal implies from the beginning of the current run on, read page by
        page; None: it is gone.

        Raises:
            DataLossError: the journal has a gap.
        """
        config, execution = self._shard.config, Execution(row)
        execution.length = row.run_index
        while True:
            stored = await self._shard.store.load(
                row.key, execution.length, config.page_entries, config.page_bytes
            )
            if stored is None:
                return None
            fold(execution, stored)
            if execution.length >= stored.length:
                return execution

    def _arrived(self, key: ExecutionKey, loaded: Execution | None) -> None:
        actions = self._waiting.pop(key, [])
        executions = self._shard.executions
        if loaded is not None:
            executions.setdefault(key, loaded)
            if loaded.ended is not None:
                self._shard.finished.append(key)
        for action in actions:
            if key in self._waiting:  # an earlier action took it out to delete it
                self._waiting[key].append(action)
            else:
                action(executions.get(key))  # an earlier action may have created it


def fold(execution: Execution, page: StoredExecution) -> None:
    """Take in the next page of a journal.

    Raises:
        DataLossError: it does not begin where the state stands, or has a gap.
    """
    for entry in page.entries:
        if entry.index != execution.length:
            break
        evolve(execution, Recorded(entry.index, entry.time_ms, decode_entry(entry.data)))
        execution.chain = entry.chain
    else:
        if page.entries or execution.length >= page.length:
            return
    raise DataLossError(
        f"execution {execution.key.id!r}: journal entry {execution.length} is missing"
    )
