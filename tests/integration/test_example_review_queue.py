"""The review queue in processes of its own, with the agent killed in the middle of its work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import perdure
from examples.review_queue.desk import put_on_desk
from perdure.tasks import Tasks
from tests.integration.processes import PythonProcess, started_coordinator
from tests.integration.workers import killed_at_the_end, worker_environment

pytestmark = pytest.mark.processes


async def test_letters_are_registered_drafted_and_signed(tmp_path: Path) -> None:
    async with started_coordinator(tmp_path) as coordinator:
        environment = worker_environment(tmp_path / "witness")
        environment["PERDURE_ENDPOINT"] = coordinator.endpoint
        clerk, agent, ada = (
            PythonProcess(
                "examples.review_queue.workers",
                (name,),
                ready=re.compile(".* is at the desk"),
                environment=environment,
            )
            for name in ("clerk", "agent", "ada")
        )
        async with (
            perdure.connect(coordinator.endpoint) as client,
            killed_at_the_end(clerk, agent, ada),
        ):
            tasks = Tasks(client)
            ids = [await put_on_desk(tasks, text) for text in ("More tea", "Is there tea?")]
            ids.append(await put_on_desk(tasks, "The kettle burns!", urgent=True))
            await clerk.start()
            await agent.start()
            await agent.kill()
            await agent.start()
            await ada.start()
            results = [await tasks.wait_for_task(id, timeout=60) for id in ids]
            assert [result.output for result in results] == [
                "Dear sender, regarding 'More tea': yes. Yours, Ada",
                "Dear sender, regarding 'Is there tea?': yes. Yours, Ada",
                "Dear sender, regarding 'The kettle burns!': yes. Yours, Ada",
            ]
            drafts = await tasks.list_tasks(function="draft")
            assert max(task.metadata.execution_count for task in drafts) >= 2
            assert {task.status for task in await tasks.list_tasks()} == {"completed"}
            for task in drafts:
                told = await tasks.get_task(task.id)
                assert told is not None
                assert [e.message for e in told.events if e.type == "comment"] == ["Fine with me"]
