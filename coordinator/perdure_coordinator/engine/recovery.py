"""Recovery at start: who wants a worker, who may still have one, which letters are undelivered."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.workers import Workers
from perdure_runtime.core.effects import Decision, Enqueue
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.requests.wake import move

PAGE: Final = 5_000


async def recover(shard: Shard, workers: Workers) -> None:
    """Read what an earlier owner left. Executions that only wait stay on disk."""
    for row in await shard.store.catalog():
        spec = msgspec.msgpack.decode(row.spec, type=MethodSpec)
        workers.catalog[row.namespace, row.service, row.method] = spec
    running: list[ExecutionKey] = []
    after: ExecutionKey | None = None
    while rows := await shard.store.scan_unfinished(after, PAGE, (Status.QUEUED, Status.RUNNING)):
        for found in rows:
            if found.status is Status.QUEUED:
                shard.dispatcher.enqueue(found.key, found.target, found.priority)
            else:
                running.append(found.key)
        after = rows[-1].key
    last = -1
    while letters := await shard.store.outbox(PAGE, last):
        for letter in letters:
            shard.redeliver(letter)
        last = letters[-1].id
    if running:
        loop = asyncio.get_running_loop()
        loop.call_later(shard.config.resume_ms / 1000, _requeue, shard, running)


def _requeue(shard: Shard, keys: list[ExecutionKey]) -> None:
    """The workers of these have had their time to come back. Not a crash of theirs."""

    def requeue(execution: Execution | None) -> None:
        if execution is None or execution.epoch or execution.row.status is not Status.RUNNING:
            return
        decision = Decision(effects=[Enqueue()])
        move(execution, decision, Status.QUEUED)
        shard.decided(execution, decision)

    for key in keys:
        shard.submit(key, requeue)
