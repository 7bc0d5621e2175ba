"""The SQLite store: one writer connection, two for reading, one for checkpoints.

WAL with `synchronous=FULL`: when `commit` returns, the batch is on disk. One process owns a file at
a time (`lock`), and inside it one owner's epoch (`commit`). An in-memory database (`:memory:`) has
one connection for everything and nothing to lock or checkpoint.

After a failed sync or a damaged page the store refuses everything (`StoreBroken`): SQLite would go
on working on pages that may not be on disk.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from perdure_coordinator.store.sqlite import load, mailboxes, maintenance
from perdure_coordinator.store.sqlite.commit import (
    Places,
    delete_executions,
    forget_requests,
    take_ownership,
    trim_journal,
    write_batch,
)
from perdure_coordinator.store.sqlite.connection import Link
from perdure_coordinator.store.sqlite.errors import READ_ERRORS, UNSTORABLE, is_damage, store_error
from perdure_coordinator.store.sqlite.lock import OwnerLock
from perdure_coordinator.store.sqlite.log_check import refuse_damaged_log
from perdure_coordinator.store.sqlite.place import check_file, check_local, real_path
from perdure_coordinator.store.sqlite.query import query
from perdure_coordinator.store.sqlite.room import LogRoom
from perdure_coordinator.store.sqlite.schema import check_schema, migrate
from perdure_runtime.core.errors import SchemaVersionError
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.storage import (
    CatalogRow,
    Damaged,
    EventName,
    EventRow,
    ExecutionRow,
    Filter,
    ObjectRow,
    OutboxRow,
    Ownership,
    Page,
    RequestRow,
    ScheduleRow,
    StoreBroken,
    StoredExecution,
    StoreError,
    Timer,
    WaitRow,
    WriteBatch,
)

OLDEST_SQLITE: Final = (3, 37, 0)  # STRICT tables
_SQLITE_ERRORS: Final = (*READ_ERRORS, *UNSTORABLE)
_logger = logging.getLogger("perdure.store")

T = TypeVar("T")


class SqliteStore:
    """A `Store` in one SQLite file. Make one with `open_file` or `open_memory`."""

    def __init__(
        self,
        writer: Link,
        reader: Link,
        lister: Link,
        keeper: Link | None,
        lock: OwnerLock | None,
        checkpoint_bytes: int = maintenance.CHECKPOINT_BYTES,
        room: LogRoom | None = None,
        path: Path | None = None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._lister = lister
        self._keeper = keeper
        self._lock = lock
        self._places = Places()
        self._log = maintenance.WriteAheadLog()
        self._room = room
        self._path = path
        self._checkpoint_bytes = checkpoint_bytes
        self._long_log_bytes = checkpoint_bytes * maintenance.LONG_LOG_FACTOR
        self._log_bytes = 0  # estimated, since the last checkpoint was asked for
        self._checkpointing: asyncio.Task[None] | None = None
        self._write_gate = asyncio.Lock()
        self._checkpoint_gate = asyncio.Lock()
        self._broken: StoreBroken | None = None
        self._closed = False

    async def acquire(self, owner: str, floor: int = 0) -> Ownership:
        """Become the owner with a new epoch."""
        return await self._write(partial(take_ownership, name=owner, floor=floor))

    async def commit(self, batch: WriteBatch) -> None:
        """Write the batch durably or not at all.

        A caller that is cancelled meanwhile does not know which; the write is not undone.
        """
        if self._log_bytes >= self._long_log_bytes and self._checkpointing is not None:
            await asyncio.wait([self._checkpointing])
        unit = partial(self._write_batch, batch=batch)
        grown_bytes = await self._write(unit)  # not `+= await`: a checkpoint may reset it meanwhile
        self._log_bytes += grown_bytes
        if self._log_bytes >= self._checkpoint_bytes and self._keeper is not None:
            self._start_checkpoint()

    def _write_batch(self, connection: sqlite3.Connection, batch: WriteBatch) -> int:
        if self._room is not None:
            self._room.keep(self._log_bytes)
        return write_batch(connection, batch, self._places)

    async def load_rows(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, ExecutionRow]:
        """The rows that exist among `keys`."""
        return await self._read(partial(load.load_rows, keys=keys))

    async def callers_runs(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, int]:
        """The highest run of each caller that executions name."""
        return await self._run(self._reader, partial(load.callers_runs, keys=keys))

    async def load(
        self,
        key: ExecutionKey,
        from_index: int = 0,
        limit: int | None = None,
        limit_bytes: int | None = None,
    ) -> StoredExecution | None:
        """A row with a page of its journal, of one moment."""
        unit = partial(
            load.load, key=key, from_index=from_index, limit=limit, limit_bytes=limit_bytes
        )
        return await self._read(unit)

    async def scan_unfinished(
        self, after: ExecutionKey | None, limit: int, statuses: Sequence[Status]
    ) -> list[ExecutionRow]:
        """Rows with one of the statuses in key order."""
        unit = partial(load.scan_unfinished, after=after, limit=limit, statuses=statuses)
        return await self._run(self._reader, unit)

    async def scan_lanes(self, after: int, limit: int) -> list[ExecutionRow]:
        """Rows that stand in a lane, in that order."""
        return await self._run(self._reader, partial(load.scan_lanes, after=after, limit=limit))

    async def scan_places(self, after: ExecutionKey | None, limit: int) -> list[ExecutionRow]:
        """See `Store.scan_places`."""
        return await self._run(self._reader, partial(load.scan_places, after=after, limit=limit))

    async def scan_awaiting(self, after: ExecutionKey | None, limit: int) -> list[ExecutionRow]:
        """Rows that wait for the ends of others, in key order."""
        return await self._run(self._reader, partial(load.scan_awaiting, after=after, limit=limit))

    async def load_objects(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, ObjectRow]:
        """The objects that exist among `keys`."""
        return await self._run(self._reader, partial(load.load_objects, keys=keys))

    async def timers_due(self, until_ms: int, limit: int) -> list[Timer]:
        """The earliest timers."""
        return await self._run(
            self._reader, partial(load.timers_due, until_ms=until_ms, limit=limit)
        )

    async def outbox(self, limit: int, after_id: int = -1) -> list[OutboxRow]:
        """Undelivered messages in id order."""
        return await self._run(self._reader, partial(load.outbox, limit=limit, after_id=after_id))

    async def find_request(self, namespace: str, request_id: str) -> RequestRow | None:
        """A remembered request."""
        unit = partial(load.find_request, namespace=namespace, request_id=request_id)
        return await self._run(self._reader, unit)

    async def catalog(self) -> list[CatalogRow]:
        """Every registered method."""
        return await self._run(self._reader, load.catalog)

    async def schedules(self) -> list[ScheduleRow]:
        """Every schedule."""
        return await self._run(self._reader, load.schedules)

    async def ended_before(self, until_ms: int, limit: int) -> list[ExecutionKey]:
        """Finished executions that ended by then."""
        unit = partial(load.ended_before, until_ms=until_ms, limit=limit)
        return await self._run(self._lister, unit)

    async def query(self, filter: Filter, limit: int, after: str = "") -> Page:
        """Rows that match, newest first."""
        return await self._run(
            self._lister, partial(query, filter=filter, limit=limit, after=after)
        )

    async def events(
        self,
        name: EventName,
        after: int,
        now_ms: int,
        limit: int,
        limit_bytes: int | None = None,
    ) -> list[EventRow]:
        """Events of a mailbox above a sequence that have not expired, in order."""
        unit = partial(
            mailboxes.events,
            name=name,
            after=after,
            now_ms=now_ms,
            limit=limit,
            limit_bytes=limit_bytes,
        )
        return await self._run(self._reader, unit)

    async def waiting(self, name: EventName, after_id: str, limit: int) -> list[WaitRow]:
        """Who waits for the events of a mailbox, by execution id."""
        unit = partial(mailboxes.waiting, name=name, after_id=after_id, limit=limit)
        return await self._run(self._reader, unit)

    async def deliverable(self, now_ms: int) -> list[EventName]:
        """Mailboxes with an event that somebody waits for."""
        return await self._run(self._lister, partial(mailboxes.deliverable, now_ms=now_ms))

    async def expire_events(self, now_ms: int, limit: int) -> int:
        """Remove at most `limit` expired events; returns how many."""
        return await self._write(partial(mailboxes.expire_events, now_ms=now_ms, limit=limit))

    async def expire_requests(self, now_ms: int) -> int:
        """Forget expired requests."""
        return await self._write(partial(forget_requests, now_ms=now_ms))

    async def delete(
        self, keys: Sequence[ExecutionKey], requests: Sequence[RequestRow] = ()
    ) -> None:
        """Remove executions with their journals and timers; remember who asked for it."""
        unit = partial(delete_executions, keys=keys, requests=requests, places=self._places)
        await self._write(unit)

    async def trim(self, key: ExecutionKey, before: int, limit: int) -> int:
        """Remove the first entries of a journal, none of the current run."""
        return await self._write(partial(trim_journal, key=key, before=before, limit=limit))

    async def checkpoint(self) -> None:
        """Copy the log into the database file; commits wait only when the log is very long."""
        if self._keeper is None:
            return
        async with self._checkpoint_gate:
            self._log_bytes = 0
            length_bytes = await self._run(self._keeper, self._log.checkpoint)
            if length_bytes > self._long_log_bytes:
                async with self._write_gate:
                    await self._run(self._keeper, partial(self._log.checkpoint, alone=True))

    def say_where(self, place: str) -> None:
        """Say in the lock file where the owner can be reached: `unix:PATH` or an endpoint."""
        if self._lock is not None:
            self._lock.say_where(place)

    async def close(self) -> None:
        """Let what is running end, close every connection, release the lock; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._checkpointing is not None:
            await asyncio.wait([self._checkpointing])
        async with self._write_gate:
            others = (self._reader, self._lister, self._keeper)
            for link in (*others, self._writer):  # the last one to close empties the log
                if link is not None:
                    await link.close()
        if self._lock is not None:
            self._lock.release()

    def _start_checkpoint(self) -> None:
        if self._checkpointing is None or self._checkpointing.done():
            self._checkpointing = asyncio.create_task(self._background_checkpoint())

    async def _background_checkpoint(self) -> None:
        try:
            await self.checkpoint()
        except StoreError as error:  # a broken store also refuses the next commit, by `_broken`
            _logger.warning("checkpoint failed, the log keeps what it holds: %s", error)

    async def _write(self, unit: Callable[[sqlite3.Connection], T]) -> T:
        async with self._write_gate:
            return await self._run(self._writer, partial(self._log.write, unit=unit))

    async def _read(self, unit: Callable[[sqlite3.Connection], T]) -> T:
        """Read of some executions: a damaged place there concerns nobody else.

        Raises:
            Damaged: it cannot be read.
        """

        def careful(connection: sqlite3.Connection) -> T:
            try:
                return unit(connection)
            except READ_ERRORS as error:
                if is_damage(error):
                    raise Damaged(f"the database cannot be read there: {error}") from error
                raise

        return await self._run(self._reader, careful)

    async def _run(self, link: Link, unit: Callable[[sqlite3.Connection], T]) -> T:
        if self._broken is not None:
            raise StoreBroken(f"the store broke earlier: {self._broken}")
        if self._closed and asyncio.current_task() is not self._checkpointing:
            raise StoreError("the store is closed")
        try:
            return await link.run(unit)
        except _SQLITE_ERRORS as error:
            failure = store_error(error, self._path)
            if isinstance(failure, StoreBroken):
                self._broken = failure
            raise failure from error


