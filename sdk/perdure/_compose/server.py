"""The coordinator process behind `perdure server`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perdure_coordinator.config import Config
from perdure_coordinator.security import Security
from perdure_coordinator.serving import Options, serve


def run_server(
    db: str,
    host: str,
    port: int,
    *,
    insecure: bool = False,
    port_file: Path | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    tls_client_ca: Path | None = None,
    token_file: Path | None = None,
    metrics_port: int | None = None,
    metrics_host: str = "127.0.0.1",
    **settings: Any,
) -> None:
    """Run a coordinator until SIGTERM or SIGINT.

    Args:
        db: path or URL of the database.
        port: 0 takes a free one; the line on stdout says which.
        insecure: whether an address that other machines reach is meant.
        port_file: gets the port when the server is ready.
        tls_cert, tls_key: PEM files of the server.
        tls_client_ca: clients need a certificate that one of these signed.
        token_file: every call needs one of these tokens, one a line.
        metrics_port: serves `/metrics`, 0 on a free port; None does not.
        metrics_host: its address.
        settings: fields of the coordinator's `Config`.

    Raises:
        InvalidArgumentError: a bad address or database URL.
        DatabaseInUseError: another process has the database; the message names it.
        SchemaVersionError: a newer version of Perdure wrote the database.
        PerdureError: the port is taken; the database cannot be opened.
    """
    security = Security(tls_cert, tls_key, tls_client_ca, token_file)
    place = (db, host, port, insecure, port_file)
    serve(Options(*place, security, metrics_port, metrics_host, Config(**settings)))
