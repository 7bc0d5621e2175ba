"""A notebook beside a worker process on one file: cells block, and define functions as they go."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.integration.processes import PythonProcess
from tests.integration.sharing import SharingProcess
from tests.integration.workers import killed_at_the_end, worker_environment

pytestmark = pytest.mark.processes

NOTEBOOK = """
import asyncio, sys, time
import perdure
from perdure import DurableContext, durable, sync

CELL = '@durable.function\\nasync def later(ctx: DurableContext, number: int) -> int:\\n'
CELL += '    return await ctx.run("double", lambda: number * 2)\\n'

async def cells():  # a notebook has a loop that runs already; each cell blocks it
    with sync.embedded(sys.argv[1]) as runtime:
        client = runtime.client
        print("host", client.health()["host"], flush=True)
        sys.stdin.readline()
        handles = [client.start("shared", "order", n, id=f"order-{n}") for n in range(20)]
        time.sleep(0.2)
        print("sum", sum(handle.result() for handle in handles), flush=True)
        sys.stdin.readline()
        exec(CELL, globals())  # as a cell is: at the top level, after the runtime was opened
        print("later", sync.run(later, 21), flush=True)
        sys.stdin.readline()
        print("after", client.start("shared", "order", 20, id="order-20").result(), flush=True)
        print("later", sync.run(later, 4), flush=True)
        sys.stdin.readline()

asyncio.run(cells())
"""


class Notebook(PythonProcess):
    """The script."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", NOTEBOOK, *self.arguments]


@pytest.mark.parametrize("first", ["notebook", "worker"])
async def test_a_notebook_beside_a_worker_process(tmp_path: Path, first: str) -> None:
    notebook = Notebook(
        "",
        [str(tmp_path / "perdure.db")],
        ready=re.compile(r"host (\d+)"),
        environment=worker_environment(tmp_path / "witness"),
    )
    worker = SharingProcess(tmp_path)
    processes = [notebook, worker] if first == "notebook" else [worker, notebook]
    async with killed_at_the_end(*processes):
        for process in processes:
            await process.start()
        assert notebook.match is not None
        assert processes[0].pid == int(notebook.match[1])
        await notebook.answer("go on", "^sum 21000$")
        await notebook.answer("go on", "^later 42$")
        if first == "worker":  # it dies, and another serves its functions
            other = SharingProcess(tmp_path)
            async with killed_at_the_end(other):
                await other.start()
                await worker.kill()
                await notebook.answer("go on", "^later 8$")
        else:
            await notebook.answer("go on", "^later 8$")
        assert "after 2100" in notebook.output
