"""Letters: effects of one execution on another, as they rest in the outbox until delivered."""

from __future__ import annotations

from typing import Final

import msgspec

from perdure_runtime.core.effects import CancelChild, CompleteCall, StartChild
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.ids import ExecutionKey

Letter = StartChild | CancelChild | CompleteCall

_KINDS: Final[dict[bytes, type[Letter]]] = {
    b"\x01": StartChild,
    b"\x02": CancelChild,
    b"\x03": CompleteCall,
}
_CODES: Final = {kind: code for code, kind in _KINDS.items()}


def encode_letter(letter: Letter) -> bytes:
    """One byte of kind, then MessagePack."""
    return _CODES[type(letter)] + msgspec.msgpack.encode(letter)


def decode_letter(body: bytes) -> Letter:
    """The letter of an outbox row.

    Raises:
        DataLossError: the row is damaged or was written by a newer version.
    """
    kind = _KINDS.get(body[:1])
    if kind is None:
        raise DataLossError(f"outbox row of unknown kind {body[:1]!r}")
    letter: Letter = msgspec.msgpack.decode(body[1:], type=kind)
    return letter


def destination(letter: Letter) -> ExecutionKey:
    """The execution that a letter is for."""
    match letter:
        case StartChild():
            return ExecutionKey(letter.parent.key.namespace, letter.call.child_id)
        case CancelChild():
            return letter.child
        case CompleteCall():
            return letter.parent.key
