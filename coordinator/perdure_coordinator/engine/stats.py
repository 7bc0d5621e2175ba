"""Counters of one engine. Plain integers: the hot path adds to them."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Stats:
    """What has happened since the coordinator started."""

    commits: int = 0
    entries: int = 0
    requests: int = 0
    activations: int = 0
    replays: int = 0
    adoptions: int = 0
    stale_messages: int = 0
    stale_commands: int = 0
    mismatches: int = 0
    sessions_lost: int = 0
    timers_fired: int = 0
    events: int = 0
    overloads: int = 0
    reloads: int = 0
    deleted: int = 0
    peak_pending_bytes: int = 0

    def snapshot(self) -> dict[str, int]:
        """The counters by name."""
        return asdict(self)
