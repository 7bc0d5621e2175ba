"""What a decision asks the shell to do, once the commit that covers it is on disk.

Plain values: the engine has one function per effect. `Decision.entries` and row changes are
written; timers and messages to other executions become part of the same commit.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from perdure_runtime.core.entries import CallIssued, Entry
from perdure_runtime.core.ids import ExecutionKey, ParentLink
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.rows import TimerKind


class StartChild(Struct, frozen=True):
    """Create the child of a call. `trace` is the context of the child's spans."""

    parent: ParentLink
    call: CallIssued
    held: tuple[str, ...] = ()
    trace: dict[str, str] = {}


class CancelChild(Struct, frozen=True):
    """Ask the child of a call to cancel. A child that has ended completes the call again."""

    child: ExecutionKey
    parent: ParentLink
    reason: str


class CompleteCall(Struct, frozen=True):
    """Tell the parent how its call ended."""

    parent: ParentLink
    result: Payload | None
    failure: Failure | None


class SetTimer(Struct, frozen=True):
    """A durable timer."""

    kind: TimerKind
    path: str
    due_ms: int


class ClearTimer(Struct, frozen=True):
    """Forget a timer that nobody needs."""

    kind: TimerKind
    path: str = ""


class ClearTimers(Struct, frozen=True):
    """Forget every timer of the execution; `paths` are those of its body that may be near."""

    paths: tuple[str, ...] = ()


class Acknowledge(Struct, frozen=True):
    """Tell the lease holder that its commands, the first `count` entries, are recorded."""

    count: int


class Deliver(Struct, frozen=True):
    """Tell the lease holder of the entry at this position of the decision."""

    position: int


class EndLease(Struct, frozen=True):
    """The lease is over; the worker tears the body down."""

    epoch: int
    reason: str


class Enqueue(Struct, frozen=True):
    """The execution wants a worker."""


class SaveObject(Struct, frozen=True):
    """The new state of the object whose method this is."""

    state: Payload


class Subscribe(Struct, frozen=True):
    """What the execution awaits of this event id has changed."""

    event_id: str


class LookForEvents(Struct, frozen=True):
    """See whether the mailbox has something for a wait; `expired` is the path of one that ends."""

    event_id: str
    expired: str = ""


class StoreEvent(Struct, frozen=True):
    """Put an event into a mailbox."""

    event_id: str
    payload: Payload
    execution_id: str
    dedupe_id: str


class EndRuns(Struct, frozen=True):
    """Entries with an index below `before` belong to runs that nobody needs any more."""

    before: int


class AwaitEnds(Struct, frozen=True):
    """The execution depends on these of its namespace."""

    ids: tuple[str, ...]


class Ended(Struct, frozen=True):
    """The execution has its outcome; wake those who wait for it."""


Effect = (
    StartChild
    | CancelChild
    | CompleteCall
    | SetTimer
    | ClearTimer
    | ClearTimers
    | Acknowledge
    | Deliver
    | EndLease
    | Enqueue
    | SaveObject
    | Subscribe
    | LookForEvents
    | StoreEvent
    | EndRuns
    | AwaitEnds
    | Ended
)


class Decision(Struct):
    """What a request does: entries for the journal, changes of the row, effects, a reply."""

    entries: list[Entry] = []
    changes: dict[str, Any] = {}
    effects: list[Effect] = []
    reply: Any = None
