"""Codecs: reversible transformations of payload bytes, such as encryption and compression.

They run only in workers and clients, after the digest was made; the metadata of a payload names the
codecs that wrap it. This module ships no codec, only the order in which they are applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.limits import check_payload_bytes
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde.canonical import keyed_digest

CODECS_KEY: Final = "codecs"


class Codec(Protocol):
    """One transformation; `name` goes into the metadata and must never change its meaning."""

    @property
    def name(self) -> str:
        """Short, without commas."""
        ...

    def encode(self, payload: Payload) -> Payload:
        """Wrap the data; may add metadata; must keep encoding and digest."""
        ...

    def decode(self, payload: Payload) -> Payload:
        """Undo `encode`."""
        ...


class CodecChain:
    """Codecs applied in order on the way out and in reverse on the way in.

    Args:
        digest_key: at most 64 secret bytes; digests then tell nothing to those without it. Every
            worker and client that shares executions needs the same key.
    """

    def __init__(self, codecs: Sequence[Codec] = (), *, digest_key: bytes = b"") -> None:
        self._codecs = tuple(codecs)
        self._by_name = {codec.name: codec for codec in codecs}
        self._digest_key = digest_key

    def key_digest(self, digest: bytes) -> bytes:
        """The digest as it travels; also for digests of step inputs."""
        return keyed_digest(digest, self._digest_key) if self._digest_key else digest

    def wrap(self, payload: Payload) -> Payload:
        """Apply every codec. Raises `LimitExceededError` if the result is too large."""
        if self._digest_key:
            payload = replace(payload, digest=self.key_digest(payload.digest))
        if not self._codecs:
            return payload
        for codec in self._codecs:
            payload = codec.encode(payload)
        check_payload_bytes("payload", len(payload.data))
        names = ",".join(codec.name for codec in self._codecs)
        return replace(payload, metadata={**payload.metadata, CODECS_KEY: names})

    def unwrap(self, payload: Payload) -> Payload:
        """Undo the codecs that the payload names.

        Raises:
            SerializationError: one of them is not configured here, or fails.
        """
        names = payload.metadata.get(CODECS_KEY)
        if not names:
            return payload
        for name in reversed(names.split(",")):
            codec = self._by_name.get(name)
            if codec is None:
                raise SerializationError(
                    f"the payload was wrapped by codec {name!r}, which is not configured here; "
                    f"known: {', '.join(self._by_name) or 'none'}"
                )
            try:
                payload = codec.decode(payload)
            except Exception as error:
                raise SerializationError(f"codec {name!r} cannot unwrap: {error}") from error
        metadata = {key: text for key, text in payload.metadata.items() if key != CODECS_KEY}
        return replace(payload, metadata=metadata)
