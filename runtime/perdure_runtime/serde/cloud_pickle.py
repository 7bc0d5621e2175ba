"""Opt-in serializer for any Python value (semantics, section 9).

Only for payloads from workers one trusts: unpickling runs code. Not canonical, so payloads carry no
digest: R2 does not reuse them, and mismatch and attach compare kind and target only.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import cloudpickle  # type: ignore[import-untyped]  # ships no type information

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.limits import check_payload_bytes
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde.serializer import check_names
from perdure_runtime.serde.typed_json import check_encoding

CLOUDPICKLE: Final = "cloudpickle"
_MSGSPEC_CACHE: Final = "__msgspec_cache__"


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # its base is untyped
    """Drops what msgspec caches on classes: it cannot be pickled, and msgspec makes it again."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and _MSGSPEC_CACHE in obj.__dict__:
            delattr(obj, _MSGSPEC_CACHE)
        return super().reducer_override(obj)


class CloudPickle:
    """Encoding "cloudpickle": closures, lambdas and instances of any class."""

    encoding: Final = CLOUDPICKLE

    def encode(self, value: Any, hint: Any = Any, *, what: str = "value") -> Payload:
        """Pickle a value. Raises `SerializationError`, `LimitExceededError`."""
        buffer = io.BytesIO()
        try:
            _Pickler(buffer).dump(value)
        except Exception as error:
            raise SerializationError(
                f"cannot pickle {what} of type {type(value).__name__}: {error}"
            ) from error
        data = buffer.getvalue()
        check_payload_bytes(what, len(data))
        return Payload(data, CLOUDPICKLE)

    def decode(self, payload: Payload, hint: Any = Any, *, what: str = "value") -> Any:
        """Unpickle a value; hints are not needed. Raises `SerializationError`."""
        check_encoding(payload, CLOUDPICKLE, what)
        try:
            return cloudpickle.loads(payload.data)
        except Exception as error:
            raise SerializationError(
                f"cannot unpickle {what}: {type(error).__name__}: {error}"
            ) from error

    def decode_fields(
        self, payload: Payload, hints: Mapping[str, Any], *, what: str = "value"
    ) -> dict[str, Any]:
        """Unpickle a dict of arguments by name. Raises `SerializationError`."""
        fields = self.decode(payload, what=what)
        if not isinstance(fields, dict):
            raise SerializationError(f"cannot decode {what}: expected a dict of {', '.join(hints)}")
        check_names(fields, hints, what)
        return fields
