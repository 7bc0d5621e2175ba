"""A copy of a database of one moment, also while its owner writes; and the way back.

SQLite's backup interface, inside one read transaction: the copy is what had been committed when it
began, whatever is written meanwhile, and commits do not wait for it. It never checkpoints (see
`maintenance`); as long as it runs the log of a live database only grows. The copy is one file, read
by its user alone, read back whole before it gets its name.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from perdure_coordinator.store.sqlite.errors import READ_ERRORS, store_error
from perdure_coordinator.store.sqlite.lock import OwnerLock
from perdure_coordinator.store.sqlite.log_check import lost_commits
from perdure_coordinator.store.sqlite.place import real_path
from perdure_coordinator.store.sqlite.schema import check_schema
from perdure_coordinator.store.sqlite.verify import (
    Progress,
    Report,
    open_for_reading,
    verify,
)
from perdure_runtime.core.errors import AlreadyExistsError
from perdure_runtime.storage import StoreError

PAGES_AT_ONCE: Final = 1_000
_BESIDE: Final = ("", "-wal", "-shm")


def back_up(source: Path, target: Path, progress: Progress) -> Report:
    """Copy a database; returns what the check of the copy has found.

    Args:
        source: may be in use.
        target: a file that does not exist.

    Raises:
        AlreadyExistsError: the target exists; nothing is overwritten.
        StoreError: the source is no database of Perdure's, or the target cannot be written.
    """
    source, target = real_path(source), real_path(target)
    with closing(open_for_reading(source)) as connection:
        if not check_schema(connection):
            raise StoreError(f"{source} is empty: no Perdure has written to it")
        refuse_existing(target)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            _copy(connection, part, progress)
            report = verify(part, progress, is_alone=True)
            os.link(part, target)  # unlike a rename it never replaces
            _sync(target.parent)
        except FileExistsError:
            raise _exists(target) from None
        except OSError as error:
            raise StoreError(f"cannot write {target}: {error.strerror}") from error
        except READ_ERRORS as error:
            raise store_error(error) from error
        finally:
            part.unlink(missing_ok=True)
        lost = lost_commits(source)
    report.path = str(target)
    if lost:
        report.add(
            f"the write-ahead log of {source} is damaged: {lost} commits are not in the copy",
            "prefer a backup from before; workers that know more are found when they connect",
        )
    return report


def restore(backup: Path, target: Path, progress: Progress) -> Report:
    """Put a backup in the place of a database that has been moved away.

    Raises:
        AlreadyExistsError: there is a database, or the log of one.
        DatabaseInUseError: a process has the place.
        StoreError: see `back_up`.
    """
    target = real_path(target)
    refuse_existing(target)
    try:
        lock = OwnerLock(target)
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror}") from error
    try:
        return back_up(backup, target, progress)
    finally:
        lock.release()


def refuse_existing(target: Path) -> None:
    """A log beside a file of another time would be read as its own: it must not be there either.

    Raises:
        AlreadyExistsError: something is in the place.
    """
    for suffix in _BESIDE:
        if os.path.lexists(target.with_name(target.name + suffix)):
            raise _exists(target.with_name(target.name + suffix))


def _exists(target: Path) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"{target} exists and is not overwritten: choose another name, or move it away together "
        "with the files -wal and -shm beside it"
    )


def _copy(connection: sqlite3.Connection, part: Path, progress: Progress) -> None:
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def tell(_: int, remaining: int, total: int) -> None:
        progress("copied pages", total - remaining, total)

    connection.execute("BEGIN")
    try:
        connection.execute("SELECT count(*) FROM owner").fetchone()  # from here on it is one moment
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # synced below, once
            connection.backup(copy, pages=PAGES_AT_ONCE, progress=tell)
    finally:
        connection.execute("ROLLBACK")
    _sync(part)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
