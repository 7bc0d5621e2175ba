"""Tables of kinds: how a value of one class becomes one member of a protobuf `oneof`, and back.

A kind without a row is an error on both ways, never skipped: a skipped entry is a lost effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from perdure_runtime.core.errors import ProtocolError, SerializationError


class Kind(NamedTuple):
    """One row: the member `field` of the oneof carries values of `type`."""

    field: str
    type: type
    # The two functions of a row agree with each other; rows differ, hence Any.
    fill: Callable[[Any, Any], None]
    read: Callable[[Any], Any]


class KindTable:
    """All kinds of one `oneof`.

    Args:
        what: what a member is called in errors.
        oneof: name of the oneof.
        kinds: the rows.
    """

    def __init__(self, what: str, oneof: str, kinds: Iterable[Kind]) -> None:
        rows = tuple(kinds)
        self.what: Final = what
        self.oneof: Final = oneof
        self.by_type: Final = {kind.type: kind for kind in rows}
        self.by_field: Final = {kind.field: kind for kind in rows}

    def fill(self, message: Message, value: object) -> None:
        """Write `value` into the member of its kind.

        Raises:
            ProtocolError: its class has no row.
            SerializationError: a field does not fit (text without UTF-8 form, number out of range).
        """
        kind = self.by_type.get(type(value))
        if kind is None:
            raise ProtocolError(f"{type(value).__name__} is no {self.what} of this protocol")
        part = getattr(message, kind.field)
        part.SetInParent()
        try:
            kind.fill(part, value)
        except (ValueError, TypeError) as error:
            raise SerializationError(f"{kind.type.__name__} cannot be sent: {error}") from error

    def read(self, message: Message) -> Any:
        """The value in `message`.

        Raises:
            ProtocolError: no member that is known here is set.
        """
        field = message.WhichOneof(self.oneof)
        if field is None:
            raise ProtocolError(self._unknown(message))
        return self.by_field[field].read(getattr(message, field))

    def _unknown(self, message: Message) -> str:
        unknown = UnknownFieldSet(message)
        if not len(unknown):
            return f"a {self.what} of no kind"
        number = unknown[len(unknown) - 1].field_number
        return f"a {self.what} of an unknown kind (field {number}); upgrade Perdure"
