"""`perdure check`: what durable bodies must not do, found in the source."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.arguments import Format, Output
from perdure.cli.failures import ExitCode, UsageError, failures_shown
from perdure.cli.output import print_json

Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Python files, directories.")]
Ignored = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="RULE", help="Leave a rule out; repeatable.")
]


def check(paths: Paths, ignore: Ignored = None, output: Output = Format.TABLE) -> None:
    """Find what is not deterministic, swallows cancellations or loses calls in durable code.

    Nothing of the code runs. Exit code 1 if something was found; `# perdure: ignore[RULE]` on a
    line silences a rule there.
    """
    with failures_shown():
        from perdure.checking import RULES, check_paths

        unknown = sorted({*(ignore or ())} - {rule.id for rule in RULES})
        if unknown:
            raise UsageError(f"there is no rule {', '.join(unknown)}")
        found = [each for each in check_paths(paths) if each.rule not in (ignore or ())]
        for finding in found:
            if output is Format.JSON:
                print_json(dataclasses.asdict(finding))
            else:
                typer.echo(str(finding))
        if found:
            raise SystemExit(ExitCode.FAILED)
