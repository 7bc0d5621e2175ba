"""The store contract: dumb, atomic, few methods (architecture, section 5).

All rules live above it. Every time is an argument. A store knows nothing of what entries mean:
it keeps bytes under (execution, index) beside a few columns that queries filter on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from msgspec import Struct

from perdure_runtime.core.errors import InvalidArgumentError, PerdureError
from perdure_runtime.core.ids import CHAIN_START, ExecutionKey, ObjectKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.rows import ExecutionRow, ObjectRow, Timer, TimerKey
from perdure_runtime.core.tasks import TaskStatus

__all__ = [
    "BadRow",
    "CatalogRow",
    "Damaged",
    "EventName",
    "EventRow",
    "ExecutionRow",
    "Fenced",
    "Filter",
    "ObjectRow",
    "OutboxRow",
    "Ownership",
    "Page",
    "RequestRow",
    "ScheduleRow",
    "Store",
    "StoreBroken",
    "StoreError",
    "StoreFull",
    "StoredEntry",
    "StoredExecution",
    "Timer",
    "TimerKey",
    "WaitRow",
    "WriteBatch",
    "check_sequences",
    "cut_page",
]


class StoreError(PerdureError):
    """The store could not do what was asked; nothing of the batch is on disk."""


class Fenced(StoreError):
    """The batch carries a shard epoch that is no longer the owner's: nothing was written."""


class StoreFull(StoreError):
    """The disk or its quota is full; nothing of the batch is on disk, retry later."""


class StoreBroken(StoreError):
    """Sync failed or the file is damaged: what is on disk is unknown, the process must end."""


class Damaged(StoreError):
    """What was asked for cannot be read, the file is damaged there; other reads may work."""


class BadRow(StoreError):
    """One row of the batch cannot be stored (integrity, size); nothing of the batch is on disk."""


class StoredEntry(Struct, frozen=True):
    """One journal entry: `data` is the encoded entry, `chain` the hash chain up to and with it."""

    key: ExecutionKey
    index: int
    time_ms: int
    chain: bytes
    data: bytes


class OutboxRow(Struct, frozen=True):
    """A message for an execution that was not in memory when it was decided; see ARCHITECTURE."""

    id: int
    shard: int
    destination: ExecutionKey
    body: bytes


class RequestRow(Struct, frozen=True):
    """A mutating client request that was carried out, with its answer, until `expires_ms`."""

    namespace: str
    request_id: str
    reply: bytes
    expires_ms: int


class CatalogRow(Struct, frozen=True):
    """A method that a service has registered at least once; `spec` is its encoded description."""

    namespace: str
    service: str
    method: str
    spec: bytes


class EventName(NamedTuple):
    """A mailbox: the events of one id in one namespace."""

    namespace: str
    event_id: str


class EventRow(Struct, frozen=True):
    """One event of a mailbox; `data` is its encoded payload. Sequences go up, for ever.

    `execution_id` is its address, "" for everyone. The first of a name, address and non-empty
    `dedupe` stays; later ones are not written.
    """

    sequence: int
    namespace: str
    event_id: str
    execution_id: str
    dedupe: str
    data: bytes
    sent_ms: int
    expires_ms: int


Row = TypeVar("Row", StoredEntry, EventRow)


class WaitRow(Struct, frozen=True):
    """An execution waits for events of this mailbox with a sequence above `after`."""

    name: EventName
    execution_id: str
    after: int


class ScheduleRow(Struct, frozen=True):
    """A schedule and where it stands, encoded."""

    namespace: str
    id: str
    data: bytes


