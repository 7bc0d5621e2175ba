"""Reuse of what succeeded in an earlier attempt (semantics, section 2, R2)."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite


class CommandReused(Struct, frozen=True):
    """The command has the result recorded at `source_index` by an earlier attempt of the run."""

    path: str
    kind: str
    name: str
    digest: bytes
    key: bytes
    source_index: int
    writes: tuple[StateWrite, ...] = ()
