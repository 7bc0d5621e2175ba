"""A damaged journal as clients see it: a typed error for its execution, and work for all others."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import perdure
from perdure import Client
from perdure.errors import DataLossError, ExecutionFailed
from tests.integration.apps.gated import Till
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


def flip_object(database: Path, id: str) -> None:
    """One bit of the saved state of an object is another one."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        (data,) = connection.execute("SELECT data FROM objects WHERE key = ?", (id,)).fetchone()
        data = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
        connection.execute("UPDATE objects SET data = ? WHERE key = ?", (data, id))
    tried(faults=1)


async def test_an_object_whose_state_was_altered_is_used_by_nobody(tmp_path: Path) -> None:
    async with started_coordinator(tmp_path) as coordinator:
        worker = WorkerProcess(coordinator.endpoint, APP, tmp_path / "witness")
        async with (
            perdure.connect(coordinator.endpoint),
            killed_at_the_end(worker),
        ):
            await worker.start()
            for till in ("damaged", "sound"):
                assert 5 == await (await Till.get_or_create(till)).pay(5)
            await coordinator.stop()
            flip_object(coordinator.database, "damaged")
            verified = command("verify", "--db", str(coordinator.database), "-o", "json")
            (finding,) = json.loads(verified.stdout)["findings"]
            assert (1, "Till/damaged") == (verified.returncode, finding["object"])
            assert "Till/damaged" in command("verify", "--db", str(coordinator.database)).stdout
            for balance in (10, 15):
                await coordinator.start()
                damaged = await Till.get_or_create("damaged")
                with pytest.raises(ExecutionFailed, match="'Till/damaged' is damaged") as raised:
                    await damaged.pay(5)
                assert isinstance(raised.value.__cause__, DataLossError)
                with pytest.raises(DataLossError, match="object 'Till/damaged' is damaged"):
                    await damaged.get_state()
                assert balance == await (await Till.get_or_create("sound")).pay(5)
                assert 0 == await coordinator.stop()


def without_rights(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of a user who may do only what the modes of files allow."""
    rights = "-dac_override,-dac_read_search"
    drop = [] if os.geteuid() else ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
    return subprocess.run(
        [*drop, sys.executable, "-m", "perdure", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_server_says_which_file_it_cannot_use_and_ends(tmp_path: Path) -> None:
    text, sealed = tmp_path / "text.db", tmp_path / "sealed"
    text.write_text("This is a letter, and no database of anybody's. " * 100)
    (tmp_path / "given").mkdir()
    sealed.mkdir()
    only_read = tmp_path / "only_read.db"
    only_read.touch(mode=0o400)
    sealed.chmod(0o500)
    cases = {
        text: "it is not a SQLite database; give Perdure a file of its own",
        tmp_path / "given": "it is a directory; name a file",
        tmp_path / "missing" / "x.db": f"there is no directory {tmp_path}/missing; create it",
        sealed / "x.db": f"this user must be able to create files in {sealed}",
        only_read: "this user must be able to write to it",
    }
    for path, words in cases.items():
        before = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
        refused = without_rights("server", "--db", str(path), "--port", "0")
        assert (1, "") == (refused.returncode, refused.stdout), path
        assert refused.stderr.startswith(f"perdure: cannot open {path}: "), path
        assert words in refused.stderr, path
        if path in (text, tmp_path / "given"):
            assert before == sorted(path.parent.iterdir())


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
