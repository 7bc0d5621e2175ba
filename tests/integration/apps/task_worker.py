"""A worker of a task queue: `python -m tests.integration.apps.task_worker ENDPOINT NAME WITNESS`.

Each task that it completes is a line of the witness file: task, token, worker.
"""

from __future__ import annotations

import asyncio
import os
import sys

import perdure
from perdure import tasks
from perdure.tasks import Claim, WorkerRef

CONCURRENCY = 4
LEASE_S = 2.0


async def main(endpoint: str, name: str, witness: str) -> None:
    """Work until killed."""
    file = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handler(claim: Claim) -> str:
        await asyncio.sleep(claim.input / 1000)
        await claim.complete(name)
        os.write(file, f"{claim.id} {claim.token} {name}\n".encode())
        return name

    async with perdure.connect(endpoint):
        sys.stdout.write("works\n")
        sys.stdout.flush()
        worker = WorkerRef(name, "code")
        await tasks.work("shared", handler, worker=worker, concurrency=CONCURRENCY, lease=LEASE_S)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
