"""Emitted values: what a body tells those who follow it (semantics, section 5)."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Payload


class ValueEmitted(Struct, frozen=True):
    """`ctx.emit(value)`: one entry, no completion. Replays compare `value.digest`."""

    path: str
    value: Payload
    key: bytes
    writes: tuple[StateWrite, ...] = ()
