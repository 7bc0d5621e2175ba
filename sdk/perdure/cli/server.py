"""`perdure server`: the coordinator over one database."""

from __future__ import annotations

from typing import Annotated

import typer

from perdure.cli import INSTALL
from perdure.cli.failures import ExitCode, failures_shown, tell

Database = Annotated[
    str | None, typer.Option("--db", help="SQLite file.", show_default="perdure.db")
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one and says which.")]


def server(db: Database = None, host: Host = "127.0.0.1", port: Port = 8080) -> None:
    """Run a coordinator until Ctrl-C or SIGTERM."""
    try:
        from perdure._compose.server import run_server
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("perdure"):
            raise
        tell(f"the server needs {error.name}: {INSTALL}")
        raise SystemExit(ExitCode.USAGE) from None
    from perdure.settings import load_settings

    with failures_shown("stopped"):
        run_server(load_settings(db=db).db, host, port)
