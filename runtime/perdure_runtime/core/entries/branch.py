"""Spawned branches: their bodies are journaled under their own paths, the outcome is one entry."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Failure, Payload


class BranchCompleted(Struct, frozen=True):
    """A branch's body ended: exactly one of `result` and `failure` is set.

    `compensates` is the key (generation 0) of the operation that the branch undoes.
    """

    path: str
    name: str
    digest: bytes
    key: bytes
    result: Payload | None = None
    failure: Failure | None = None
    writes: tuple[StateWrite, ...] = ()
    compensates: bytes = b""
