"""Spawned branches: their bodies are journaled under their own paths, the outcome is one entry."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Failure, Payload


class BranchCompleted(Struct, frozen=True):
    """A branch's body ended: exactly one of `result` and `failure` is set."""

    path: str
    name: str
    digest: bytes
    key: bytes
    result: Payload | None = None
    failure: Failure | None = None
    writes: tuple[StateWrite, ...] = ()
