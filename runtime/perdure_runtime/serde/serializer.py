"""The interface of a serializer: values to payloads and back, one encoding each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.payload import Payload


class Serializer(Protocol):
    """Encodes and decodes values; raises only `SerializationError` and `LimitExceededError`."""

    @property
    def encoding(self) -> str:
        """The name of the encoding in payloads."""
        ...

    def encode(self, value: Any, hint: Any = Any, *, what: str = "value") -> Payload:
        """A payload with its digest (b"" if the encoding is not canonical).

        Args:
            hint: the declared type, for serializers that need it.
            what: how messages call the value.
        """
        ...

    def decode(self, payload: Payload, hint: Any = Any, *, what: str = "value") -> Any:
        """The value, restored by its hint."""
        ...

    def decode_fields(
        self, payload: Payload, hints: Mapping[str, Any], *, what: str = "value"
    ) -> dict[str, Any]:
        """The members of an encoded object that has some of the names in `hints`, and no others."""
        ...


def check_names(names: Mapping[str, Any], hints: Mapping[str, Any], what: str) -> None:
    """Raise `SerializationError` if the object has a name that nobody asked for."""
    unknown = [name for name in names if name not in hints]
    if unknown:
        raise SerializationError(
            f"cannot decode {what}: unknown {', '.join(map(repr, unknown))}; "
            f"expected {', '.join(hints)}"
        )
