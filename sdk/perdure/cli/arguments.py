"""Arguments and options that several commands have, declared once."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from perdure.cli.failures import UsageError


class Format(StrEnum):
    """How a command shows what it found."""

    TABLE = "table"
    JSON = "json"


Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint", help="Of the coordinator.", show_default="http://localhost:8080"),
]
Namespace = Annotated[
    str | None, typer.Option("--namespace", help="Of the executions.", show_default="default")
]
Token = Annotated[
    str | None, typer.Option("--token", help="Sent with every request.", show_default=False)
]
Output = Annotated[Format, typer.Option("-o", "--output", help="How to show the answer.")]
ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="Of the execution.")]
ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="That offers the function.")]
FunctionName = Annotated[str, typer.Argument(metavar="FUNCTION", help="Function, flow or handler.")]
Input = Annotated[
    str, typer.Argument(metavar="INPUT", help="JSON; `-` reads it from standard input.")
]
NewId = Annotated[
    str | None,
    typer.Option("--id", help="Of the execution; the same id attaches.", show_default="made up"),
]
Priority = Annotated[int, typer.Option(help="Higher runs earlier.")]
Delay = Annotated[float | None, typer.Option(help="Seconds before it starts.", show_default=False)]
StartAt = Annotated[
    str | None,
    typer.Option(help="ISO time with its zone, such as 2026-01-31T06:00Z.", show_default=False),
]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds for the execution.", show_default=False)
]

Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=VALUE", help="May be given several times."),
]


def parse_labels(labels: list[str] | None) -> dict[str, str]:
    """`--label name=value` options as one mapping. Raises `UsageError`."""
    pairs = [label.partition("=") for label in labels or ()]
    for name, separator, value in pairs:
        if not (name and separator and value):
            raise UsageError(f"--label {name}{separator}{value} is no label; say name=value")
    return {name: value for name, _, value in pairs}


def parse_duration(text: str, what: str) -> int:
    """`90s`, `30m`, `12h`, `7d` or `never` (0) in milliseconds. Raises `UsageError`."""
    if text == "never":
        return 0
    units_ms = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    number, unit = text[:-1], text[-1:]
    if unit not in units_ms or not number.isascii() or not number.isdigit() or len(number) > 6:
        raise UsageError(f"{what} {text!r} is no duration; say 90s, 30m, 12h, 7d or never")
    return max(1, int(number) * units_ms[unit])


def parse_time(text: str, what: str) -> datetime:
    """An ISO time with a zone. Raises `UsageError`."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise UsageError(f"{what} {text!r} is no ISO time with its zone, as 2026-01-31T06:00Z")
    return when


def parse_json(text: str, what: str = "INPUT") -> Any:
    """A JSON argument as a value.

    Raises:
        UsageError: it is none; the message says where and how to quote it.
    """
    import msgspec

    source = sys.stdin.read() if text == "-" else text
    try:
        return msgspec.json.decode(source.encode("utf-8", "surrogateescape"))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UsageError(
            f"""{what} is not valid JSON: {error}; quote it for the shell, such as '{{"a": 1}}'"""
        ) from None
