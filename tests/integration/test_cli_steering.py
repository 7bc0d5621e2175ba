"""The commands that steer executions and schedules, against a real server and worker."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.processes import started_coordinator
from tests.integration.workers import WorkerProcess, killed_at_the_end

APP = "tests.integration.apps.steered"

pytestmark = [pytest.mark.processes, pytest.mark.asyncio(loop_scope="module")]


class Shell:
    """Runs `perdure ...` against one coordinator."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        command = [sys.executable, "-m", "perdure", *arguments, "--endpoint", self._endpoint]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate(b"")
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def json(self, *arguments: str) -> Any:
        """What a command prints with `-o json`."""
        code, out, err = await self.run(*arguments, "-o", "json")
        assert code == 0, err
        return json.loads(out)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shell(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    folder = tmp_path_factory.mktemp("steering")
    async with started_coordinator(folder) as coordinator:
        worker = WorkerProcess(coordinator.endpoint, APP, folder / "witness")
        async with killed_at_the_end(worker):
            await worker.start()
            yield Shell(coordinator.endpoint)


async def test_stream_and_fork(shell: Shell) -> None:
    await shell.run("start", "steered", "tells", "3", "--id", "told")
    code, out, err = await shell.run("stream", "told", "--from", "1")
    assert (0, ['{"number":1}', '{"number":2}']) == (code, out.splitlines()), err
    code, out, _ = await shell.run("history", "told", "-o", "json")
    told = [json.loads(line) for line in out.splitlines()]
    at = next(entry["path"] for entry in told if entry["name"] == "first")
    assert {"id": "again"} == await shell.json("fork", "told", "--at", at, "--new-id", "again")
    code, out, err = await shell.run("result", "again")
    assert (0, "3") == (code, out.strip()), err
    code, _, err = await shell.run("fork", "told", "--at", "0:99")
    assert 3 == code
    assert "no command" in err


async def test_many_by_filter_and_by_ids(shell: Shell) -> None:
    for number in range(3):
        await shell.run("start", "steered", "sleeps", "--id", f"many-{number}")
    code, _, err = await shell.run("cancel", "--prefix", "many-")
    assert (2, True) == (code, "cancel of 3 executions: say --yes" in err), err
    results = await shell.json("cancel", "--prefix", "many-", "--yes", "--reason", "enough")
    assert [True] * 3 == [result["effect"] for result in results]
    code, out, _ = await shell.run("resume", "many-0", "nobody")
    assert 1 == code, "the first that failed names the code"
    assert "InvalidTransitionError" in out
    assert "NotFoundError" in out
    for number in range(3):
        await shell.run("result", f"many-{number}")
    deleted = await shell.json("delete", "--status", "cancelled", "--service", "steered", "--yes")
    assert 3 == len(deleted)


async def test_schedules(shell: Shell) -> None:
    made = await shell.json(
        "schedule", "create", "steered", "tells", "1", "--id", "often", "--every", "0.1"
    )
    assert ("often", 0.1) == (made["id"], made["every"])
    async with asyncio.timeout(60):
        while (await shell.json("schedule", "show", "often"))["started"] < 1:
            pass
    assert {"id": "often", "effect": True} == await shell.json("schedule", "pause", "often")
    assert {"id": "often", "effect": True} == await shell.json("schedule", "resume", "often")
    listed = await shell.json("schedule", "list")
    assert ["often"] == [each["id"] for each in listed]
    assert {"id": "often", "effect": True} == await shell.json("schedule", "delete", "often")
    code, _, err = await shell.run("schedule", "show", "often")
    assert (3, True) == (code, "no schedule 'often'" in err)
    code, _, err = await shell.run(
        "schedule", "create", "steered", "tells", "1", "--id", "bad", "--cron", "nonsense"
    )
    assert (2, True) == (code, "no cron expression" in err)
