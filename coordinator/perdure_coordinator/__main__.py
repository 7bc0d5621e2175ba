"""`python -m perdure_coordinator`: a coordinator without the SDK and its command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from perdure_coordinator.config import Config
from perdure_runtime.core.errors import InvalidArgumentError, PerdureError
from perdure_runtime.grpc_loading import load_grpc

FAILED = 1
USAGE = 2
_SECURITY = {
    "--tls-cert": "certificate of the server, PEM",
    "--tls-key": "its key, PEM",
    "--tls-client-ca": "clients need a certificate that one of these signed, PEM",
    "--token-file": "every call needs one of these tokens, one a line",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="perdure_coordinator", description=__doc__)
    parser.add_argument("--db", default="perdure.db", help="SQLite file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="gets the port when the server is ready")
    parser.add_argument("--metrics-port", type=int, help="serves /metrics; 0 takes a free one")
    parser.add_argument("--metrics-host", default="127.0.0.1")
    parser.add_argument(
        "--insecure", action="store_true", help="allow an address that other machines reach"
    )
    for option, what in _SECURITY.items():
        parser.add_argument(option, type=Path, help=what)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"settings: {', '.join(Config.__struct_fields__)}",
    )
    given = parser.parse_args(arguments)
    load_grpc()  # before what imports it
    from perdure_coordinator.security import Security
    from perdure_coordinator.serving import Options, serve

    try:
        config = _config(given.set)
        security = Security(given.tls_cert, given.tls_key, given.tls_client_ca, given.token_file)
        place = (given.db, given.host, given.port, given.insecure, given.port_file)
        metrics = (given.metrics_port, given.metrics_host)
        serve(Options(*place, security, *metrics, config))
    except PerdureError as error:
        sys.stderr.write(f"perdure: {error}\n")
        return USAGE if isinstance(error, InvalidArgumentError) else FAILED
    return 0


def _config(settings: Sequence[str]) -> Config:
    values = dict(setting.partition("=")[::2] for setting in settings)
    try:
        return msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidArgumentError(f"--set: {error}") from None


if __name__ == "__main__":
    raise SystemExit(main())
