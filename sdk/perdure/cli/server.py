"""`perdure server`: the coordinator over one database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli import INSTALL
from perdure.cli.arguments import parse_duration
from perdure.cli.failures import ExitCode, failures_shown, tell

Database = Annotated[
    str | None, typer.Option("--db", help="SQLite file.", show_default="perdure.db")
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one and says which.")]


PortFile = Annotated[Path | None, typer.Option(help="File that gets the port when ready.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Allow an address beyond loopback.")]
Certificate = Annotated[Path | None, typer.Option("--tls-cert", help="The server's, PEM.")]
Key = Annotated[Path | None, typer.Option("--tls-key", help="Of the certificate, PEM.")]
ClientAuthority = Annotated[
    Path | None, typer.Option("--tls-client-ca", help="Signs the certificates that clients need.")
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="Every call needs one of these, one a line.")
]
Lease = Annotated[int, typer.Option(min=100, help="Silence after which a worker is given up.")]
Resume = Annotated[int, typer.Option(min=0, help="Time a worker has to connect again.")]
Grace = Annotated[int, typer.Option(min=0, help="Time that bodies have after a cancel.")]
Retention = Annotated[
    str, typer.Option(help="Finished executions are deleted after this: 90s, 12h, 7d or never.")
]
MetricsPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Serve /metrics there; 0 chooses a free one.")
]
MetricsHost = Annotated[str, typer.Option(help="Address of /metrics.")]
Limit = Annotated[int, typer.Option(min=1, help="Bound of what waits for the disk.")]


def server(
    db: Database = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    port_file: PortFile = None,
    insecure: Insecure = False,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    tls_client_ca: ClientAuthority = None,
    token_file: TokenFile = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    lease_ms: Lease = 10_000,
    resume_ms: Resume = 1_000,
    cancel_grace_ms: Grace = 10_000,
    retention: Retention = "7d",
    pending_limit_bytes: Limit = 64 * 1024 * 1024,
) -> None:
    """Run a coordinator until Ctrl-C or SIGTERM."""
    from perdure_runtime.grpc_loading import load_grpc

    load_grpc()
    try:
        from perdure._compose.server import run_server
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("perdure"):
            raise
        tell(f"the server needs {error.name}: {INSTALL}")
        raise SystemExit(ExitCode.USAGE) from None
    from perdure.cli.telemetry import set_up_telemetry
    from perdure.settings import load_settings

    with failures_shown("stopped"):
        retention_ms = parse_duration(retention, "--retention")
        set_up_telemetry("perdure-server")
        run_server(
            load_settings(db=db).db,
            host,
            port,
            insecure=insecure,
            metrics_port=metrics_port,
            metrics_host=metrics_host,
            port_file=port_file,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            token_file=token_file,
            lease_ms=lease_ms,
            resume_ms=resume_ms,
            cancel_grace_ms=cancel_grace_ms,
            retention_ms=retention_ms,
            pending_limit_bytes=pending_limit_bytes,
        )
