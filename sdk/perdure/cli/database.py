"""`perdure verify`, `backup`, `restore`: the database file, without a coordinator."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from perdure.cli import INSTALL
from perdure.cli.arguments import Format, Output
from perdure.cli.failures import ExitCode, failures_shown, tell
from perdure.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure._compose.database import Report

Database = Annotated[
    str | None, typer.Option("--db", help="SQLite file.", show_default="perdure.db")
]
To = Annotated[Path, typer.Option("--to", help="The copy; it must not exist.")]
From = Annotated[Path, typer.Option("--from", help="What `perdure backup` wrote.")]

_TOLD_EVERY_S: Final = 1.0


def verify(db: Database = None, output: Output = Format.TABLE) -> None:
    """Read a whole database and list what is damaged; a server may be using it.

    Nothing is changed. Exit code 1 if something is damaged.
    """

    def work() -> Report:
        from perdure._compose.database import run_verify
        from perdure.settings import load_settings

        return run_verify(load_settings(db=db).db, _told())

    _run(work, output)


def backup(to: To, db: Database = None, output: Output = Format.TABLE) -> None:
    """Copy a database as it is at one moment, also while a server writes to it.

    The copy is read back whole. Exit code 1 if something in it is damaged; it is kept all the same.
    """

    def work() -> Report:
        from perdure._compose.database import run_backup
        from perdure.settings import load_settings

        return run_backup(load_settings(db=db).db, to, _told())

    _run(work, output)


def restore(source: From, db: Database = None, output: Output = Format.TABLE) -> None:
    """Put a backup in the place of a database that was moved away.

    What happened after the backup is lost. Workers that still know of it say so when they connect:
    those executions are kept apart as damaged.
    """

    def work() -> Report:
        from perdure._compose.database import run_restore
        from perdure.settings import load_settings

        return run_restore(source, load_settings(db=db).db, _told())

    _run(work, output)


def _run(work: Callable[[], Report], output: Format) -> None:
    try:
        with failures_shown():
            report = work()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("perdure"):
            raise
        tell(f"this needs {error.name}: {INSTALL}")
        raise SystemExit(ExitCode.USAGE) from None
    if output is Format.JSON:
        print_json(report)
    else:
        _print(report)
    if report.findings:
        raise SystemExit(ExitCode.FAILED)


def _print(report: Report) -> None:
    executions = sum(1 for finding in report.findings if finding.id)
    objects = sum(1 for finding in report.findings if finding.object)
    others = len(report.findings) - executions - objects
    print_fields(
        {
            "file": report.path,
            "schema": report.schema,
            "executions": report.executions,
            "entries": report.entries,
            "objects": report.objects,
            "damaged": f"{executions} executions" if executions else "none",
            "damaged objects": str(objects or ""),
            "other problems": str(others or ""),
        }
    )
    if report.findings:
        rows = [
            (f.namespace, f.id or f.object, f.status, f.problem, f.advice) for f in report.findings
        ]
        print_table(("NAMESPACE", "EXECUTION OR OBJECT", "STATUS", "PROBLEM", "WHAT TO DO"), rows)


def _told() -> Callable[[str, int, int], None]:
    """Progress on stderr, now and then, from the first second on."""
    last_s = time.monotonic()

    def tell_progress(what: str, done: int, total: int) -> None:
        nonlocal last_s
        if time.monotonic() - last_s < _TOLD_EVERY_S:
            return
        last_s = time.monotonic()
        of = f" of {total}" if total else ""
        sys.stderr.write(f"perdure: {what}: {done}{of}\n")

    return tell_progress
