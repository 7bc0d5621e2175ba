"""Who works at the desk: `python -m examples.review_queue.workers clerk|agent|ada`.

Start as many as you like of each, and kill them as you like.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

import perdure
from examples.review_queue.desk import QUEUE
from perdure.tasks import Claim, Tasks, WorkerRef

WORKERS = {
    "clerk": WorkerRef("clerk", "code", "The clerk"),
    "agent": WorkerRef("agent", "agent", "The agent"),
    "ada": WorkerRef("ada", "human", "Ada"),
}
_numbers = count(1)


async def register(claim: Claim) -> dict[str, object]:
    """Code: done at once. The task's id is the number's idempotency key, should it be outside."""
    return {"number": next(_numbers), "letter": claim.input}


async def draft(claim: Claim) -> str:
    """An agent: tells how far it is, and asks for a second try when it has no idea."""
    await claim.progress(30, "Reading")
    if claim.execution_count == 1 and "?" in claim.input:
        raise ValueError("what was the question again?")
    await claim.progress(80, "Writing")
    return f"Dear sender, regarding {claim.input!r}: yes. Yours"


async def sign(claim: Claim, tasks: Tasks) -> str:
    """A person, played by code: reads the draft, comments and signs."""
    drafted = await tasks.get_task(claim.input["draft"])
    assert drafted is not None
    assert drafted.result is not None
    await tasks.add_comment(drafted.id, "Fine with me", claim.worker)
    return f"{drafted.result.output}, {claim.worker.name}"


async def main(name: str) -> None:
    """Work until stopped."""
    async with perdure.connect() as client:
        tasks = Tasks(client)

        async def handler(claim: Claim) -> object:
            match claim.function.name:
                case "register":
                    return await register(claim)
                case "draft":
                    return await draft(claim)
                case _:
                    return await sign(claim, tasks)

        sys.stdout.write(f"{name} is at the desk\n")
        sys.stdout.flush()
        await tasks.work(QUEUE, handler, worker=WORKERS[name], concurrency=2, lease=5)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
