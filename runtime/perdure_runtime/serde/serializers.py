"""The serializers that one worker or client accepts, with its codecs; itself a `Serializer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde.codecs import CodecChain
from perdure_runtime.serde.serializer import Serializer
from perdure_runtime.serde.typed_json import TYPED_JSON

_NO_CODECS = CodecChain()


class Serializers:
    """Encodes with the first of `accepted`, decodes what any of them encoded.

    Args:
        accepted: serializers by preference; a payload in another encoding is refused.
        codecs: applied to every payload that leaves, undone on every one that arrives.
    """

    def __init__(
        self, accepted: Sequence[Serializer] = (TYPED_JSON,), codecs: CodecChain = _NO_CODECS
    ) -> None:
        self._default = accepted[0]
        self._by_encoding = {serializer.encoding: serializer for serializer in accepted}
        self.codecs = codecs

    @property
    def encoding(self) -> str:
        """The encoding of what leaves."""
        return self._default.encoding

    @property
    def encodings(self) -> tuple[str, ...]:
        """The encodings that are accepted, as a worker tells them in its `Hello`."""
        return tuple(self._by_encoding)

    def encode(self, value: Any, hint: Any = Any, *, what: str = "value") -> Payload:
        """See `Serializer.encode`."""
        return self.codecs.wrap(self._default.encode(value, hint, what=what))

    def decode(self, payload: Payload, hint: Any = Any, *, what: str = "value") -> Any:
        """See `Serializer.decode`; refuses encodings that are not accepted."""
        return self._for(payload, what).decode(self.codecs.unwrap(payload), hint, what=what)

    def decode_fields(
        self, payload: Payload, hints: Mapping[str, Any], *, what: str = "value"
    ) -> dict[str, Any]:
        """See `Serializer.decode_fields`."""
        plain = self.codecs.unwrap(payload)
        return self._for(payload, what).decode_fields(plain, hints, what=what)

    def _for(self, payload: Payload, what: str) -> Serializer:
        serializer = self._by_encoding.get(payload.encoding)
        if serializer is None:
            raise SerializationError(
                f"cannot decode {what}: encoding {payload.encoding!r} is not accepted here "
                f"(accepted: {', '.join(self._by_encoding)}); opt in with serializer="
            )
        return serializer
