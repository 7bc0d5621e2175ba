"""Events: what others tell a run, kept in mailboxes until it asks (semantics, section 7)."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Payload


class EventAwaited(Struct, frozen=True):
    """A body waits for an event. The timeout travels as a delay, as `TimerStarted` does.

    `source_index` is 0 for a wait that is open from now on. Otherwise the wait takes the event
    recorded there, whose own wait had been cancelled; such an entry may follow an earlier one of
    the same path. `since_start` ignores events older than the run.
    """

    path: str
    event_id: str
    key: bytes
    timeout_ms: int | None = None
    since_start: bool = False
    due_ms: int = 0
    source_index: int = 0
    writes: tuple[StateWrite, ...] = ()


class EventReceived(Struct, frozen=True):
    """A wait got the event with this sequence of the mailbox.

    Without a payload it got none and is over: the body had cancelled it.
    """

    path: str
    attempt: int
    sequence: int
    payload: Payload | None = None


class EventSent(Struct, frozen=True):
    """A body sent an event; it is in the mailbox with the commit of this entry.

    `execution_id` addresses one execution, "" all. A second event of the same `dedupe_id` is none.
    """

    path: str
    event_id: str
    payload: Payload
    key: bytes
    execution_id: str = ""
    dedupe_id: str = ""
    writes: tuple[StateWrite, ...] = ()
