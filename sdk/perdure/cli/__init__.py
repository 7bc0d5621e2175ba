"""The `perdure` command. Imports nothing heavy: commands load what they need when they run."""

from __future__ import annotations

import sys

INSTALL = "pip install 'perdure[server]'"


def main() -> None:
    """Run the command line; the entry point of the distribution."""
    if sys.argv[1:2] == ["worker"]:
        from perdure.cli.processes import with_fixed_hash_seed

        with_fixed_hash_seed()  # it starts anew: before what takes long to load
    try:
        from perdure.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("typer", "rich"):
            raise
        sys.stderr.write(f"perdure: the command line needs {error.name}: {INSTALL}\n")
        raise SystemExit(2) from None
    app()
