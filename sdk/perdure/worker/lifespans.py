"""Lifespans of services: entered once per worker, left in the same task (semantics, api)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

from perdure.service import Service


class Lifespans:
    """Enters the lifespan of each service in a task of its own, and leaves them there."""

    def __init__(self, resources: dict[str, Any]) -> None:
        self._resources = resources
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def enter(self, services: Iterable[Service]) -> None:
        """Fill `resources` by service name. Raises what a lifespan raises."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wanted = [service for service in services if service.lifespan is not None]
        if not wanted:
            return
        self._task = asyncio.create_task(self._hold(wanted, ready), name="perdure-lifespans")
        await asyncio.wait([self._task, ready], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task

    async def leave(self) -> None:
        """Leave what was entered, in reverse. Raises what a lifespan raises."""
        self._stop.set()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    async def _hold(self, services: list[Service], ready: asyncio.Future[None]) -> None:
        async with AsyncExitStack() as stack:
            for service in services:
                assert service.lifespan is not None
                entered = await stack.enter_async_context(service.lifespan())
                self._resources[service.name] = entered
            ready.set_result(None)
            await self._stop.wait()
