"""Executions as they change, pushed to those who watch: status, progress, journal.

Nothing is polled: a commit that holds a change of the execution wakes its watchers, and each looks
once. Changes that come faster than somebody looks are joined, so that a slow reader costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from perdure_coordinator.engine.asking import checked_key
from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core.client import Description
from perdure_runtime.core.lifecycle import is_end

Describe = Callable[[str, str], Awaitable[Description]]


async def watch(
    shard: Shard, describe: Describe, namespace: str, id: str
) -> AsyncGenerator[Description, None]:
    """What is known of an execution, now and after each change, until it has ended.

    Raises:
        NotFoundError: there is no such execution, or it was deleted meanwhile.
    """
    key = checked_key(namespace, id)
    news = asyncio.Event()
    shard.watchers.setdefault(key, []).append(news)
    last: Description | None = None
    try:
        while True:
            news.clear()
            found = await describe(namespace, id)
            if found != last:
                last = found
                yield found
            if is_end(found.status):
                return
            await news.wait()
    finally:
        watchers = shard.watchers[key]
        watchers.remove(news)
        if not watchers:
            del shard.watchers[key]
