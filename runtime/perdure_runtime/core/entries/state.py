"""Writes to `ctx.state` ride with the next entry, or alone if there is none (semantics, 5)."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.payload import Payload


class StateWrite(Struct, frozen=True):
    """One write; `value` is None for a delete."""

    key: str
    value: Payload | None


class StateWritten(Struct, frozen=True):
    """Writes that found no other entry to ride with."""

    writes: tuple[StateWrite, ...]
