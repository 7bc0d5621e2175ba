"""What an execution waits for changed, or is over."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from perdure_runtime.core.dependencies import Dependency
from perdure_runtime.core.lifecycle import Status


class DependencyChange(StrEnum):
    """What became of a dependency."""

    ADDED = "added"
    REMOVED = "removed"
    SETTLED = "settled"  # the other has ended


class DependencyChanged(Struct, frozen=True):
    """`status` is that of the other when it settled; None: it was deleted, or has not ended."""

    change: DependencyChange
    dependency: Dependency
    status: Status | None = None
