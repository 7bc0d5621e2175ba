"""Tokens of promises: the address of one promise as a text, safe in URLs and opaque to users.

A token names the namespace, the execution, its run and the promise's key; four bytes of digest tell
a damaged or invented text from a token. It is no secret of its own: whoever has it may settle the
promise. Its form rests in other systems: it never changes.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.ids import ExecutionKey

PREFIX: Final = "prm1."
_CHECK_BYTES: Final = 4


class PromiseAddress(Struct, frozen=True):
    """What a token names."""

    key: ExecutionKey
    run: int
    promise: bytes


def promise_token(address: PromiseAddress) -> str:
    """The token of a promise."""
    namespace, id = (part.encode() for part in address.key)
    body = b"".join(
        (
            len(namespace).to_bytes(2, "big"),
            namespace,
            len(id).to_bytes(2, "big"),
            id,
            address.run.to_bytes(4, "big"),
            address.promise,
        )
    )
    return PREFIX + base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")


def read_token(token: str) -> PromiseAddress:
    """What a token names.

    Raises:
        InvalidArgumentError: it is no token of a promise, or is damaged.
    """
    try:
        text = token.removeprefix(PREFIX)
        if text == token:
            raise ValueError
        padded = text + "=" * (-len(text) % 4)
        data = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
        if check != _check(body):
            raise ValueError
        namespace, rest = _text(body)
        id, rest = _text(rest)
    except (ValueError, AttributeError, binascii.Error, UnicodeError):
        raise InvalidArgumentError(
            f"{token!r:.80} is not the token of a promise, or is damaged; pass on what "
            "`promise.token` gave, unchanged"
        ) from None
    return PromiseAddress(ExecutionKey(namespace, id), int.from_bytes(rest[:4], "big"), rest[4:])


def _text(data: bytes) -> tuple[str, bytes]:
    end = 2 + int.from_bytes(data[:2], "big")
    return data[2:end].decode(), data[end:]


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES, person=b"perdure.token").digest()
