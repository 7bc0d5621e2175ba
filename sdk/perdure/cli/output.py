"""Values on stdout: JSON for programs, tables and lines for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any


def print_json(value: Any) -> None:
    """One JSON document, on one line."""
    import msgspec

    _write(msgspec.json.encode(value, enc_hook=str).decode())


def print_value(value: Any) -> None:
    """A value as indented JSON."""
    import msgspec

    encoded = msgspec.json.encode(value, enc_hook=str)
    _write(msgspec.json.format(encoded, indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows under headings, as wide as the terminal allows; plain tabs if stdout is no terminal."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            _write("\t".join(map(shown, row)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_escaped, row))
    Console().print(table)


def print_fields(fields: dict[str, Any]) -> None:
    """One `name: value` a line; empty values are left out."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        text = shown(value)
        if text:
            _write(f"{name + ':':<{width}}{text}")


def shown(value: Any) -> str:
    """A cell: nothing for None, local time for times."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (tuple, list)):
        return ", ".join(map(shown, value))
    return str(value)


def _escaped(value: Any) -> str:
    from rich.markup import escape

    return escape(shown(value))


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.flush()
