"""The one table of what an execution's status may become (semantics, section 8).

Nothing else in Perdure decides whether a transition is legal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from perdure_runtime.core.errors import InvalidTransitionError


class Status(StrEnum):
    """Status of an execution."""

    SCHEDULED = "scheduled"  # waits for its start time or for the next attempt's back-off
    QUEUED = "queued"  # wants a worker
    RUNNING = "running"  # a worker holds its lease and has work to do
    SUSPENDED = "suspended"  # waits for a timer, a call or a signal
    PAUSED = "paused"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


S = Status
_ENDS: Final = frozenset({S.COMPLETED, S.FAILED, S.CANCELLED, S.TIMED_OUT})

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    S.SCHEDULED: frozenset({S.QUEUED, S.PAUSED, S.CANCELLED, S.TIMED_OUT, S.FAILED}),
    S.QUEUED: frozenset(
        {S.RUNNING, S.SCHEDULED, S.PAUSED, S.BLOCKED, S.CANCELLED, S.TIMED_OUT, S.FAILED}
    ),
    S.RUNNING: frozenset({S.SUSPENDED, S.QUEUED, S.SCHEDULED, S.PAUSED, S.BLOCKED}) | _ENDS,
    S.SUSPENDED: frozenset({S.RUNNING, S.QUEUED, S.SCHEDULED, S.PAUSED, S.BLOCKED})
    | (_ENDS - {S.COMPLETED}),
    S.PAUSED: frozenset({S.QUEUED, S.SCHEDULED, S.SUSPENDED, S.CANCELLED}),
    S.BLOCKED: frozenset({S.QUEUED, S.SCHEDULED, S.PAUSED, S.CANCELLED}),
    S.COMPLETED: frozenset(),
    S.FAILED: frozenset({S.QUEUED, S.SCHEDULED}),
    S.CANCELLED: frozenset(),
    S.TIMED_OUT: frozenset({S.QUEUED, S.SCHEDULED}),
}


def is_end(status: Status) -> bool:
    """Whether the execution has an outcome."""
    return status in _ENDS


def transition(before: Status, after: Status, what: str = "execution") -> Status:
    """Return `after` if the table allows it.

    Raises:
        InvalidTransitionError: the message names both states.
    """
    if after is before or after in TRANSITIONS[before]:
        return after
    raise InvalidTransitionError(f"{what} is {before.value}: it cannot become {after.value}")
