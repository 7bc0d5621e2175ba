"""What users need to test durable code: a runtime in memory, a clock, stubs, replays of journals.

Loaded at first use: the pytest plugin lives in this package and must cost nothing where it is not
used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.testing.clock import VirtualClock
    from perdure.testing.journal import RecordedJournal
    from perdure.testing.replaying import ReplayReport, replay
    from perdure.testing.runtime import MemoryRuntime
    from perdure.testing.stubs import Stub

_HOMES = {
    "MemoryRuntime": "perdure.testing.runtime",
    "RecordedJournal": "perdure.testing.journal",
    "ReplayReport": "perdure.testing.replaying",
    "Stub": "perdure.testing.stubs",
    "VirtualClock": "perdure.testing.clock",
    "replay": "perdure.testing.replaying",
}

__all__ = [
    "MemoryRuntime",
    "RecordedJournal",
    "ReplayReport",
    "Stub",
    "VirtualClock",
    "replay",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'perdure.testing' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
