"""Room in the write-ahead log: commits do not let the file grow, and what is read is the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from perdure_coordinator.store.sqlite import SqliteStore, open_file, room
from perdure_runtime.storage import WriteBatch
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of, rows_of

COMMITS = 40
KEY = key_of("a")


async def write_some(store: SqliteStore, first: int = 0, epoch: int | None = None) -> int:
    if epoch is None:
        epoch = (await store.acquire("me")).epoch
        await store.commit(WriteBatch(epoch, rows=rows_of(row_of(KEY))))
    entries = entries_of(KEY, first + COMMITS, size=2000)[first:]
    for entry in entries:
        await store.commit(WriteBatch(epoch, entries=[entry]))
    return epoch


async def test_commits_write_into_room_that_is_there(tmp_path: Path) -> None:
    log = tmp_path / "a.db-wal"
    store = await open_file(tmp_path / "a.db")
    epoch = (await store.acquire("me")).epoch
    await store.commit(WriteBatch(epoch, rows=rows_of(row_of(KEY))))
    length = log.stat().st_size
    assert length > room.STEP_BYTES
    await write_some(store, 0, epoch)
    assert log.stat().st_size == length
    await store.close()
    assert not log.exists()


async def test_a_log_with_room_is_read_as_one_without_after_a_crash(tmp_path: Path) -> None:
    store = await open_file(tmp_path / "a.db")
    await write_some(store)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("a.db", "a.db-wal"):  # as the disk is if the process dies here
        shutil.copy(tmp_path / name, copy / name)
    await store.close()
    reopened = await open_file(copy / "a.db")
    loaded = await reopened.load(KEY)
    assert loaded is not None
    assert loaded.entries == entries_of(KEY, COMMITS, size=2000)
    await reopened.close()


async def test_room_is_made_again_when_it_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STEP_BYTES", 64 * 1024)
    monkeypatch.setattr(room, "MARGIN_BYTES", 16 * 1024)
    log = tmp_path / "a.db-wal"
    store = await open_file(tmp_path / "a.db")
    lengths = {log.stat().st_size}
    epoch = await write_some(store)
    for number in range(1, 4):
        await write_some(store, number * COMMITS, epoch)
        lengths.add(log.stat().st_size)
    assert len(lengths) > 3
    loaded = await store.load(KEY)
    assert loaded is not None
    assert loaded.length == 4 * COMMITS
    await store.close()


async def test_without_room_on_the_disk_commits_go_on(tmp_path: Path) -> None:
    store = await open_file(tmp_path / "a.db")
    assert store._room is not None
    store._room._log = tmp_path / "nowhere" / "log"
    await write_some(store)
    await store.close()
