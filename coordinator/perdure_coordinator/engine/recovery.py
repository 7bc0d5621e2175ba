"""Recovery at start: who wants a worker, who may still have one, which letters are undelivered."""

from __future__ import annotations

from typing import Final

import msgspec

from perdure_coordinator.engine.objects import ALONE_AFTER
from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.workers import Workers
from perdure_runtime.core import requests
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.rows import ExecutionRow

PAGE: Final = 5_000


async def recover(shard: Shard, workers: Workers) -> None:
    """Read what an earlier owner left. Executions that only wait stay on disk."""
    for known in await shard.store.catalog():
        spec = msgspec.msgpack.decode(known.spec, type=MethodSpec)
        workers.catalog.remember(known.namespace, spec)
        shard.places.learn(known.namespace, spec, earlier=True)
    holder: ExecutionKey | None = None
    while rows := await shard.store.scan_places(holder, PAGE):
        for row in rows:
            shard.places.restore(row)
        holder = rows[-1].key
    place = 0
    while rows := await shard.store.scan_lanes(place, PAGE):
        for row in rows:
            shard.objects.restore(row)
        place = rows[-1].lane_order
    queued: list[ExecutionRow] = []
    running: list[ExecutionKey] = []
    after: ExecutionKey | None = None
    while rows := await shard.store.scan_unfinished(after, PAGE, (Status.QUEUED, Status.RUNNING)):
        for found in rows:
            if found.damage:
                continue
            if found.task is not None:
                shard.work_queues.restore(found)
            elif found.status is Status.QUEUED:
                queued.append(found)
            else:
                running.append(found.key)
        after = rows[-1].key
    for row in sorted(queued, key=_since):  # as they were queued, not in the order of their keys
        if shard.objects.waits(row):
            continue
        alone = row.crash_count >= ALONE_AFTER
        shard.dispatcher.enqueue(row.key, row.target, row.priority, alone=alone)
    shard.work_queues.start()
    awaiting: ExecutionKey | None = None
    while rows := await shard.store.scan_awaiting(awaiting, PAGE):
        for row in rows:
            shard.dependants.restore(row)
        awaiting = rows[-1].key
    last = -1
    while letters := await shard.store.outbox(PAGE, last):
        for letter in letters:
            shard.mail.redeliver(letter)
        last = letters[-1].id
    await shard.mailboxes.recover()
    if running:
        resume_s = shard.config.resume_ms / 1000
        workers.later("recovery", resume_s, lambda: _requeue(shard, running))


def _since(row: ExecutionRow) -> tuple[int, int]:
    return max(row.updated_ms, row.created_ms), row.created_ms


def _requeue(shard: Shard, keys: list[ExecutionKey]) -> None:
    """The workers of these have had their time to come back. Not a crash of theirs."""

    def requeue(execution: Execution | None) -> None:
        if execution is not None and not execution.epoch:
            shard.decided(execution, requests.release(execution))

    for key in keys:
        shard.submit(key, requeue)
