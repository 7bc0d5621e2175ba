"""The database file itself, without a coordinator: verify, back up, restore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from perdure_coordinator.store import file_of
from perdure_coordinator.store.sqlite.backup import back_up, restore
from perdure_coordinator.store.sqlite.verify import Report, verify
from perdure_runtime.core.errors import InvalidArgumentError

Progress = Callable[[str, int, int], None]

__all__ = ["Report", "run_backup", "run_restore", "run_verify"]


def run_verify(db: str, progress: Progress) -> Report:
    """Read a whole database; see `store.sqlite.verify`.

    Raises:
        InvalidArgumentError: it is no file.
        StoreError: there is none, or it is not Perdure's.
    """
    return verify(_file(db), progress)


def run_backup(db: str, to: Path, progress: Progress) -> Report:
    """Copy a database, in use or not; see `store.sqlite.backup`.

    Raises:
        AlreadyExistsError: `to` exists.
        StoreError: the database cannot be read, or `to` not be written.
    """
    return back_up(_file(db), to, progress)


def run_restore(backup: Path, db: str, progress: Progress) -> Report:
    """Put a backup in the place of a database.

    Raises:
        AlreadyExistsError: there is a database.
        DatabaseInUseError: a process has the place.
        StoreError: the backup cannot be read, or the database not be written.
    """
    return restore(backup, _file(db), progress)


def _file(db: str) -> Path:
    path = file_of(db)
    if path is None:
        raise InvalidArgumentError(f"{db!r} is no file: this needs the path of a SQLite database")
    return path