class WriteBatch(Struct):
    """Everything one commit writes: all of it or nothing.

    Order inside one commit: rows, entries, timers cleared then set, outbox removed then added,
    requests, catalog, objects, events, waits cleared then set, schedules. Entries and timers need
    the row of their execution, stored or in the batch; an entry's index is the journal's next one.
    The labels and the creation time of a row never change.
    Requests, catalog rows, objects and schedules replace earlier ones of the same name. `clock_ms`
    is the coordinator's clock, kept as a persisted maximum.
    """

    shard_epoch: int
    clock_ms: int = 0
    rows: dict[ExecutionKey, ExecutionRow] = {}
    entries: list[StoredEntry] = []
    timers_cleared: list[TimerKey] = []
    timers_all_cleared: list[ExecutionKey] = []  # every timer of these executions
    timers_set: dict[TimerKey, Timer] = {}
    outbox_removed: list[int] = []
    outbox_added: list[OutboxRow] = []
    requests: list[RequestRow] = []
    catalog: list[CatalogRow] = []
    objects: dict[ObjectKey, ObjectRow] = {}
    events: list[EventRow] = []
    waits_cleared: set[tuple[EventName, str]] = set()  # with the execution's id
    waits_set: dict[tuple[EventName, str], WaitRow] = {}
    schedules: dict[tuple[str, str], ScheduleRow | None] = {}  # None: remove it


class StoredExecution(Struct):
    """A row with a page of its journal, and where the whole journal ends.

    The end is kept apart from the entries: when entries are missing, or there are more, it still
    says what there was. Entries are returned as they are found; whoever uses them checks them.
    """

    row: ExecutionRow
    entries: list[StoredEntry]
    length: int  # the number of entries that were written
    chain: bytes = CHAIN_START  # of the last of them
    first: int = 0  # entries before this one were trimmed
    base: bytes = CHAIN_START  # the chain before it


class Ownership(Struct, frozen=True):
    """What opening for writing gives: the fencing epoch and the persisted clock."""

    epoch: int
    clock_ms: int
    next_outbox_id: int
    next_event: int = 1


class Filter(Struct, frozen=True):
    """What `query` selects; None means any. `after` is the cursor of the previous page."""

    namespace: str
    statuses: tuple[Status, ...] = ()
    service: str | None = None
    method: str | None = None
    parent: ExecutionKey | None = None
    id_prefix: str | None = None
    labels: dict[str, str] = {}  # it has all of these
    task_statuses: tuple[TaskStatus, ...] = ()


class Page(Struct, frozen=True):
    """One page of rows, newest first, and the cursor of the next one ("" at the end)."""

    rows: list[ExecutionRow]
    next_cursor: str = ""


def page_cursor(last: ExecutionRow) -> str:
    """The cursor of the page after `last`; it stays right when rows are added or removed."""
    return f"{last.created_ms}:{last.key.id}"


def parse_cursor(cursor: str) -> tuple[int, str]:
    """Creation time and id of the row that ended the previous page.

    Raises:
        InvalidArgumentError: not a cursor that a page carried.
    """
    created_ms, separator, id = cursor.partition(":")
    if not separator or not created_ms.removeprefix("-").isdecimal():
        raise InvalidArgumentError(f"{cursor!r} is not a page's cursor; start again without one")
    return int(created_ms), id


def check_sequences(events: Iterable[EventRow], next_event: int) -> None:
    """Raise BadRow unless the sequences of new events go up, from where they were."""
    for event in events:
        if event.sequence < next_event:
            raise BadRow(f"event {event.sequence}: the next is {next_event}")
        next_event = event.sequence + 1


def cut_page(entries: Iterable[Row], limit_bytes: int | None) -> list[Row]:
    """The entries up to the one with which their data reach `limit_bytes`; never none of some."""
    page: list[Row] = []
    size_bytes = 0
    for entry in entries:
        page.append(entry)
        size_bytes += len(entry.data)
        if limit_bytes is not None and size_bytes >= limit_bytes:
            break
    return page


