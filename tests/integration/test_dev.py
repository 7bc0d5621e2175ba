"""`perdure dev`: a developer edits a file while executions are in flight."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.cli.sources import changed, snapshot
from tests.integration.processes import PythonProcess
from tests.integration.workers import killed_at_the_end, worker_environment

SERVER = re.compile(r"perdure: server at (http://\S+),")
APP = """
from perdure import DurableContext, durable

service = durable.service("shop", "1.0.0")

@durable.step
def first(order: str) -> str:
    return "first"

@durable.step
def second(order: str) -> str:
    return "second"

@durable.flow
async def buy(ctx: DurableContext, order: str) -> list[str]:
    done = [await first(order)]
    BETWEEN
    await ctx.wait_for_event("go")
    return done

service.add_function(buy)
"""

pytestmark = pytest.mark.processes


class Dev(PythonProcess):
    """The command in a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "shop.py"
        environment = worker_environment(folder / "witness")
        super().__init__(
            "perdure",
            ("dev", str(self.file), "--port", "0", "--db", str(folder / "perdure.db")),
            ready=SERVER,
            environment=environment,
        )

    def edit(self, between: str = "pass") -> None:
        """Save the file with another line in the body."""
        self.file.write_text(APP.replace("BETWEEN", between))


async def saying(process: PythonProcess, pattern: str) -> asyncio.Task[re.Match[str]]:
    """Listen from now on."""
    task = asyncio.create_task(process.says(pattern))
    await asyncio.sleep(0)
    return task


@asynccontextmanager
async def developing(folder: Path, between: str = "pass") -> AsyncIterator[tuple[Dev, Any]]:
    """`perdure dev` that serves, and a client of its server."""
    dev = Dev(folder)
    dev.edit(between)
    async with killed_at_the_end(dev):
        await dev.start()
        assert dev.match is not None
        async with perdure.connect(dev.match[1], ambient=False) as client:
            yield dev, client
        assert 0 == await dev.stop(), dev.told()


async def told(listening: Awaitable[re.Match[str]]) -> str:
    """The line that was waited for."""
    return (await listening).string


async def test_an_edit_restarts_the_worker_and_a_blocked_execution_finishes(
    tmp_path: Path,
) -> None:
    async with developing(tmp_path) as (dev, client):
        starts = await saying(dev, r"order-1 +shop/buy +started")
        handle = await client.start("shop", "buy", "tea", id="order-1")
        await told(starts)
        async for entry in handle.history(follow=True):
            if entry.kind == "event_awaited":
                break
        reloads = await saying(dev, r"shop\.py changed: starting anew")
        blocks = await saying(dev, r"order-1 .*blocked")
        retries = await saying(dev, r"order-1 +retried with the code as it is now")
        dev.edit("done.append(await second(order))")
        await told(reloads)
        completes = await saying(dev, r"order-1 .*completed, attempt 2 after [\d.]+ s")
        await client.send_event("go", None)  # which has it replayed, by the new code
        assert "second" in await told(blocks)
        await told(retries)
        assert ["first", "second"] == await handle.result(30)
        await told(completes)
        kinds = [entry.kind async for entry in handle.history()]
        assert 2 == kinds.count("command_reused"), "the first step and the event"
        assert 2 == kinds.count("step_completed"), "each step once"


async def test_a_mistake_in_the_file_waits_for_its_correction(tmp_path: Path) -> None:
    async with developing(tmp_path, "this is no Python") as (dev, client):
        if "waiting for a change" not in dev.told():
            await dev.says("the worker ended with 2; waiting for a change")
        assert "SyntaxError" in dev.told()
        handle = await client.start("shop", "buy", "tea")
        dev.edit()
        await client.send_event("go", None)
        assert ["first"] == await handle.result(30)


async def test_an_error_of_an_execution_is_told_with_its_text(tmp_path: Path) -> None:
    async with developing(tmp_path, "raise ValueError('no tea left')") as (dev, client):
        fails = await saying(dev, r"order-2 .*failed.*no tea left")
        await client.start("shop", "buy", "tea", id="order-2")
        await told(fails)


def test_sources_that_change_are_found(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / ".venv").mkdir()
    for name in ("a.py", "package/b.py", "package/c.txt", ".venv/d.py"):
        (tmp_path / name).touch()
    before = snapshot([tmp_path])
    assert {"a.py", "b.py"} == {Path(name).name for name in before}
    os.utime(tmp_path / "a.py", ns=(1, 1))
    (tmp_path / "package/b.py").unlink()
    (tmp_path / "e.py").touch()
    found = changed(before, snapshot([tmp_path]))
    assert ["a.py", "e.py", "b.py"] == [Path(name).name for name in found]
    assert [] == changed(before, before)
