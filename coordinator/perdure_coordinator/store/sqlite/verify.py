"""Reading a whole database to find what is damaged, also while its owner writes.

Only reads, in short pieces, so that the log of a live database can start anew meanwhile: each page
of a journal is of one moment, and a journal that grows between two pages is followed. Nothing is
repaired. What is found concerns the file as such, or one execution.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

from perdure_coordinator.engine.letters import decode_letter
from perdure_coordinator.store.sqlite import load
from perdure_coordinator.store.sqlite.errors import READ_ERRORS, is_damage, store_error
from perdure_coordinator.store.sqlite.log_check import lost_commits
from perdure_coordinator.store.sqlite.place import real_path
from perdure_coordinator.store.sqlite.schema import check_schema, migrations
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.integrity import ADVICE, OBJECT_ADVICE, JournalCheck
from perdure_runtime.storage import StoreError

PAGE_ENTRIES: Final = 1_000
PAGE_BYTES: Final = 4 * 1024 * 1024
ROWS_AT_ONCE: Final = 500
MAX_FINDINGS: Final = 10_000
WHOLE_FILE: Final = "restore a backup; what is intact is read as before"

Progress = Callable[[str, int, int], None]
"""What is being read, how much of it has been, and how much there is (0: unknown)."""


class Finding(Struct, frozen=True):
    """Something that is wrong, with what to do.

    It is about the execution `id` or the durable object `object`; about the whole file without
    both.
    """

    namespace: str
    id: str
    status: str
    problem: str
    advice: str
    object: str = ""


class Report(Struct):
    """What `verify` has read, and what is wrong with it."""

    path: str
    schema: int = 0
    executions: int = 0
    entries: int = 0
    objects: int = 0
    findings: list[Finding] = []

    def add(self, problem: str, advice: str = WHOLE_FILE) -> None:
        """Something that concerns the whole file."""
        self.findings.append(Finding("", "", "", problem, advice))


def _silent(what: str, done: int, total: int) -> None:
    return None


def verify(path: Path, progress: Progress = _silent, *, is_alone: bool = False) -> Report:
    """Read everything.

    Args:
        progress: called every now and then.
        is_alone: nobody else can have the file: it is read without its log and leaves no traces.

    Raises:
        StoreError: there is no such file, or it is not a database of Perdure's.
        SchemaVersionError: a newer version of Perdure wrote it.
    """
    with closing(open_for_reading(path, is_alone=is_alone)) as connection:
        report = Report(str(path))
        try:
            report.schema = check_schema(connection)
        except READ_ERRORS as error:
            raise store_error(error) from error
        if not report.schema:
            raise StoreError(f"{path} is empty: no Perdure has written to it")
        if report.schema < max(migrations()):
            raise StoreError(
                f"{path} has schema {report.schema}, this version of Perdure reads "
                f"{max(migrations())}: start it once with this version, or verify it with the one "
                "that wrote it"
            )
        lost = 0 if is_alone else lost_commits(path)
        if lost:
            report.add(
                f"the write-ahead log is damaged: {lost} commits behind that place are lost",
                "restore a backup; `perdure backup` takes what is left",
            )
        _check_pages(connection, report, progress)
        _check_journals(connection, report, progress)
        _check_objects(connection, report, progress)
        _check_orphans(connection, report)
    return report


def open_for_reading(path: Path, *, is_alone: bool = False) -> sqlite3.Connection:
    """A connection that cannot write and never checkpoints.

    Raises:
        StoreError: there is no such file, or it cannot be read.
    """
    path = real_path(path)
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise StoreError(f"{path} {what}: name the file of a database")
    uri = f"{path.as_uri()}?mode=ro{'&immutable=1' if is_alone else ''}"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except READ_ERRORS as error:
        failure = store_error(error)
        raise type(failure)(f"cannot read {path}: {failure}") from error
    return connection


def _check_pages(connection: sqlite3.Connection, report: Report, progress: Progress) -> None:
    """SQLite's own check: the structure of pages, tables and indexes."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        progress("pages", steps, 0)

    connection.set_progress_handler(step, 5_000_000)
    try:
        for (text,) in connection.execute("PRAGMA integrity_check(100)"):
            if text != "ok":
                report.add(f"SQLite: {text}")
    except READ_ERRORS as error:
        report.add(f"SQLite cannot check it: {error}")
    finally:
        connection.set_progress_handler(None, 0)


