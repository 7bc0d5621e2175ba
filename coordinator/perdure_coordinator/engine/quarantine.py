"""Executions that cannot be trusted: what was acknowledged of them is lost or altered.

One such execution is kept apart: its status stays, whoever asks for it gets a `DataLossError`, it
is never activated and its journal never extended; everything else goes on. What was found is
written into its row, so that lists show it and a restart knows it. It leaves by being deleted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from perdure_runtime.core.effects import CompleteCall
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.messages import Evict
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.integrity import data_loss

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard

_LOG = logging.getLogger("perdure.coordinator")


class Quarantine:
    """The damaged executions of one shard that somebody has asked for. They are not in memory."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self.rows: dict[ExecutionKey, ExecutionRow] = {}

    def __contains__(self, key: ExecutionKey) -> bool:
        return key in self.rows

    def error(self, key: ExecutionKey) -> DataLossError:
        """What whoever asks for it gets."""
        return data_loss(key, self.rows[key].damage)

    def take(self, execution: Execution, problem: str) -> None:
        """Take an execution out of the memory, and away from its worker."""
        shard, key = self._shard, execution.key
        session = shard.sessions.by_id.get(execution.session_id)
        if session is not None:
            session.leases.pop(execution.epoch, None)
            session.active.discard(execution.epoch)
            shard.pending.message(session.id, Evict(execution.epoch, "its journal is damaged"))
        execution.epoch = 0
        execution.session_id = ""
        shard.drop(key)
        self.put(execution.row, problem)

    def put(self, row: ExecutionRow, problem: str, *, remember: bool = True) -> None:
        """Keep an execution apart that is not in memory.

        Args:
            remember: write into its row what was found.
        """
        shard, key = self._shard, row.key
        self.rows[key] = row = replace(row, damage=problem, has_place=False)
        shard.places.give_back(row)
        shard.dispatcher.dequeue(key)
        if remember:
            shard.pending.row(row)
        shard.stats.quarantined += 1
        error = self.error(key)
        _LOG.error("%s (namespace %r)", error, key.namespace)
        for future in shard.waiters.pop(key, ()):
            shard.pending.reply(future, error)
        for news in shard.followers.get(key, ()):
            news.set()
        shard.committer.kick()

    def take_out(self, key: ExecutionKey) -> None:
        """It is about to be deleted: who asks for it waits until it is gone, its caller is told."""
        shard, error, row = self._shard, self.error(key), self.rows.pop(key)
        if row.parent is not None and not row.parent.detached and not is_end(row.status):
            failure = Failure(
                type(error).__name__, f"deleted: {error}", FailureCode.APPLICATION, retryable=False
            )
            shard.mail.send(CompleteCall(row.parent, None, failure))
        if row.lane_order:
            shard.objects.left(key)
        shard.on_ended(key)
        shard.loader.hold(key)
        shard.mail.let_go(key)
