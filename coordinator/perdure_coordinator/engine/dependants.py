"""Who waits for the end of whom, before it begins.

The row of an execution names what it waits for; this index is made of the rows when the coordinator
starts, which looks at once for what has ended meanwhile. So an end that was recorded and not told
is told again, and a repeated one finds that nobody waits.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from perdure_runtime.core import requests
from perdure_runtime.core.effects import AwaitEnds
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.rows import ExecutionRow

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard


class Dependants:
    """The dependencies between executions of one shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._waiting: dict[ExecutionKey, dict[ExecutionKey, None]] = {}
        self._ends: deque[tuple[ExecutionKey, ExecutionKey, Status | None]] = deque()
        self._telling = False

    def restore(self, row: ExecutionRow) -> None:
        """Of a row at the start: look whether what it waits for has ended."""
        for id in row.after:
            self._watch(ExecutionKey(row.key.namespace, id), row.key)

    def watch(self, execution: Execution, effect: AwaitEnds, _: object) -> None:
        """An execution waits for others from now on."""
        for id in effect.ids:
            self._watch(ExecutionKey(execution.key.namespace, id), execution.key)

    def left(self, execution: Execution, awaited: tuple[str, ...]) -> None:
        """An execution waits no longer for some of those that it waited for."""
        for id in set(awaited).difference(execution.row.after):
            key = ExecutionKey(execution.key.namespace, id)
            waiting = self._waiting.get(key, {})
            waiting.pop(execution.key, None)
            if not waiting:
                self._waiting.pop(key, None)

    def ended(self, key: ExecutionKey, status: Status | None) -> None:
        """An execution has ended: tell those who wait for it. A chain of ends is no recursion."""
        self._ends.extend((key, waiting, status) for waiting in self._waiting.get(key, ()))
        if self._telling:
            return
        self._telling = True
        try:
            while self._ends:
                other, waiting, outcome = self._ends.popleft()
                self._shard.submit(waiting, partial(self._tell, other, outcome))
        finally:
            self._telling = False

    def path(self, source: ExecutionKey, goal: ExecutionKey) -> bool:
        """Whether `goal` waits for `source`, be it through others."""
        seen, left = {source}, [source]
        while left:
            key = left.pop()
            if key == goal:
                return True
            new = self._waiting.get(key, {}).keys() - seen
            seen |= new
            left.extend(new)
        return False

    def _watch(self, key: ExecutionKey, waiting: ExecutionKey) -> None:
        self._waiting.setdefault(key, {})[waiting] = None
        self._shard.submit(key, partial(self._look, key, waiting))

    def _look(self, key: ExecutionKey, waiting: ExecutionKey, execution: Execution | None) -> None:
        if execution is None:
            self._shard.submit(waiting, partial(self._tell, key, None))
        elif is_end(execution.row.status):
            self._shard.submit(waiting, partial(self._tell, key, execution.row.status))

    def _tell(self, key: ExecutionKey, status: Status | None, execution: Execution | None) -> None:
        if execution is None:
            return
        shard = self._shard
        now_ms = shard.clock.now_ms()
        decision = requests.dependency_ended(execution, key.id, status, now_ms)
        if decision.entries:
            shard.decided(execution, decision)
