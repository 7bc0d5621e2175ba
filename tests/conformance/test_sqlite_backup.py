"""`verify`, `back_up`, `restore`: while others write, over damage, and from the command line."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from perdure_coordinator.store.sqlite import SqliteStore, open_file
from perdure_coordinator.store.sqlite.backup import back_up, restore
from perdure_coordinator.store.sqlite.verify import Report, verify
from perdure_runtime.core.errors import AlreadyExistsError
from perdure_runtime.storage import StoreError, WriteBatch
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of, rows_of

KEY = key_of("k")
ENTRIES = entries_of(KEY, 3000, size=300)


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody reads."""


def copied(source: Path, target: Path) -> Report:
    return back_up(source, target, quiet)


async def filled(path: Path, entries: int = 20) -> SqliteStore:
    store = await open_file(path)
    epoch = (await store.acquire("test")).epoch
    batch = WriteBatch(epoch, rows=rows_of(row_of(KEY)), entries=ENTRIES[:entries])
    await store.commit(batch)
    return store


async def test_backups_while_commits_go_on_are_prefixes(tmp_path: Path) -> None:
    store = await filled(tmp_path / "a.db", 1)
    epoch = (await store.acquire("test")).epoch
    acknowledged, stop = 1, threading.Event()

    async def write() -> None:
        nonlocal acknowledged
        while not stop.is_set() and acknowledged < len(ENTRIES):
            await store.commit(WriteBatch(epoch, entries=[ENTRIES[acknowledged]]))
            acknowledged += 1

    writing = asyncio.create_task(write())
    lengths = []
    for number in range(4):
        before = acknowledged
        target = tmp_path / f"copy{number}.db"
        report = await asyncio.to_thread(copied, tmp_path / "a.db", target)
        assert not report.findings
        assert before <= report.entries <= acknowledged + 1
        assert target.stat().st_mode & 0o777 == 0o600
        lengths.append(report.entries)
    stop.set()
    await writing
    await store.close()
    assert lengths == sorted(lengths)
    assert lengths[-1] > 1
    reopened = await open_file(tmp_path / "copy3.db")
    loaded = await reopened.load(KEY)
    assert loaded is not None
    assert loaded.entries == ENTRIES[: lengths[-1]]
    await reopened.close()


async def test_a_backup_overwrites_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    await (await filled(tmp_path / "a.db")).close()
    (tmp_path / "there").write_text("mine")
    with pytest.raises(AlreadyExistsError, match="not overwritten"):
        back_up(tmp_path / "a.db", tmp_path / "there", quiet)
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(StoreError, match="does not exist"):
        back_up(tmp_path / "nothing.db", tmp_path / "copy.db", quiet)
    with pytest.raises(StoreError):
        back_up(tmp_path / "there", tmp_path / "copy.db", quiet)
    assert not list(tmp_path.glob("*.part"))
    assert not (tmp_path / "copy.db").exists()


async def test_a_restored_copy_is_a_database_whose_epochs_are_new(tmp_path: Path) -> None:
    store = await filled(tmp_path / "a.db")
    original = (await store.acquire("original")).epoch
    back_up(tmp_path / "a.db", tmp_path / "copy.db", quiet)
    with pytest.raises(AlreadyExistsError):
        restore(tmp_path / "copy.db", tmp_path / "a.db", quiet)
    await store.close()
    (tmp_path / "a.db").rename(tmp_path / "old.db")
    assert restore(tmp_path / "copy.db", tmp_path / "a.db", quiet).entries == 20
    store = await open_file(tmp_path / "a.db")
    assert (await store.acquire("after")).epoch > original
    await store.close()


DAMAGE = {
    "an entry changed": "UPDATE journal SET data = x'00' WHERE position = 7",
    "an entry missing": "DELETE FROM journal WHERE position = 7",
    "the end missing": "DELETE FROM journal WHERE position >= 18",
    "two entries swapped": "UPDATE journal SET position = CASE position WHEN 3 THEN -4 ELSE -3 END"
    " WHERE position IN (3, 4)",
    "a time changed": "UPDATE journal SET time_ms = time_ms + 1 WHERE position = 5",
    "rows of nobody": "INSERT INTO timers VALUES (1, 99, 'timer', 'p', 0, 0, 1, 1)",
}


@pytest.mark.parametrize("what", DAMAGE)
async def test_what_is_not_as_it_was_written_is_found(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.db"
    await (await filled(path)).close()
    assert not verify(path).findings
    connection = sqlite3.connect(path)
    connection.execute(DAMAGE[what])
    if "swapped" in what:
        connection.execute("UPDATE journal SET position = -position WHERE position < 0")
    connection.commit()
    connection.close()
    report = verify(path)
    assert len(report.findings) == 1
    assert report.findings[0].id == ("" if "nobody" in what else KEY.id)


def perdure(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perdure", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


async def test_the_commands_say_what_they_found(tmp_path: Path) -> None:
    path, copy = str(tmp_path / "a.db"), str(tmp_path / "copy.db")
    await (await filled(Path(path))).close()
    ended = perdure("backup", "--db", path, "--to", copy)
    assert ended.returncode == 0, ended.stderr
    ended = perdure("verify", "--db", copy, "-o", "json")
    assert (ended.returncode, json.loads(ended.stdout)["entries"]) == (0, 20)
    connection = sqlite3.connect(copy)
    connection.execute(DAMAGE["an entry changed"])
    connection.commit()
    connection.close()
    ended = perdure("verify", "--db", copy)
    assert ended.returncode == 1
    assert "entry 7 is not as it was written" in ended.stdout
    assert "is not overwritten" in perdure("backup", "--db", path, "--to", copy).stderr
    assert "does not exist" in perdure("verify", "--db", str(tmp_path / "nothing")).stderr
