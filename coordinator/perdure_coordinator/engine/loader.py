"""Loads executions that are not in memory: what was asked for while one query runs is the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.execution import Execution, evolve
from perdure_runtime.core.ids import ExecutionKey, is_derived
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.integrity import JournalCheck, unreadable_row
from perdure_runtime.storage import Damaged
from perdure_runtime.wire.v1.entries import decode_entry

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard


Action = Callable[[Execution | None], None]
Refusal = Callable[[DataLossError], None]


class Unreadable(Exception):
    """An execution whose journal is not what was written; the message says what is wrong."""


class Loader:
    """Batches loads. Whatever is not in memory is wholly on disk, so no flush is needed first."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._waiting: dict[ExecutionKey, list[tuple[Action, Refusal | None]]] = {}
        self._next: list[ExecutionKey] = []
        self._task: asyncio.Task[None] | None = None
        self._former: dict[ExecutionKey, int] = {}  # last runs of deleted ones that have children

    def load(self, key: ExecutionKey, action: Action, damaged: Refusal | None = None) -> None:
        """Run the action when the execution has been loaded (None: it does not exist).

        Args:
            damaged: run instead if the execution turns out to be damaged.
        """
        actions = self._waiting.get(key)
        if actions is not None:
            actions.append((action, damaged))
            return
        self._waiting[key] = [(action, damaged)]
        self._next.append(key)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="perdure-loader")

    def first_run(self, key: ExecutionKey) -> int:
        """The number of the first run of an execution that is created now, in its load's action.

        1, unless a deleted execution of this id has left children: their ids derive from its runs,
        and must not be made again.
        """
        return self._former.get(key, 0) + 1

    def hold(self, key: ExecutionKey) -> None:
        """From now on, who asks for this execution waits for `let_go`. It is not in memory."""
        self._waiting[key] = []

    def let_go(self, key: ExecutionKey) -> None:
        """Load what was held, if anybody asked."""
        actions = self._waiting.pop(key, [])
        for action, damaged in actions:
            self.load(key, action, damaged)

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
            rows = await self._rows(keys)
            free = [key for key in keys if key not in rows and not is_derived(key)]
            self._former = await self._shard.store.callers_runs(free) if free else {}
            for key in keys:
                row = rows.get(key)
                loaded = await self._load(row) if row is not None else None
                self._arrived(key, loaded)
            self._shard.committer.kick()

    async def _rows(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, ExecutionRow]:
        try:
            return await self._shard.store.load_rows(keys)
        except Damaged:
            pass
        rows: dict[ExecutionKey, ExecutionRow] = {}
        for key in keys:
            try:
                rows |= await self._shard.store.load_rows([key])
            except Damaged as error:
                rows[key] = unreadable_row(key, str(error))
        return rows

    async def _load(self, row: ExecutionRow) -> Execution | None:
        """An execution, or None: it is gone, or in quarantine."""
        quarantine = self._shard.quarantine
        if row.damage:
            quarantine.put(row, row.damage, remember=False)
            return None
        try:
            return await self._fold(row)
        except Unreadable as error:
            quarantine.put(row, str(error))
        return None

    async def _fold(self, row: ExecutionRow) -> Execution | None:
        """The state that the journal implies from the beginning of the current run on, read page by
        page; None: it is gone.

        Raises:
            Unreadable: the journal is not what was written.
        """
        config, execution = self._shard.config, Execution(row)
        check = JournalCheck(row.run_index)
        while True:
            try:
                page = await self._shard.store.load(
                    row.key, check.index, config.page_entries, config.page_bytes
                )
            except Damaged as error:
                raise Unreadable(str(error)) from error
            if page is None:
                return None
            for entry in check.take(page):
                evolve(execution, Recorded(entry.index, entry.time_ms, decode_entry(entry.data)))
                execution.chain = entry.chain
            if check.problem:
                raise Unreadable(check.problem)
            if check.index >= page.length:
                if execution.created is None:
                    raise Unreadable("it has no beginning")
                return execution

    def _arrived(self, key: ExecutionKey, loaded: Execution | None) -> None:
        actions = self._waiting.pop(key, [])
        executions = self._shard.executions
        if loaded is not None:
            executions.setdefault(key, loaded)
            if loaded.ended is not None:
                self._shard.finished.append(key)
        for action, damaged in actions:
            if key in self._waiting:  # an earlier action took it out to delete it
                self._waiting[key].append((action, damaged))
            elif key not in self._shard.quarantine:
                action(executions.get(key))  # an earlier action may have created it
            elif damaged is not None:
                damaged(self._shard.quarantine.error(key))
