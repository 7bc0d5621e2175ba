"""Attempts: a crash replays one, a raising body starts the next (semantics, section 2)."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import NO_RETRY, Retry


class AttemptStarted(Struct, frozen=True):
    """Attempt `attempt` (from 1) begins: the policies in force are fixed here.

    `on_exhausted` is `fail` or `pause`: what happens when the retries are used up. `object_state`
    is what an object method starts from; None: the object was never saved (semantics, section 6).
    """

    attempt: int
    retry: Retry = NO_RETRY
    timeout_ms: int | None = None
    build_id: str = ""
    on_exhausted: str = "fail"
    object_state: Payload | None = None


class AttemptTimedOut(Struct, frozen=True):
    """The attempt's timeout is due; delivered like a cancellation in the same epoch."""

    attempt: int


class AttemptEnded(Struct, frozen=True):
    """The attempt failed and another follows at `next_ms`. Holds the last writes of the attempt.

    `object_state` is the object's new state, None: as it was.
    `unclaimed_events` are the indexes of the `EventReceived` whose waits had been cancelled before:
    the next waits for these ids get them.
    """

    attempt: int
    failure: Failure
    next_ms: int
    writes: tuple[StateWrite, ...] = ()
    object_state: Payload | None = None
    unclaimed_events: tuple[int, ...] = ()