async def open_file(
    path: Path, checkpoint_bytes: int = maintenance.CHECKPOINT_BYTES
) -> SqliteStore:
    """Open or create a database file as its only owner.

    Raises:
        DatabaseInUseError: another opener has it.
        SchemaVersionError: a newer version of Perdure wrote it; nothing was changed.
        DataLossError: its log is damaged, and commits behind that place are lost.
        StoreError: it cannot be opened, is another application's, or lies on a network.
    """
    _check_library()
    path = real_path(path)
    check_local(path)
    check_file(path)
    links: list[Link] = []
    lock = _lock_and_create(path)
    try:
        prepare = partial(_prepare_writer, path=path, log_limit_bytes=2 * checkpoint_bytes)
        links.append(await Link.open(f"{path.as_uri()}?mode=rw", prepare))
        links.append(await Link.open(f"{path.as_uri()}?mode=ro", _prepare_reader))
        links.append(await Link.open(f"{path.as_uri()}?mode=ro", _prepare_reader))
        links.append(await Link.open(f"{path.as_uri()}?mode=rw", _prepare_keeper))
    except BaseException as error:
        for link in reversed(links):
            await link.close()
        lock.release()
        if isinstance(error, _SQLITE_ERRORS):
            failure = store_error(error, path)
            raise type(failure)(f"cannot open {path}: {failure}") from error
        if type(error) in (StoreError, SchemaVersionError):
            raise type(error)(f"cannot open {path}: {error}") from error
        raise
    writer, reader, lister, keeper = links
    room = LogRoom(path, 2 * checkpoint_bytes)
    return SqliteStore(writer, reader, lister, keeper, lock, checkpoint_bytes, room, path)


