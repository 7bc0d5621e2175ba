"""Who may speak to a coordinator: TLS, clients' certificates and bearer tokens.

A server with tokens refuses every call that does not carry one of them, whatever its method: known,
unknown, or of a service that is added later. Only the health check answers everybody, so that load
balancers need no secret; it tells whether the server serves and nothing else.

Tokens are kept as digests and compared in constant time, all of them each time. Neither tokens nor
what a caller sent instead appear in messages or logs.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from grpc import aio

from perdure_coordinator.access import EVERYWHERE, admit
from perdure_coordinator.services.calls import Context, abort
from perdure_runtime.core.errors import AuthenticationError, InvalidArgumentError
from perdure_runtime.core.limits import check_name

_LOG = logging.getLogger("perdure.coordinator")
OPEN_METHODS: Final = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
"""What needs no token."""

MIN_TOKEN_CHARACTERS: Final = 16
_SCHEME: Final = b"bearer "

MethodHandler = Any  # grpc.RpcMethodHandler; not subscriptable at run time
if TYPE_CHECKING:
    Interceptor: TypeAlias = aio.ServerInterceptor[Any, Any]
else:
    Interceptor = aio.ServerInterceptor


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A secret, and the namespaces that it opens; None: all."""

    secret: str
    namespaces: frozenset[str] | None = EVERYWHERE


@dataclass(frozen=True, slots=True)
class Security:
    """Files that a server is given; none of them is protection by the address alone.

    Args:
        certificate_file, key_file: PEM files of the server; both or neither.
        client_ca_file: clients must have a certificate that one of these signed.
        token_file: one token on each line, and the namespaces it is bound to after it, if it is;
            empty lines and lines with `#` first are skipped.
    """

    certificate_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None
    token_file: Path | None = None

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self.certificate_file is not None

    @property
    def authenticated(self) -> bool:
        """Whether callers must show who they are."""
        return self.token_file is not None or self.client_ca_file is not None

    def check(self) -> None:
        """Raise InvalidArgumentError for what makes no sense together."""
        if (self.certificate_file is None) != (self.key_file is None):
            raise InvalidArgumentError("TLS needs both a certificate and its key")
        if self.client_ca_file is not None and self.certificate_file is None:
            raise InvalidArgumentError(
                "client certificates can only be asked for over TLS; give the server's own "
                "certificate and key too"
            )

    def credentials(self) -> grpc.ServerCredentials | None:
        """What a port needs for TLS; None for plaintext.

        Raises:
            InvalidArgumentError: a file cannot be read, or is no PEM file.
        """
        self.check()
        if self.certificate_file is None or self.key_file is None:
            return None
        certificate = _pem(self.certificate_file, b"CERTIFICATE")
        key = _pem(self.key_file, b"PRIVATE KEY")
        authority = None if self.client_ca_file is None else _pem(self.client_ca_file, b"CERT")
        return grpc.ssl_server_credentials(
            [(key, certificate)], authority, require_client_auth=authority is not None
        )

    def interceptors(self) -> Sequence[TokenGuard]:
        """What stands before every method.

        Raises:
            InvalidArgumentError: the token file cannot be read, or holds no good token.
        """
        return () if self.token_file is None else (TokenGuard(read_tokens(self.token_file)),)


class TokenGuard(Interceptor):
    """Lets calls with a token through, and refuses all others but `OPEN_METHODS`."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._known = [(_digest(token.secret.encode()), token.namespaces) for token in tokens]

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MethodHandler:
        """See `aio.ServerInterceptor`."""
        details: Any = handler_call_details
        if details.method in OPEN_METHODS:
            return await continuation(handler_call_details)
        token = self._token(details.invocation_metadata or ())
        if token is not None:
            admit(token.namespaces)  # seen by the handler: it runs in this task
            return await continuation(handler_call_details)
        return grpc.stream_stream_rpc_method_handler(_refuse)  # reads nothing, fits every method

    def _token(self, metadata: Sequence[tuple[str, str | bytes]]) -> Token | None:
        sent = [value for key, value in metadata if key == "authorization"]
        if len(sent) != 1:
            return None
        text = sent[0] if isinstance(sent[0], bytes) else sent[0].encode()
        if text[: len(_SCHEME)].lower() != _SCHEME:
            return None
        digest = _digest(text[len(_SCHEME) :])
        found: Token | None = None
        for known, namespaces in self._known:
            if hmac.compare_digest(known, digest):
                found = Token("", namespaces)
        return found


async def _refuse(_: object, context: Context) -> None:
    await abort(
        context,
        AuthenticationError(
            "this coordinator wants a token that it knows: pass token=, --token or PERDURE_TOKEN"
        ),
    )


def read_tokens(path: Path) -> list[Token]:
    """The tokens in a file.

    Raises:
        InvalidArgumentError: it cannot be read, holds none, one that is too short or odd, or one
            twice.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidArgumentError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidArgumentError(f"{path} is no file of ASCII tokens, one a line") from None
    if mode & 0o077:
        _LOG.warning("other users can read the tokens in %s; chmod 600 it", path)
    tokens = [_read_token(path, line) for line in lines if line.strip() and line[0] != "#"]
    if not tokens:
        raise InvalidArgumentError(f"{path} holds no token; write one on each line")
    if len({token.secret for token in tokens}) < len(tokens):
        raise InvalidArgumentError(
            f"{path} holds a token twice; write all its namespaces on one line"
        )
    return tokens


def _read_token(path: Path, line: str) -> Token:
    secret, *namespaces = line.split()
    if len(secret) < MIN_TOKEN_CHARACTERS or not secret.isprintable():
        raise InvalidArgumentError(
            f"{path} holds a token with fewer than {MIN_TOKEN_CHARACTERS} characters, or with "
            "blanks; `openssl rand -hex 32` makes a good one"
        )
    for namespace in namespaces:
        check_name("namespace", namespace)
    return Token(secret, frozenset(namespaces) or EVERYWHERE)


def check_address(host: str, insecure: bool, security: Security | None = None) -> None:
    """Raise InvalidArgumentError for an address that others reach, unless it is protected.

    Args:
        insecure: whether an unprotected one is meant.
    """
    if insecure or host == "localhost":
        return
    if security is not None and security.encrypted and security.authenticated:
        return
    try:
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return
    except ValueError:
        pass  # a name: it may be anything
    if security is None or not (security.encrypted or security.authenticated):
        lacks = "this server has neither encryption nor tokens"
    elif security.encrypted:
        lacks = "this server admits everybody who reaches it"
    else:
        lacks = "tokens would travel unencrypted"
    raise InvalidArgumentError(
        f"{host} is no loopback address, and {lacks}; listen on 127.0.0.1, give --tls-cert and "
        "--tls-key with --token-file or --tls-client-ca, or say --insecure if the network is "
        "trusted"
    )


def _pem(path: Path, kind: bytes) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidArgumentError(f"cannot read {path}: {error.strerror}") from None
    if b"-----BEGIN " not in data or kind not in data:
        raise InvalidArgumentError(f"{path} is no PEM file with a {kind.decode().lower()}")
    return data


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
