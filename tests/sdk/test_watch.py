"""`handle.watch()`: status and progress, pushed as they change."""

from __future__ import annotations

import asyncio

import pytest

from perdure import DurableContext, ctx, durable
from perdure.errors import NotFoundError
from tests.sdk.backends import Backend

service = durable.service("watching")
GO: dict[int, asyncio.Event] = {}


@service.handler
async def counts(last: int) -> str:
    for done in range(1, last + 1):
        ctx.progress(done, last)
        ctx.progress(done - 1, last)  # it never goes back
        await GO.setdefault(done, asyncio.Event()).wait()
    return "counted"


@durable.function(service="watching")
async def waits(context: DurableContext) -> str:
    context.progress(1, 2, "half")
    return str(await context.wait_for_event(f"go-{context.execution_id}"))


service.add_function(waits)
SERVICES = [service]


async def test_each_progress_is_seen_while_it_is_made(backend: Backend) -> None:
    GO.clear()
    handle = await backend.client.start(counts, 3, id="c")
    seen: list[float] = []
    statuses: list[str] = []
    async with asyncio.timeout(30):
        async for info in handle.watch():
            statuses.append(str(info.status))
            if info.progress is not None and info.progress.done not in seen:
                seen.append(info.progress.done)
                assert 3 == info.progress.total
                GO.setdefault(int(info.progress.done), asyncio.Event()).set()
    assert [1, 2, 3] == seen
    assert "completed" == statuses[-1]
    assert "counted" == await handle.result(30)


async def test_several_watch_and_one_that_has_ended_is_seen_once(backend: Backend) -> None:
    handle = await backend.client.start(waits, id="w")
    begun = asyncio.Event()

    async def watch() -> list[str]:
        seen = []
        async for info in backend.client.get("w").watch():
            seen.append(f"{info.status} {info.progress.message if info.progress else ''}".strip())
            if info.status == "suspended" and info.progress is not None:
                begun.set()
        return seen

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(watch()) for _ in range(3)]
        await begun.wait()
        await backend.client.send_event("go-w", "x")
    assert {"completed half"} == {task.result()[-1] for task in watching}
    assert "x" == await handle.result(30)
    assert ["completed half"] == [
        f"{info.status} {info.progress.message if info.progress else ''}"
        async for info in handle.watch()
    ]


async def test_nobody_is_watched(backend: Backend) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        async for _ in backend.client.get("nobody").watch():
            pass
