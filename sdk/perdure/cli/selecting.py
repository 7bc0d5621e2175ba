"""Which executions a command is for: ids on the command line, or a filter that has to be confirmed.

A filter acts on what it finds when the command runs. It asks first, with the number of executions,
unless `--yes` was given; where nobody can answer it refuses.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from perdure.cli.arguments import Format, parse_labels
from perdure.cli.failures import ExitCode, UsageError, exit_code, tell
from perdure.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure_runtime.core.client import ControlResult

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Of the executions.")]
OfStatus = Annotated[
    list[str] | None,
    typer.Option("--status", help="All of this status; may be given several times."),
]
OfService = Annotated[str, typer.Option("--service", help="All of this service.")]
OfFunction = Annotated[str, typer.Option("--function", help="All of this function.")]
IdPrefix = Annotated[str, typer.Option("--prefix", help="All ids that begin with this.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
COUNTED = 1_000

Operation = Literal["cancel", "retry", "pause", "resume", "delete"]


@dataclass(frozen=True)
class Selected:
    """What the command line says."""

    ids: list[str] | None
    status: list[str] | None = None
    service: str = ""
    function: str = ""
    prefix: str = ""
    yes: bool = False
    label: list[str] | None = None
    filter: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        given = {
            "status": self.status or None,
            "service": self.service,
            "method": self.function,
            "id_prefix": self.prefix,
            "labels": parse_labels(self.label),
        }
        filter = {name: value for name, value in given.items() if value}
        if bool(filter) == bool(self.ids):
            raise UsageError(
                "give the ids of executions, or a filter: --status, --service, --function, "
                "--prefix, --label"
            )
        object.__setattr__(self, "filter", filter)


async def apply(
    client: Client, operation: Operation, selected: Selected, done: str, output: Format, **rest: Any
) -> int:
    """Carry out an operation, print what it did to each, and return the exit code."""
    if selected.ids is None or selected.filter:
        if not selected.yes and not await _confirmed(client, operation, selected):
            tell("nothing was done")
            return ExitCode.FAILED
        results = await client.control(operation, **selected.filter, **rest)
    else:
        results = await client.control(operation, ids=selected.ids, **rest)
    if len(results) == 1 and selected.ids:
        return _one(results[0], done, output)
    return _many(results, done, output)


async def _confirmed(client: Client, operation: str, selected: Selected) -> bool:
    found = [info.id async for info in client.list(**selected.filter, limit=COUNTED)]
    number = f"{COUNTED} or more" if len(found) == COUNTED else str(len(found))
    if not sys.stdin.isatty():
        raise UsageError(f"{operation} of {number} executions: say --yes")
    return typer.confirm(f"{operation} {number} executions?", err=True)


def _one(result: ControlResult, done: str, output: Format) -> int:
    from perdure.client.control import check_result

    check_result(result)
    if output is Format.JSON:
        print_json({"id": result.id, "effect": result.effect})
    else:
        print_fields({result.id: _told(result, done)})
    return ExitCode.DONE


def _many(results: Any, done: str, output: Format) -> int:
    if output is Format.JSON:
        print_json(results)
    else:
        print_table(("ID", "RESULT"), [(result.id, _told(result, done)) for result in results])
    failed = [result for result in results if result.error_code]
    return _code(failed[0]) if failed else ExitCode.DONE


def _code(result: ControlResult) -> int:
    from perdure.client.control import check_result

    try:
        check_result(result)
    except Exception as error:
        return exit_code(error)
    return ExitCode.DONE


def _told(result: ControlResult, done: str) -> str:
    if result.error_code:
        return f"{result.error_code}: {result.error_message}"
    return done if result.effect else "no effect, it has ended or is so already"
