"""Endpoints: `http://host:port`, `https://host:port` or `host:port`, and gRPC channels to them.

Used by clients and by workers. Reads TLS files when a channel is made; connects to nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc

from perdure.client.security import Tls
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    InvalidArgumentError,
    PerdureError,
)
from perdure_runtime.core.limits import MAX_FRAME_BYTES
from perdure_runtime.wire.v1.status import ERROR_METADATA, from_status
from perdure_runtime.wire.v1.version import protocol_metadata

OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
    ("grpc.max_send_message_length", MAX_FRAME_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 200),  # how often one tries is for the caller to say
    ("grpc.enable_retries", 0),  # ours keep the request id
    ("grpc.use_local_subchannel_pool", 1),  # else a new channel inherits an old one's back-off
)

REFUSALS: Final = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""Statuses of a session that another try will not change: version, token, no such service."""

UNIX: Final = "unix:"

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a coordinator is and how to speak to it.

    Args:
        text: what the user wrote, for messages.
        target: `host:port`, or `unix:PATH`.
    """

    text: str
    target: str
    secure: bool
    token: str | None = None
    tls: Tls | None = None

    def metadata(self) -> Metadata:
        """What goes with every call."""
        versions = (protocol_metadata(),)
        if self.token is None:
            return versions
        return (*versions, ("authorization", f"Bearer {self.token}"))

    def credentials(self) -> grpc.ChannelCredentials | None:
        """What a channel needs for TLS; None for plaintext.

        Raises:
            InvalidArgumentError: a file of `tls` cannot be read.
        """
        if not self.secure:
            return None
        tls = self.tls or Tls()
        return grpc.ssl_channel_credentials(
            _read(tls.ca_file), _read(tls.key_file), _read(tls.certificate_file)
        )

    def unavailable(self, reason: str = "") -> CoordinatorUnavailableError:
        """Nobody answers there."""
        why = f" ({reason})" if reason else ""
        if self.target.startswith(UNIX):
            return CoordinatorUnavailableError(f"no process answers at {self.text}{why}")
        port = self.target.rpartition(":")[2]
        return CoordinatorUnavailableError(
            f"no coordinator answers at {self.text}{why}; "
            f"start one with `perdure server --port {port}`"
        )


def parse_endpoint(text: str, token: str | None = None, tls: Tls | None = None) -> Endpoint:
    """The endpoint that a text names. `unix:PATH` is a socket of the embedded runtime.

    Raises:
        InvalidArgumentError: it is none.
    """
    if text.startswith(UNIX):
        return Endpoint(text, text, False, token)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
    except ValueError:
        port = None
    if scheme not in ("http", "https") or port is None or not parts.hostname:
        raise InvalidArgumentError(
            f"{text!r} is no endpoint; write http://host:port, https://host:port or host:port"
        )
    if parts.path not in ("", "/") or parts.query or parts.username:
        raise InvalidArgumentError(f"{text!r} has more than a host and a port")
    if tls is not None and scheme == "http":
        raise InvalidArgumentError(f"{text!r} is plaintext; TLS files need https://")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Endpoint(text, f"{host}:{port}", scheme == "https", token, tls)


def error_of(error: grpc.RpcError) -> PerdureError:
    """What a failed call means; `error` comes from `grpc` or from `grpc.aio`."""
    trailing: Any = error.trailing_metadata() or ()  # pairs; the published types say otherwise
    detail = next((value for key, value in trailing if key == ERROR_METADATA), None)
    return from_status(
        error.code().value[0],
        error.details() or "",
        detail if isinstance(detail, bytes) else None,
    )


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidArgumentError(f"cannot read {path}: {error.strerror}") from None
