"""The states of durable objects that are in memory: what is not on disk yet, and a bounded cache.

A state that was decided is kept until the commit that covers it; after that it may be dropped and
is read from the store again. An object that nobody uses is not in memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from perdure_runtime.core.ids import ObjectKey
from perdure_runtime.core.payload import Payload
from perdure_runtime.integrity import object_loss
from perdure_runtime.storage import ObjectRow

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard

_LOG = logging.getLogger("perdure.coordinator")

KEPT_MAX: Final = 2_000
KEPT_BYTES_MAX: Final = 32 * 1024 * 1024


class Kept(Struct):
    """A state in memory; None: the object was never saved. `serial` is of the batch that has it.

    With `damage` what is on disk cannot be used: no method gets it.
    """

    state: Payload | None
    serial: int = 0
    damage: str = ""


class ObjectStates:
    """The states of one shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._kept: OrderedDict[ObjectKey, Kept] = OrderedDict()
        self._kept_bytes = 0
        self._waiting: dict[ObjectKey, list[Callable[[], None]]] = {}
        self._next: list[ObjectKey] = []
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: ObjectKey) -> Kept | None:
        """The state, if it is in memory."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def save(self, key: ObjectKey, service: str, state: Payload) -> None:
        """A new state joins the batch in the making."""
        pending = self._shard.pending
        pending.saved_object(ObjectRow(key, service, state, self._shard.clock.now_ms()))
        self._keep(key, Kept(state, pending.serial))

    def load(self, key: ObjectKey, then: Callable[[], None]) -> None:
        """Read a state that is not in memory; `then` is called later, never at once."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(then)
            return
        self._waiting[key] = [then]
        self._next.append(key)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="perdure-objects")

    async def stop(self) -> None:
        """Stop; tolerates never started and twice."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        try:
            while self._next:
                keys, self._next = self._next, []
                rows = await self._shard.store.load_objects(keys)
                for key in keys:
                    self._arrived(key, rows.get(key))
                self._shard.committer.kick()
        except Exception as error:
            self._shard.fail(error)

    def _arrived(self, key: ObjectKey, row: ObjectRow | None) -> None:
        if key not in self._kept:  # what was saved in the meantime is newer than what was read
            self._keep(key, Kept(row.state, damage=row.damage) if row else Kept(None))
            if row is not None and row.damage:
                _LOG.error("%s (namespace %r)", object_loss(key, row.damage), key.namespace)
        for then in self._waiting.pop(key):
            then()

    def _keep(self, key: ObjectKey, kept: Kept) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._kept_bytes += _size_bytes(kept)
        if len(self._kept) > KEPT_MAX or self._kept_bytes > KEPT_BYTES_MAX:
            self._trim(key)

    def _trim(self, newest: ObjectKey) -> None:
        """Drop the least recently used, but nothing that the disk may not have.

        While a state is being read, what was saved in memory since must stay: it is newer.
        """
        committed = self._shard.committer.committed
        for key in list(self._kept):
            if len(self._kept) <= KEPT_MAX * 9 // 10 and self._kept_bytes <= KEPT_BYTES_MAX:
                break
            if key != newest and key not in self._waiting and self._kept[key].serial <= committed:
                self._drop(key)

    def _drop(self, key: ObjectKey) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._kept_bytes -= _size_bytes(kept)


def _size_bytes(kept: Kept) -> int:
    return len(kept.state.data) if kept.state is not None else 0