class Store(Protocol):
    """What the coordinator needs of a database. One owner at a time writes."""

    async def acquire(self, owner: str, floor: int = 0) -> Ownership:
        """Become the owner with a new epoch; every earlier epoch is fenced from now on.

        Args:
            floor: the epoch is at least this. A file may be an older copy that does not know which
                epochs were given since.
        """
        ...

    async def commit(self, batch: WriteBatch) -> None:
        """Write the batch durably (synced) or not at all.

        Raises:
            Fenced, StoreFull, BadRow, StoreBroken: see their docstrings.
        """
        ...

    async def load_rows(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, ExecutionRow]:
        """The rows that exist among `keys`."""
        ...

    async def callers_runs(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, int]:
        """Of each of `keys` that stored executions name as their caller, the highest run that they
        name. The callers themselves need not exist."""
        ...

    async def load(
        self,
        key: ExecutionKey,
        from_index: int = 0,
        limit: int | None = None,
        limit_bytes: int | None = None,
    ) -> StoredExecution | None:
        """A row with the journal entries from `from_index` on, in index order.

        Args:
            limit: at most so many entries.
            limit_bytes: no entry after the one with which the page's data reach so many bytes.
        """
        ...

    async def scan_unfinished(
        self, after: ExecutionKey | None, limit: int, statuses: Sequence[Status]
    ) -> list[ExecutionRow]:
        """Rows with one of the statuses in key order, after the given key."""
        ...

    async def scan_lanes(self, after: int, limit: int) -> list[ExecutionRow]:
        """Rows with a `lane_order` above `after` in that order; the engine gives each one once."""
        ...

    async def scan_places(self, after: ExecutionKey | None, limit: int) -> list[ExecutionRow]:
        """Rows with a place, in key order, after the given key."""

    async def scan_awaiting(self, after: ExecutionKey | None, limit: int) -> list[ExecutionRow]:
        """Rows that wait for the ends of others (`after` is not empty), in key order."""
        ...

    async def load_objects(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, ObjectRow]:
        """The objects that exist among `keys`; `damage` says which cannot be used."""
        ...

    async def timers_due(self, until_ms: int, limit: int) -> list[Timer]:
        """The earliest timers with `due_ms <= until_ms`, in (due, insertion) order."""
        ...

    async def outbox(self, limit: int, after_id: int = -1) -> list[OutboxRow]:
        """Undelivered messages in id order."""
        ...

    async def find_request(self, namespace: str, request_id: str) -> RequestRow | None:
        """A remembered request that `expire_requests` has not yet forgotten."""
        ...

    async def catalog(self) -> list[CatalogRow]:
        """Every method that was ever registered."""
        ...

    async def schedules(self) -> list[ScheduleRow]:
        """Every schedule, in order of namespace and id."""
        ...

    async def ended_before(self, until_ms: int, limit: int) -> list[ExecutionKey]:
        """Finished executions with `ended_ms <= until_ms` and no damage, those that ended first."""
        ...

    async def query(self, filter: Filter, limit: int, after: str = "") -> Page:
        """Rows that match, newest first (by creation time, then id, both descending)."""
        ...

    async def events(
        self,
        name: EventName,
        after: int,
        now_ms: int,
        limit: int,
        limit_bytes: int | None = None,
    ) -> list[EventRow]:
        """Events of a mailbox with a sequence above `after` that have not expired, in order.

        Args:
            limit_bytes: no event after the one with which the payloads reach so many bytes.
        """
        ...

    async def waiting(self, name: EventName, after_id: str, limit: int) -> list[WaitRow]:
        """Who waits for the events of a mailbox, by execution id, above the given one."""
        ...

    async def deliverable(self, now_ms: int) -> list[EventName]:
        """Mailboxes with an event that somebody waits for, in order: what a start-up looks at."""
        ...

    async def expire_events(self, now_ms: int, limit: int) -> int:
        """Remove at most `limit` events with `expires_ms <= now_ms`; returns how many."""
        ...

    async def expire_requests(self, now_ms: int) -> int:
        """Forget requests with `expires_ms <= now_ms`; returns how many."""
        ...

    async def delete(
        self, keys: Sequence[ExecutionKey], requests: Sequence[RequestRow] = ()
    ) -> None:
        """Remove executions with journals, timers and waits; messages to them stay.

        Args:
            requests: the answers to who asked for it, remembered in the same transaction.
        """
        ...

    async def trim(self, key: ExecutionKey, before: int, limit: int) -> int:
        """Remove at most `limit` entries of a journal with an index below `before`, the first ones
        first and none of the current run; returns how many. The journal's length stays."""
        ...

    async def checkpoint(self) -> None:
        """Bound the size of logs, off the commit path; a no-op where there are none."""
        ...

    async def close(self) -> None:
        """Close every connection; idempotent."""
        ...
