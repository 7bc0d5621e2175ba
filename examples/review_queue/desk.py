"""What happens to an incoming letter: code registers it, an agent drafts an answer, a person signs.

`python -m examples.review_queue.desk LETTER...` puts letters on the desk and prints the answers.
"""

from __future__ import annotations

import asyncio
import sys

import perdure
from perdure.tasks import Priority, TaskFunction, Tasks

QUEUE = "letters"
REGISTER = TaskFunction("register", description="Give the letter a number")
DRAFT = TaskFunction("draft", type="agentic", description="Draft an answer to the letter")
SIGN = TaskFunction("sign", type="human", description="Read the draft; sign it or send it back")


async def put_on_desk(tasks: Tasks, letter: str, *, urgent: bool = False) -> str:
    """Three tasks, one after the other; returns the id of the last one."""
    priority: Priority = "urgent" if urgent else "normal"
    registered = await tasks.create_task(REGISTER, letter, queue=QUEUE, priority=priority)
    drafted = await tasks.create_task(
        DRAFT,
        letter,
        queue=QUEUE,
        priority=priority,
        depends_on=[registered.id],
        parent_id=registered.id,
        retry=2,
    )
    signed = await tasks.create_task(
        SIGN,
        {"letter": letter, "draft": drafted.id},
        queue=QUEUE,
        priority=priority,
        depends_on=[drafted.id],
        on_dependency_failed="fail",
        parent_id=registered.id,
    )
    return signed.id


async def main(letters: list[str]) -> None:
    """Put all of them on the desk and wait for the signatures."""
    async with perdure.connect() as client:
        tasks = Tasks(client)
        ids = [await put_on_desk(tasks, text, urgent=text.endswith("!")) for text in letters]
        for id in ids:
            result = await tasks.wait_for_task(id, timeout=None)
            sys.stdout.write(f"{result.output if result.success else result.error}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
