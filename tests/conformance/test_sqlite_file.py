"""What only a database file has: its owner, its schema, its mode, full and failing disks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from perdure_coordinator.store import open_store
from perdure_coordinator.store.sqlite import SqliteStore, open_file
from perdure_runtime.core.errors import (
    DatabaseInUseError,
    InvalidArgumentError,
    SchemaVersionError,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.memory import MemoryStore
from perdure_runtime.storage import (
    BadRow,
    Damaged,
    Filter,
    StoreBroken,
    StoreError,
    StoreFull,
    WriteBatch,
)
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of, rows_of

HOLD_A_STORE = """
import asyncio, sys
from perdure_coordinator.store import open_store
async def main():
    store = await open_store(sys.argv[1])
    print("open", flush=True)
    if len(sys.argv) > 2:
        raise SystemExit("ends without close")
    await asyncio.Event().wait()
asyncio.run(main())
"""


def start_holder(path: Path, *more: str) -> subprocess.Popen[str]:
    """A process that owns the database when this returns."""
    command = [sys.executable, "-c", HOLD_A_STORE, str(path), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    process.stdout.close()
    return process


async def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    cases = {
        "plain.db": "plain.db",
        "sqlite:///relative.db": "relative.db",
        f"sqlite:///{tmp_path}/absolute.db": "absolute.db",
        "~/home.db": "home.db",
    }
    for url, name in cases.items():
        await (await open_store(url)).close()
        assert (tmp_path / name).exists(), url
    for url in (":memory:", "sqlite://", "sqlite:///:memory:"):
        memory = await open_store(url)
        assert isinstance(memory, SqliteStore)
        epoch = (await memory.acquire("test")).epoch
        await memory.commit(WriteBatch(epoch, rows=rows_of(row_of(key_of("k")))))
        assert await memory.load_rows([key_of("k")]) != {}
        await memory.checkpoint()
        await memory.close()
    assert isinstance(await open_store("memory:"), MemoryStore)
    for url in ("postgresql://h/db", "sqlite://host/x", "http://h", ""):
        with pytest.raises(InvalidArgumentError):
            await open_store(url)
    with pytest.raises(StoreError, match=r"there is no directory /.*/missing; create it"):
        await open_store(tmp_path / "missing" / "x.db")


async def test_a_second_opener_is_told_the_pid_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    holder = start_holder(path)
    try:
        (tmp_path / "other name.db").symlink_to(path)
        for name in (path, tmp_path / "other name.db"):
            with pytest.raises(DatabaseInUseError, match="perdure server") as error:
                await open_store(name)
            assert str(holder.pid) in str(error.value)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    await (await open_store(path)).close()  # a dead owner holds nothing


async def test_one_process_cannot_open_a_file_twice(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "a.db")
    with pytest.raises(DatabaseInUseError, match="this process itself"):
        await open_store(tmp_path / "a.db")
    await store.close()
    await (await open_store(tmp_path / "a.db")).close()


async def test_a_process_that_never_closes_its_store_still_ends(tmp_path: Path) -> None:
    process = start_holder(tmp_path / "a.db", "raise")
    assert process.wait(timeout=20) == 1
    await (await open_store(tmp_path / "a.db")).close()


async def test_a_forked_child_neither_keeps_the_lock_nor_uses_the_store(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "a.db")
    assert isinstance(store, SqliteStore)
    refused, finished = multiprocessing.Pipe()

    def in_child() -> None:
        commit = store.load_rows([])
        try:
            commit.send(None)
        except StoreError as error:
            finished.send(str(error))
        finished.recv()  # live on after the parent has closed its store

    child = multiprocessing.get_context("fork").Process(target=in_child)
    child.start()
    try:
        assert refused.poll(20)
        assert "before it forked" in refused.recv()
        await store.close()
        await (await open_store(tmp_path / "a.db")).close()
    finally:
        refused.send("end")
        child.join(20)
    assert child.exitcode == 0


async def test_files_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = await open_store(tmp_path / "a.db")
    finally:
        os.umask(before)
    await store.acquire("test")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["a.db", "a.db-wal", "a.db-shm", "a.db.lock"], 0o600)
    await store.close()


async def test_a_newer_schema_is_refused_and_nothing_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await (await open_store(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SchemaVersionError, match=r"schema 99.*Install the newer Perdure"):
        await open_store(path)
    assert path.read_bytes() == before


async def test_other_files_are_refused_and_not_changed(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    text = tmp_path / "text.db"
    text.write_text("not a database at all " * 500)
    for path, words in ((other, "of another application"), (text, "is not a SQLite database")):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=f"cannot open {path}: .*{words}"):
            await open_store(path)
        assert path.read_bytes() == before
    assert not (tmp_path / "text.db.lock").exists()  # nothing is put beside what is no database


async def test_what_is_set_on_the_connections(tmp_path: Path) -> None:
    store = await open_file(tmp_path / "a.db")

    def settings(connection: sqlite3.Connection) -> tuple[object, ...]:
        names = ("journal_mode", "synchronous", "wal_autocheckpoint", "busy_timeout")
        return tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)

    full = 2
    for link in (store._writer, store._keeper):
        assert link is not None
        assert await link.run(settings) == ("wal", full, 0, 5000)
    for link in (store._reader, store._lister):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await link.run(lambda connection: connection.execute("DELETE FROM executions"))
    await store.close()


async def test_a_full_disk_refuses_whole_batches_and_recovers(tmp_path: Path) -> None:
    store = await open_file(tmp_path / "a.db")
    key, epoch = key_of("k"), (await store.acquire("test")).epoch
    await store.commit(WriteBatch(epoch, rows=rows_of(row_of(key)), entries=entries_of(key, 1)))

    async def limit_pages(count: int) -> None:
        await store._writer.run(lambda c: c.execute(f"PRAGMA max_page_count = {count}").fetchone())

    await limit_pages(1)  # SQLite takes the present size when it is larger
    big = entries_of(key, 40, first=1, size=4000)
    for _ in range(2):
        with pytest.raises(StoreFull):
            await store.commit(WriteBatch(epoch, clock_ms=9, entries=big))
    loaded = await store.load(key)
    assert loaded is not None
    assert loaded.length == 1
    await limit_pages(2**30)
    await store.commit(WriteBatch(epoch, entries=big))
    assert (await store.acquire("test")).clock_ms == 0
    await store.close()


async def test_a_value_that_is_too_big_is_a_bad_row(tmp_path: Path) -> None:
    store = await open_file(tmp_path / "a.db")
    key, epoch = key_of("k"), (await store.acquire("test")).epoch
    await store._writer.run(lambda c: c.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000))
    with pytest.raises(BadRow, match="too big"):
        await store.commit(
            WriteBatch(epoch, rows=rows_of(row_of(key)), entries=entries_of(key, 1, size=20_000))
        )
    assert await store.load(key) is None
    await store.close()


async def test_a_damaged_place_is_told_and_where_all_are_read_the_store_ends(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    store = await open_file(path)
    keys, epoch = [key_of(f"k{n}") for n in range(500)], (await store.acquire("test")).epoch
    await store.commit(WriteBatch(epoch, rows=rows_of(*map(row_of, keys))))
    await store.close()
    damaged = bytearray(path.read_bytes())
    for page in range(len(damaged) // 8192 * 4096, len(damaged), 4096):  # rows, not the schema
        damaged[page : page + 100] = b"\xff" * 100
    path.write_bytes(damaged)
    store = await open_file(path)
    with pytest.raises(Damaged, match="cannot be read there"):
        await store.load_rows(keys)
    assert await store.catalog() == []  # nobody else is concerned
    with pytest.raises(StoreBroken):
        await store.scan_unfinished(None, 1000, (Status.QUEUED,))
    with pytest.raises(StoreBroken, match="broke earlier"):
        await store.commit(WriteBatch(epoch))
    await store.close()


async def test_the_log_stays_bounded_and_nothing_is_lost(tmp_path: Path) -> None:
    path, limit = tmp_path / "a.db", 256 * 1024
    store = await open_file(path, checkpoint_bytes=limit)
    key, epoch = key_of("k"), (await store.acquire("test")).epoch
    await store.commit(WriteBatch(epoch, rows=rows_of(row_of(key))))
    entries = entries_of(key, 3000, size=2000)
    for start in range(0, len(entries), 10):
        await store.commit(WriteBatch(epoch, entries=entries[start : start + 10]))
    assert (tmp_path / "a.db-wal").stat().st_size < 16 * limit
    await store.close()
    assert not (tmp_path / "a.db-wal").exists()
    store = await open_file(path)
    loaded = await store.load(key)
    assert loaded is not None
    assert loaded.entries == entries
    await store.close()


async def test_a_wholly_copied_log_is_not_checkpointed_again(tmp_path: Path) -> None:
    """SQLite's WAL-reset bug needs a checkpoint that starts on such a log: see `maintenance`."""
    store = await open_file(tmp_path / "a.db")
    ran: list[str] = []

    def trace(statement: str) -> None:
        ran.append(statement)

    assert store._keeper is not None
    await store._keeper.run(lambda connection: connection.set_trace_callback(trace))
    epoch = (await store.acquire("test")).epoch
    for clock_ms in (0, 1, 2):
        if clock_ms:
            await store.commit(WriteBatch(epoch, clock_ms=clock_ms))
        for _ in range(3):
            await store.checkpoint()
    await store.commit(WriteBatch(epoch))  # writes nothing, so it changes nothing
    await store.checkpoint()
    assert ran == ["PRAGMA wal_checkpoint(PASSIVE)"] * 3
    await store.close()


