"""A damaged journal as clients see it: a typed error for its execution, and work for all others."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import perdure
from perdure import Client
from perdure.errors import DataLossError
from tests.integration.processes import started_coordinator
from tests.integration.workers import WorkerProcess, killed_at_the_end
from tests.proof.counting import tried

APP = "tests.integration.apps.gated"

pytestmark = pytest.mark.processes


def flip(database: Path, id: str) -> None:
    """One bit of the last entry of an execution's journal is another one."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        (number,) = connection.execute(
            "SELECT number FROM executions WHERE id = ?", (id,)
        ).fetchone()
        position, data = connection.execute(
            "SELECT position, data FROM journal WHERE execution = ? ORDER BY position DESC LIMIT 1",
            (number,),
        ).fetchone()
        connection.execute(
            "UPDATE journal SET data = ? WHERE execution = ? AND position = ?",
            (data[:-1] + bytes([data[-1] ^ 1]), number, position),
        )
    tried(faults=1)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "perdure", *arguments], capture_output=True, text=True, timeout=60
    )


async def check(client: Client) -> None:
    """What clients are told of `damaged`."""
    handle = client.get("damaged")
    with pytest.raises(DataLossError, match="'damaged' is damaged: entry 0 is not as it was"):
        await handle.result(timeout=30)
    with pytest.raises(DataLossError, match="fork it from the intact beginning"):
        await client.start("gated", "quick", 1, id="damaged")
    assert "DataLossError: entry 0 is not as it was written" == (await handle.describe()).error
    listed = {info.id: info.error for info in [each async for each in client.list()]}
    assert {"damaged", "sound"} == listed.keys()
    assert listed["damaged"].startswith("DataLossError")
    assert "" == listed["sound"]


async def test_clients_are_told_which_execution_lost_data(tmp_path: Path) -> None:
    async with started_coordinator(tmp_path) as coordinator:
        async with perdure.connect(coordinator.endpoint, ambient=False) as client:
            await client.start("gated", "quick", 1, id="damaged")
            await client.start("gated", "quick", 2, id="sound")
        await coordinator.stop()
        flip(coordinator.database, "damaged")
        verified = command("verify", "--db", str(coordinator.database), "-o", "json")
        (finding,) = json.loads(verified.stdout)["findings"]
        assert (1, "damaged") == (verified.returncode, finding["id"])

        await coordinator.start()
        worker = WorkerProcess(coordinator.endpoint, APP, tmp_path / "witness")
        async with (
            perdure.connect(coordinator.endpoint, ambient=False) as client,
            killed_at_the_end(worker),
        ):
            await worker.start()
            assert 3 == await client.get("sound").result(timeout=30)
            await check(client)
        there = ("--endpoint", coordinator.endpoint, "-o", "json")
        shown = json.loads(command("show", "damaged", *there).stdout)
        assert shown["error"].startswith("DataLossError")
        refused = command("result", "damaged", *there)
        assert 1 == refused.returncode
        assert "the journal of execution 'damaged' is damaged" in refused.stderr
        await coordinator.stop()

        async with perdure.embedded(coordinator.database, services=[]) as runtime:
            await check(runtime.client)
