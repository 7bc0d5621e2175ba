"""The default serializer: JSON typed by hints (semantics, section 9).

Encoding needs no hint. Decoding without one gives the JSON shape: lists for tuples and sets,
strings for dates and bytes. NaN and infinities are refused: JSON has neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.limits import MAX_PAYLOAD_BYTES, check_payload_bytes
from perdure_runtime.core.payload import JSON, Payload
from perdure_runtime.serde.canonical import DIGEST_BYTES, unencodable_error
from perdure_runtime.serde.decoding import decode_json
from perdure_runtime.serde.reduction import CANONICAL, SORTED, WIRE, WIRE_FORM, is_plain
from perdure_runtime.serde.serializer import check_names

_RAW_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw])


class TypedJson:
    """JSON; dataclasses, Structs, models, enums, dates, sets, ... are restored by hints."""

    encoding: Final = JSON

    def encode(self, value: Any, hint: Any = Any, *, what: str = "value") -> Payload:
        """Encode any supported value; `hint` is not needed for JSON.

        Raises:
            SerializationError: names the place inside the value, the type, and what to do.
            LimitExceededError: the payload is larger than 4 MiB.
        """
        try:
            if is_plain(value):
                data, canonical = WIRE.encode(value), SORTED.encode(value)
            else:
                data = WIRE.encode(WIRE_FORM.reduce(value))
                canonical = SORTED.encode(CANONICAL.reduce(value))
        except Exception as error:
            raise unencodable_error(what, value, error) from None
        if len(data) > MAX_PAYLOAD_BYTES:
            check_payload_bytes(what, len(data))
        return Payload(data, JSON, blake2b(canonical, digest_size=DIGEST_BYTES).digest())

    def decode(self, payload: Payload, hint: Any = Any, *, what: str = "value") -> Any:
        """Decode a JSON payload by its hint. Raises `SerializationError`."""
        check_encoding(payload, JSON, what)
        return decode_json(payload.data, hint, what)

    def decode_fields(
        self, payload: Payload, hints: Mapping[str, Any], *, what: str = "value"
    ) -> dict[str, Any]:
        """Decode an object member by member; an array is taken in the order of `hints`."""
        check_encoding(payload, JSON, what)
        try:
            fields = _RAW_FIELDS.decode(payload.data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise SerializationError(
                f"cannot decode {what}: expected a JSON object with {', '.join(hints)}: {error}"
            ) from None
        if isinstance(fields, list):
            if len(fields) > len(hints):
                raise SerializationError(
                    f"cannot decode {what}: {len(fields)} values for {', '.join(hints)}"
                )
            fields = dict(zip(hints, fields, strict=False))
        check_names(fields, hints, what)
        return {
            name: decode_json(bytes(fields[name]), hint, f"{what}.{name}")
            for name, hint in hints.items()
            if name in fields
        }


TYPED_JSON: Final = TypedJson()
NULL_PAYLOAD: Final = TYPED_JSON.encode(None)


def check_encoding(payload: Payload, expected: str, what: str) -> None:
    """Raise `SerializationError` when a payload has another encoding than `expected`."""
    if payload.encoding != expected:
        raise SerializationError(
            f"cannot decode {what}: its encoding is {payload.encoding!r}, not {expected!r}; "
            "opt in with serializer="
        )
