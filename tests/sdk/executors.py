"""Executors of the SDK suite: on a shared file, or on a coordinator over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from perdure.executor import DurableExecutor, DurableTask, TaskExecution, TaskHandle

PATIENCE_MS = 30_000
Make = Callable[..., DurableExecutor]


@pytest.fixture
def make_executor(endpoint: str | None, tmp_path: Path) -> Make:
    """Makes executors that share one storage."""
    namespace = uuid4().hex

    def make(**options: Any) -> DurableExecutor:
        if endpoint is None:
            return DurableExecutor(tmp_path / "perdure.db", **options)
        return DurableExecutor(endpoint, namespace=namespace, **options)

    return make


@pytest.fixture
async def executor(make_executor: Make) -> AsyncIterator[DurableExecutor]:
    """One executor, not started."""
    made = make_executor()
    yield made
    await made.shutdown()


async def finished(handle: TaskHandle[Any]) -> TaskExecution[Any]:
    return await handle.wait_and_get_execution(timeout_ms=PATIENCE_MS)


async def ran(
    executor: DurableExecutor, task: DurableTask[Any, Any], *input: Any
) -> TaskExecution[Any]:
    """Start, enqueue, and wait for the end."""
    await executor.start()
    handle = await executor.enqueue_task(task, *input)
    return await finished(handle)


@asynccontextmanager
async def patience() -> AsyncIterator[None]:
    async with asyncio.timeout(PATIENCE_MS / 1000):
        yield
