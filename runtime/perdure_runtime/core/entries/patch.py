"""Patches: which version of a piece of code an attempt runs (semantics, section 4)."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite


class PatchDecided(Struct, frozen=True):
    """The attempt runs the code behind `ctx.patched(id)`.

    It has no path: code with and without the patch has the same paths. A `deprecated` one need not
    be asked for by the code that replays it.
    """

    id: str
    deprecated: bool = False
    writes: tuple[StateWrite, ...] = ()