def _check_journals(connection: sqlite3.Connection, report: Report, progress: Progress) -> None:
    try:
        (total,) = connection.execute("SELECT count(*) FROM executions").fetchone()
        for key, status in _executions(connection):
            problem = _problem_of(connection, key, report)
            if problem and len(report.findings) < MAX_FINDINGS:
                report.findings.append(Finding(*key, status, problem, ADVICE))
            report.executions += 1
            if report.executions % 100 == 0:
                progress("executions", report.executions, total)
    except READ_ERRORS as error:
        report.add(f"not all executions can be read: {error}")


def _executions(connection: sqlite3.Connection) -> Iterator[tuple[ExecutionKey, str]]:
    after = -1
    while rows := connection.execute(
        "SELECT number, namespace, id, status FROM executions WHERE number > ?"
        " ORDER BY number LIMIT ?",
        (after, ROWS_AT_ONCE),
    ).fetchall():
        for _, namespace, id, status in rows:
            yield ExecutionKey(namespace, id), status
        after = rows[-1][0]


def _problem_of(connection: sqlite3.Connection, key: ExecutionKey, report: Report) -> str:
    """What is wrong with the journal of one execution; "" if it is as it was written."""
    check = JournalCheck()
    while True:
        try:
            page = load.load(connection, key, check.index, PAGE_ENTRIES, PAGE_BYTES)
        except READ_ERRORS as error:
            if not is_damage(error):
                raise
            return f"it cannot be read from entry {check.index} on: {error}"
        if page is None:  # deleted meanwhile; or an index does not find the row: SQLite says so
            return ""
        report.entries += len(check.take(page))
        row = page.row
        if row.damage or check.problem:
            return row.damage or check.problem
        if check.index >= page.length:
            if not page.length or not page.first <= row.run_index < page.length:
                return f"its run begins at entry {row.run_index} of {page.length}"
            return ""


def _check_objects(connection: sqlite3.Connection, report: Report, progress: Progress) -> None:
    """The stored states of durable objects, one by one."""
    try:
        for key in _objects(connection):
            for row in load.load_objects(connection, [key]).values():
                if row.damage and len(report.findings) < MAX_FINDINGS:
                    found = Finding(key.namespace, "", "", row.damage, OBJECT_ADVICE, key.name())
                    report.findings.append(found)
            report.objects += 1
            if report.objects % 1_000 == 0:
                progress("objects", report.objects, 0)
    except READ_ERRORS as error:
        report.add(f"not all objects can be read: {error}")


def _objects(connection: sqlite3.Connection) -> Iterator[ObjectKey]:
    """Their names, from the index: the rows themselves may be unreadable."""
    after = ObjectKey("", "", "")
    while rows := connection.execute(
        "SELECT namespace, class_name, key FROM objects"
        " WHERE (namespace, class_name, key) > (?, ?, ?)"
        " ORDER BY namespace, class_name, key LIMIT ?",
        (*after, ROWS_AT_ONCE),
    ).fetchall():
        yield from (ObjectKey(*names) for names in rows)
        after = ObjectKey(*rows[-1])


_ORPHANS: Final = {
    "entries": "SELECT count(DISTINCT execution) FROM journal"
    " WHERE execution NOT IN (SELECT number FROM executions)",
    "ends of journals": "SELECT count(*) FROM journals"
    " WHERE execution NOT IN (SELECT number FROM executions)",
    "timers": "SELECT count(*) FROM timers WHERE execution NOT IN (SELECT number FROM executions)",
    "waits for events": "SELECT count(*) FROM waits WHERE NOT EXISTS (SELECT 1 FROM executions e"
    " WHERE e.namespace = waits.namespace AND e.id = waits.execution_id)",
    "places in lanes of objects": "SELECT count(*) FROM executions WHERE lane_order > 0"
    " AND status IN ('completed', 'failed', 'cancelled', 'timed_out')",
}


def _check_orphans(connection: sqlite3.Connection, report: Report) -> None:
    """Rows of executions that are not there, and letters that nobody can read."""
    try:
        for what, sql in _ORPHANS.items():
            (count,) = connection.execute(sql).fetchone()
            if count:
                report.add(f"{what} of {count} executions that are not there or have ended")
        if connection.execute("SELECT count(*) FROM owner").fetchone() != (1,):
            report.add("the row with the owner's epoch is missing")
        for id, execution, body in connection.execute("SELECT id, execution, body FROM outbox"):
            try:
                decode_letter(body)
            except Exception as error:  # whatever the bytes make of it
                report.add(f"message {id} to execution {execution!r} cannot be read: {error}")
    except READ_ERRORS as error:
        report.add(f"not all tables can be read: {error}")
