"""Compensation: an operation was undone, so that no later attempt takes its result over."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite


class Forgotten(Struct, frozen=True):
    """`ctx.forget(handle)`: later attempts issue the operation `key` anew, under another key.

    `name` is the forgotten command's; `key` its key before any compensation (generation 0).
    """

    path: str
    name: str
    key: bytes
    writes: tuple[StateWrite, ...] = ()
