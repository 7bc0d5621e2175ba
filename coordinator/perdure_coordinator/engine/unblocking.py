"""Blocked executions are replayed again once per new worker that offers their function.

A deploy with the fix is enough, nobody has to find them (semantics, section 4). It never loops: a
worker that comes back on another stream is not new. This module does not know why they are blocked.
"""

from __future__ import annotations

from typing import Final

from perdure_coordinator.engine.sessions import Session
from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core import requests
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.storage import Filter

PAGE: Final = 1_000


async def resume_blocked(shard: Shard, session: Session) -> None:
    """Resume what is blocked in the functions that a new worker offers."""
    await shard.committer.flushed()

    def resume(execution: Execution | None) -> None:
        if execution is not None and execution.row.status is Status.BLOCKED:
            shard.dispatcher.prefer(execution.key, session.id)  # not one with the old code
            shard.decided(execution, requests.resume(execution, shard.clock.now_ms()))

    for service in session.services:
        cursor = ""
        while True:
            wanted = Filter(session.namespace, (Status.BLOCKED,), service)
            page = await shard.store.query(wanted, PAGE, cursor)
            for row in page.rows:
                if (row.target.service, row.target.method) in session.methods:
                    shard.submit(row.key, resume)
            cursor = page.next_cursor
            if not cursor:
                break
