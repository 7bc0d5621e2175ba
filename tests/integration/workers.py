"""Worker processes for tests, beside the coordinators of `tests.integration.processes`.

A worker serves a module of `tests.integration.apps`. Fail points are armed per start, and the log
that proves that one fired is a file of the test.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.integration.apps.witness import WITNESS
from tests.integration.processes import PythonProcess

WORKS: Final = re.compile(r"perdure: worker for ")
ROOT: Final = Path(__file__).parents[2]


def worker_environment(witness: Path) -> dict[str, str]:
    """What every process with our test applications needs."""
    return {
        WITNESS: str(witness),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "PYTHONHASHSEED": "0",  # else the command starts itself anew
    }


class WorkerProcess(PythonProcess):
    """`perdure worker TARGET`.

    Args:
        witness: the file that bodies write to.
        options: of the command, such as `--max-cached`, `0`.
        environment: beside what every one of ours needs.
    """

    def __init__(
        self,
        endpoint: str,
        target: str,
        witness: Path,
        *options: str,
        namespace: str = "default",
        environment: dict[str, str] | None = None,
    ) -> None:
        place = ("--endpoint", endpoint, "--namespace", namespace)
        super().__init__(
            "perdure",
            ("worker", target, *place, *options),
            ready=WORKS,
            environment=worker_environment(witness) | (environment or {}),
        )


def arm(process: PythonProcess, point: str, n: int, log: Path) -> None:
    """Have the process die at the n-th hit of a fail point, from its next start on."""
    process.environment["PERDURE_FAILPOINT"] = f"{point}:{n}"
    process.environment["PERDURE_FAILPOINT_LOG"] = str(log)


def disarm(process: PythonProcess) -> None:
    """Have it live, from its next start on."""
    process.environment.pop("PERDURE_FAILPOINT", None)


@asynccontextmanager
async def killed_at_the_end(*processes: PythonProcess) -> AsyncIterator[None]:
    """Whatever happens in the block, none of the processes outlives it."""
    try:
        yield
    finally:
        for process in processes:
            if process.running:
                await process.kill()


@asynccontextmanager
async def started_again(process: PythonProcess) -> AsyncIterator[None]:
    """While the block runs, a process that dies is started again, disarmed."""

    async def watch() -> None:
        while True:
            await process.wait()
            disarm(process)
            await process.start()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
