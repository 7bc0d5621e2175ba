"""One SQLite connection on its own thread, used in whole units of work.

aiosqlite hands each call to the connection's thread and back, about 0.1 ms a time on a busy
machine. A commit of six statements must not pay that six times, so a `Link` hands over a whole
function: it is queued, and aiosqlite's `commit()` (public, one hop) runs what was queued. Units are
plain synchronous code over `sqlite3`; they run in the order in which they were handed over, and one
whose caller was cancelled still runs to its end.

A link knows no tables and maps no errors except a use after `fork`.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Final, TypeVar

import aiosqlite

from perdure_runtime.storage import StoreError

BUSY_TIMEOUT_S: Final = 5.0

T = TypeVar("T")

# Strong references, dropped by `close`: a forked child must never close what it inherited.
_open_links: set[Link] = set()


class _UnitConnection(sqlite3.Connection):
    """`commit()` runs the next queued unit; units end their transactions with SQL."""

    units: deque[Callable[[], None]]

    def commit(self) -> None:
        self.units.popleft()()


class Link:
    """A connection with its thread. Make one with `Link.open`."""

    def __init__(self, shell: aiosqlite.Connection, core: _UnitConnection) -> None:
        self._shell = shell
        self._core = core
        self._pid = os.getpid()
        _open_links.add(self)

    @classmethod
    async def open(cls, uri: str, prepare: Callable[[sqlite3.Connection], None]) -> Link:
        """Connect and run `prepare` on the connection's thread; what it raises, this raises."""
        made: list[_UnitConnection] = []
        failures: list[Exception] = []

        def connect() -> sqlite3.Connection:
            try:
                made.append(_connect(uri, prepare))
            except Exception as error:
                failures.append(error)
                return sqlite3.connect(":memory:")  # aiosqlite's own way out of a failure is racy
            return made[0]

        shell = await _on_daemon_thread(connect)
        if failures:
            await shell.close()
            raise failures[0]
        return cls(shell, made[0])

    async def run(self, unit: Callable[[sqlite3.Connection], T]) -> T:
        """Run one unit on the connection's thread and return what it returns."""
        if os.getpid() != self._pid:
            raise StoreError(
                f"the database was opened by process {self._pid} before it forked; a child cannot "
                "use it: connect to a server instead (perdure server --db PATH)"
            )
        results: list[T] = []
        core = self._core
        core.units.append(lambda: results.append(unit(core)))
        await self._shell.commit()
        return results[0]

    async def close(self) -> None:
        """Finish what was handed over, close the connection and end its thread; idempotent."""
        if self in _open_links and os.getpid() == self._pid:
            _open_links.discard(self)
            await self._shell.close()


def _connect(uri: str, prepare: Callable[[sqlite3.Connection], None]) -> _UnitConnection:
    core = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S, factory=_UnitConnection
    )
    core.units = deque()
    try:
        prepare(core)
    except BaseException:
        core.close()
        raise
    return core


def _on_daemon_thread(connect: Callable[[], sqlite3.Connection]) -> aiosqlite.Connection:
    """An aiosqlite connection, not yet awaited, that does not keep a failed process alive.

    A process that ends without `close` must end, and let go of its lock; for the database that is a
    crash like any other. aiosqlite has no option for it, but a thread is a daemon if its maker is.
    """
    made: list[aiosqlite.Connection] = []
    maker = Thread(
        target=lambda: made.append(aiosqlite.Connection(connect, iter_chunk_size=64)), daemon=True
    )
    maker.start()
    maker.join()
    return made[0]


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its start; all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors (disk full) have rolled back by themselves
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Several reads of one state of the database."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
