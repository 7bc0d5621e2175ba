"""Opening a database file: whose it is, which schema it has, and the numbered migrations.

A file with a newer schema or of another application is refused before anything is written to it.
Each migration runs in one transaction with its version number: a crash leaves the old schema or the
new one.
"""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from importlib.resources import files
from typing import Final

from perdure_runtime.core.errors import SchemaVersionError
from perdure_runtime.storage import StoreError

APPLICATION_ID: Final = 0x50657264  # "Perd", in the file's header for `file` and for us
_SQL_NAME: Final = re.compile(r"(\d{4})_\w+\.sqlite\.sql")


@cache
def migrations() -> dict[int, str]:
    """SQL by schema version, in order."""
    found = {}
    for file in files("perdure_coordinator.store").joinpath("sql").iterdir():
        match = _SQL_NAME.fullmatch(file.name)
        if match:
            found[int(match[1])] = file.read_text("utf-8")
    versions = sorted(found)
    if versions != list(range(1, len(versions) + 1)):
        raise StoreError(f"the installed package lacks migrations: it has {versions}")
    return {version: found[version] for version in versions}


def check_schema(connection: sqlite3.Connection) -> int:
    """The schema version of the file, 0 for an empty one. Changes nothing.

    Raises:
        SchemaVersionError: a newer Perdure wrote it.
        StoreError: another application's database.
    """
    version = _pragma(connection, "user_version")
    application_id = _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise StoreError(
            "the file is a database of another application; give Perdure a file of its own"
        )
    newest = max(migrations())
    if version > newest:
        raise SchemaVersionError(
            f"the database has schema {version}, this version of Perdure knows up to {newest}. "
            "Nothing was changed. Install the newer Perdure that wrote it, "
            "or restore a backup from before the upgrade."
        )
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest schema; what `check_schema` raises, this raises."""
    for version, sql in migrations().items():
        if version > check_schema(connection):
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA application_id = {APPLICATION_ID};\n"
                    f"PRAGMA user_version = {version};\nCOMMIT;"
                )
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
