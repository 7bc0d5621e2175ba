"""Messages nobody means: random ones by their descriptors, and good ones bent.

Drawn from a seed, so that what is found is found again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

NAMES: Final = (
    *(
        "",
        "default",
        "a",
        "x" * 255,
        "x" * 256,
        "x" * 1_000_000,
        "\0",
        "a\0b",
        "\x1b[31m",
        "\ufeff",
    ),
    *("'; DROP TABLE executions; --", '" OR 1=1', "%_%", "../../etc/passwd", "~reserved", "\u202e"),
    *("0:1", "crashpoints", "e\u0301", "\U0001f600" * 60, "a/b", "{}", "${x}", "\n", "\ud7ff"),
)
NUMBERS: Final = (0, 1, 2, 255, 2**31 - 1, 2**31, 2**53, 2**62, 2**63 - 1)
_INTEGERS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def random_message(descriptor: Descriptor, draw: random.Random, depth: int = 5) -> Message:
    """A message with some of its fields; every value that the wire can carry may come."""
    message: Message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if draw.random() < 0.4:
            continue
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            _fill_map(message, field, inner, draw)
        elif field.is_repeated:
            for _ in range(draw.choice((0, 1, 1, 2, 5))):
                _add(message, field, draw, depth)
        elif inner is not None:
            if depth:
                getattr(message, field.name).CopyFrom(random_message(inner, draw, depth - 1))
        else:
            setattr(message, field.name, _scalar(field, draw))
    return message


def _add(message: Message, field: FieldDescriptor, draw: random.Random, depth: int) -> None:
    values = getattr(message, field.name)
    if field.message_type is None:
        values.append(_scalar(field, draw))
    elif depth:
        values.add().CopyFrom(random_message(field.message_type, draw, depth - 1))


def _fill_map(
    message: Message, field: FieldDescriptor, entry: Descriptor, draw: random.Random
) -> None:
    key, value = entry.fields
    entries = getattr(message, field.name)
    if value.message_type is not None:
        entries[_scalar(key, draw)].CopyFrom(random_message(value.message_type, draw, 1))
    else:
        entries[_scalar(key, draw)] = _scalar(value, draw)


def _scalar(field: FieldDescriptor, draw: random.Random) -> Any:
    kind = field.cpp_type
    if kind in _INTEGERS:
        low, high = _INTEGERS[kind]
        return max(low, min(high, draw.choice((1, -1)) * draw.choice(NUMBERS)))
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return draw.choice((0, 1, 2, 99, 2**31 - 1, -1))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return draw.random() < 0.5
    if field.type == FieldDescriptor.TYPE_STRING:
        return draw.choice(NAMES)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return draw.choice((b"", b"x", b"\xff" * 16, b"\0" * 1000, draw.randbytes(20)))
    return draw.choice((0.0, -1.0, 1e308, float("nan"), float("inf"), 0.1))


def bent(data: bytes, draw: random.Random) -> bytes:
    """Bytes of a good message with something wrong."""
    bend: Callable[[], bytes] = draw.choice(
        (
            lambda: data[: draw.randrange(len(data) + 1)],
            lambda: data + data,
            lambda: data + draw.randbytes(8),
            lambda: _flipped(data, draw),
            lambda: b"\x0a\xff\xff\xff\xff\x0f" + data,  # a length of 4 GiB
            lambda: draw.randbytes(draw.randrange(60)),
            lambda: b"\x0b" * 10_000 + data,  # groups in groups in groups
        )
    )
    return bend()


def _flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 4)):
        if changed:
            changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)
