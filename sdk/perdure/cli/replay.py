"""`perdure replay`: does the code as it is now fit what was recorded?"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.arguments import Endpoint, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.failures import ExitCode, failures_shown
from perdure.cli.output import print_json

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.service import Service
    from perdure.testing.journal import RecordedJournal
    from perdure.testing.replaying import ReplayReport

Subjects = Annotated[
    list[str],
    typer.Argument(
        metavar="ID|FILE|DIRECTORY...",
        help="Executions of a coordinator, or what `perdure history ID -o json` printed.",
    ),
]
Code = Annotated[
    str, typer.Option("--code", metavar="CODE", help="app.py, app or app:service.", prompt=False)
]


def replay(
    subjects: Subjects,
    code: Code,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Replay recorded journals against code, without effects.

    Exit code 1 and a diff with the source line if the code does not fit one of them.
    """
    with failures_shown():
        from perdure.cli.loading import load_services
        from perdure.registry import DEFAULT_SERVICE
        from perdure.testing.journal import files_of

        services = load_services(code, DEFAULT_SERVICE)
        ids = [each for each in subjects if not Path(each).exists()]
        found = [
            (str(file), journal)
            for each in subjects
            if each not in ids
            for file, journals in files_of(each)
            for journal in journals
        ]
    if ids:
        with_client(_fetching(ids, found), endpoint, namespace, token)
    with failures_shown():
        if not _show(found, services, output):
            raise SystemExit(ExitCode.FAILED)


def _fetching(
    ids: list[str], found: list[tuple[str, RecordedJournal]]
) -> Callable[[Client], Coroutine[Any, Any, None]]:
    async def fetch(client: Client) -> None:
        from perdure.testing.journal import RecordedJournal

        found.extend([(id, await RecordedJournal.fetch(client, id)) for id in ids])

    return fetch


def _show(
    found: list[tuple[str, RecordedJournal]], services: list[Service], output: Format
) -> bool:
    """Print a report for each; whether all fit."""
    from perdure.testing.replaying import find_definition, replay_journal

    fit = True
    for source, journal in found:
        report = replay_journal(journal, find_definition(journal.target, services))
        fit = fit and report.matches
        if output is Format.JSON:
            fields = {"source": source, **dataclasses.asdict(report), "matches": report.matches}
            print_json(fields)
        else:
            sys.stdout.write(_line(source, report) + "\n")
    return fit


def _line(source: str, report: ReplayReport) -> str:
    what = f"{report.id} ({report.target})"
    what = what if source == report.id else f"{source}: {what}"
    if report.skipped:
        return f"skipped   {what}: {report.skipped}"
    if report.matches:
        return f"fits      {what}, {report.entries} entries"
    return f"MISMATCH  {what}\n{report.diff}"
