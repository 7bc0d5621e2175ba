"""A migration that is killed anywhere leaves the old schema, whole; the next start goes on."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from perdure_coordinator.store.sqlite import open_file
from perdure_coordinator.store.sqlite.schema import migrations
from perdure_runtime.core.errors import SchemaVersionError
from perdure_runtime.storage import WriteBatch
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of, rows_of
from tests.proof.counting import tried

KEY = key_of("a")
STATEMENTS = (
    "ALTER TABLE executions ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'",
    # More than the cache holds: pages of the transaction are in the log when it is killed.
    "CREATE TABLE copies AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 5000) SELECT i, hex(randomblob(400)) AS text FROM n",
    "CREATE INDEX copies_by_text ON copies (text)",
)
MIGRATE = """
import os, signal, sqlite3, sys
from perdure_coordinator.store.sqlite import schema
path, *statements = sys.argv[1:]
newest = max(schema.migrations())
known = schema.migrations()
schema.migrations = lambda: known | {newest + 1: ";".join(statements) + ";"}
connection = sqlite3.connect(path)
connection.execute("PRAGMA cache_size = 10")
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
schema.migrate(connection)
"""


def migrate(path: Path, *statements: str) -> int:
    """A process brings the file to the schema that comes next; returns how it ended."""
    ended = subprocess.run([sys.executable, "-c", MIGRATE, str(path), *statements], timeout=60)
    tried(faults=ended.returncode == -signal.SIGKILL)
    return ended.returncode


async def check(path: Path) -> None:
    """What was in the file before is there, and it can be written."""
    store = await open_file(path)
    try:
        loaded = await store.load(KEY)
        assert loaded is not None
        assert loaded.entries == entries_of(KEY, 3)
    finally:
        await store.close()


@pytest.mark.parametrize("dies_before", range(len(STATEMENTS) + 1))
async def test_a_migration_killed_anywhere_leaves_the_old_schema(
    tmp_path: Path, dies_before: int
) -> None:
    path = tmp_path / "test.db"
    store = await open_file(path)
    owned = await store.acquire("test")
    await store.commit(
        WriteBatch(owned.epoch, rows=rows_of(row_of(KEY)), entries=entries_of(KEY, 3))
    )
    await store.close()

    killed = [*STATEMENTS[:dies_before], "SELECT die()", *STATEMENTS[dies_before:]]
    assert -signal.SIGKILL == migrate(path, *killed)
    with closing(sqlite3.connect(path)) as connection:
        assert (max(migrations()),) == connection.execute("PRAGMA user_version").fetchone()
        assert ("ok",) == connection.execute("PRAGMA integrity_check").fetchone()
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        assert not {"copies", "copies_by_text"} & names
        columns = {row[1] for row in connection.execute("PRAGMA table_info(executions)")}
        assert "colour" not in columns
    await check(path)

    assert 0 == migrate(path, *STATEMENTS)  # the next start
    with pytest.raises(SchemaVersionError, match="Nothing was changed"):
        await open_file(path)  # by what does not know it
    with closing(sqlite3.connect(path)) as connection:
        assert (5000,) == connection.execute("SELECT count(*) FROM copies").fetchone()
        assert ("ok",) == connection.execute("PRAGMA integrity_check").fetchone()


async def test_the_first_schema_killed_half_way_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    first = migrations()[1]
    cut = first.index(";\n", len(first) // 2) + 1
    script = MIGRATE.replace("known | ", "").replace("newest + 1", "1")
    command = [sys.executable, "-c", script, str(path), f"{first[:cut]} SELECT die()"]
    assert -signal.SIGKILL == subprocess.run(command, timeout=60).returncode
    store = await open_file(path)
    await store.acquire("test")
    await store.close()
