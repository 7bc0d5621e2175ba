"""The canonical plaintext of a value and its digest (proto/spec/payloads.md).

The digest is made by whoever sends a value, over what the value means rather than how it was
written: it never depends on the order of keys or of set members. It says nothing about encodings.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.serde.reduction import CANONICAL, PROBE, SORTED, Unencodable, is_plain

DIGEST_BYTES: Final = 16


def canonical_json(value: Any) -> bytes:
    """The canonical JSON bytes of a value (semantics, section 9).

    Raises:
        SerializationError: part of the value has no JSON form; names the place and the type.
    """
    try:
        return SORTED.encode(value if is_plain(value) else CANONICAL.reduce(value))
    except Exception as error:
        raise unencodable_error("value", value, error) from None


def digest_of(canonical: bytes) -> bytes:
    """The digest of canonical bytes: BLAKE2b with 16 bytes, no key."""
    return blake2b(canonical, digest_size=DIGEST_BYTES).digest()


def digest(value: Any) -> bytes:
    """The 16 byte digest of a value. Raises `SerializationError` as `canonical_json` does."""
    return digest_of(canonical_json(value))


def keyed_digest(plain_digest: bytes, key: bytes) -> bytes:
    """A digest that tells nothing to those without `key` (at most 64 bytes); b"" stays b""."""
    if not plain_digest:
        return b""
    return blake2b(plain_digest, digest_size=DIGEST_BYTES, key=key).digest()


def unencodable_error(what: str, value: Any, error: Exception) -> SerializationError:
    """The error to raise when encoding `value` failed with `error`; finds the place if need be."""
    if not isinstance(error, Unencodable) and not isinstance(error, RecursionError):
        try:
            PROBE.reduce(value)
        except Unencodable as found:
            error = found
        except Exception:  # the probe met the same trouble: report the first one
            pass
    if isinstance(error, Unencodable):
        return SerializationError(f"cannot encode {what}{error.path}: {error.reason}")
    if isinstance(error, RecursionError):
        return SerializationError(
            f"cannot encode {what}: it is nested too deeply for the stack it is encoded on"
        )
    return SerializationError(
        f"cannot encode {what} of type {type(value).__name__}: {type(error).__name__}: {error}"
    )
