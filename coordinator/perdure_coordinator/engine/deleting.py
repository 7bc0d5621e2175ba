"""Deleting finished executions: out of the memory first, then off the disk, nobody in between.

From the moment an execution is taken out, whoever asks for it waits until it is gone. Deletes are
their own store transactions, off the commit path, a bounded number of executions each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.storage import RequestRow

SLICE: Final = 50  # executions in one transaction: commits wait for it


def take_out(shard: Shard, execution: Execution) -> None:
    """Out of the memory it goes; who asks for it waits until `erase` is done with it.

    Raises:
        InvalidTransitionError: it has not ended.
    """
    key, status = execution.key, execution.row.status
    if not is_end(status):
        raise InvalidTransitionError(
            f"execution {key.id!r} is {status.value}: only a finished one can be deleted"
        )
    shard.drop(key)
    shard.loader.hold(key)


async def erase(shard: Shard, asked: Mapping[ExecutionKey, RequestRow | None]) -> None:
    """Delete what was taken out, and let those go on who wait for it.

    Args:
        asked: by what was taken out, the answer to remember with its end, if somebody asked.
    """
    left = list(asked)
    try:
        await shard.committer.flushed()
        while left:
            answers = [asked[key] for key in left[:SLICE]]
            requests = [answer for answer in answers if answer is not None]
            await shard.store.delete(left[:SLICE], requests)
            for key in left[:SLICE]:
                shard.loader.let_go(key)
            del left[:SLICE]
    finally:
        for key in left:
            shard.loader.let_go(key)