async def test_lists_and_scans_use_their_indexes(tmp_path: Path) -> None:
    store = await open_file(tmp_path / "a.db")
    ran: list[str] = []
    for link in (store._reader, store._lister):
        await link.run(lambda connection: connection.set_trace_callback(ran.append))
    cases = {
        "executions_by_age": Filter("n"),
        "executions_by_status": Filter("n", statuses=(Status.FAILED,)),
        "executions_by_service": Filter("n", service="s"),
        "executions_by_parent": Filter("n", parent=key_of("p")),
    }
    for index, criteria in cases.items():
        ran.clear()
        await store.query(criteria, 10)
        plan = await explain(store, next(sql for sql in ran if sql.startswith("SELECT")))
        assert index in plan, (index, plan)
        assert "TEMP B-TREE" not in plan, plan
    ran.clear()
    await store.scan_unfinished(key_of("k"), 10, (Status.QUEUED, Status.SUSPENDED))
    plan = await explain(store, next(sql for sql in ran if sql.startswith("SELECT")))
    assert "executions_unfinished" in plan
    assert "TEMP B-TREE" not in plan
    ran.clear()
    await store.timers_due(5, 10)
    plan = await explain(store, next(sql for sql in ran if sql.startswith("SELECT")))
    assert "timers_by_due" in plan
    assert "TEMP B-TREE" not in plan
    await store.close()


async def explain(store: SqliteStore, sql: str) -> str:
    """SQLite's plan of a traced statement, whose parameters are filled in."""
    rows = await store._writer.run(
        lambda connection: connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    )
    return "; ".join(row[3] for row in rows)
