"""Tasks on the command line: their status in lists, and the one table in force there too."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

import perdure
from perdure import tasks
from tests.integration.processes import CoordinatorProcess

pytestmark = pytest.mark.processes


async def test_lists_show_and_control_tasks(coordinator: CoordinatorProcess) -> None:
    async def command(*arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "perdure", *arguments, "--endpoint", coordinator.endpoint),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async with perdure.connect(coordinator.endpoint):
        await tasks.create_task("read", id="t-1")
        await tasks.start_task("t-1", {"id": "ada", "type": "human"})
        await tasks.create_task("write", id="t-2", depends_on=["t-1"])
        (_, listed), (_, shown) = await asyncio.gather(
            command("list", "-o", "json"), command("show", "t-1", "-o", "json")
        )
        found: dict[str, Any] = {each["id"]: each for each in json.loads(listed)}
        assert (found["t-1"]["task_status"], found["t-1"]["assigned_to"]) == ("in_progress", "ada")
        assert found["t-2"]["task_status"] == "blocked"
        assert found["t-2"]["waiting_for"] == ["execution t-1"]
        assert json.loads(shown)["task_status"] == "in_progress"
        code, refused = await command("retry", "t-1")
        assert code != 0
        assert "Cannot retry in_progress task" in refused
        assert (await command("cancel", "t-2"))[0] == 0
        cancelled = await tasks.get_task("t-2")
        assert cancelled is not None
        assert cancelled.status == "cancelled"