async def open_memory() -> SqliteStore:
    """A database that lives and dies with the store."""
    _check_library()
    link = await Link.open("file::memory:", migrate)
    return SqliteStore(link, link, link, keeper=None, lock=None)


def _check_library() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(
            f"this Python is linked with SQLite {sqlite3.sqlite_version}; Perdure needs 3.37"
        )


def _lock_and_create(path: Path) -> OwnerLock:
    """The lock, and a file that only its user can read: SQLite gives its log the same mode."""
    try:
        lock = OwnerLock(path)
    except OSError as error:
        raise StoreError(
            f"cannot open {path}: {error.strerror} for its lock {path.name}.lock; "
            f"this user must be able to create files in {path.parent}"
        ) from error
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)  # a new file's name must survive a power cut too
        finally:
            os.close(directory)
    except OSError as error:
        lock.release()
        raise StoreError(
            f"cannot open {path}: {error.strerror}; this user must be able to write to it"
        ) from error
    return lock


def _prepare_writer(connection: sqlite3.Connection, path: Path, log_limit_bytes: int) -> None:
    check_schema(connection)  # before anything is written
    refuse_damaged_log(path)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"the file system does not allow a write-ahead log (SQLite chose {mode})")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {log_limit_bytes}")
    migrate(connection)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def _prepare_keeper(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")  # syncs the log, then the file
    connection.execute("PRAGMA wal_autocheckpoint = 0")
