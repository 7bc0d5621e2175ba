"""The embedded coordinator: the same engine and store in the caller's process, without a port.

It has its own thread and loop, so that a blocked caller (a `time.sleep` in a notebook) does not
stop timers and commits. It owns the database's lock; when it shares the file, it opens the door to
the user's other processes and serves them over gRPC on a Unix socket, from the first guest on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from perdure._compose.door import Door
from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_coordinator.metrics import attach, detach
from perdure_coordinator.store import file_of, open_store
from perdure_coordinator.store.sqlite import SqliteStore
from perdure_coordinator.store.sqlite.place import real_path
from perdure_runtime.core.errors import CoordinatorUnavailableError, PerdureError
from perdure_runtime.grpc_loading import load_grpc
from perdure_runtime.storage import Store

if TYPE_CHECKING:
    from perdure_coordinator.server import Server

T = TypeVar("T")
_LOG = logging.getLogger("perdure.embedded")
GUESTS_GRACE_S: Final = 1.0

_grpc_used = False
_forked_with_grpc = False


class EmbeddedCoordinator:
    """An engine on its own thread. Open and close it from any one loop.

    Args:
        share: whether other processes of this user may use the file through it.
    """

    def __init__(self, database: str, config: Config | None = None, *, share: bool = False) -> None:
        self.database = database
        self._config = config or Config()
        self._share = share
        self._door: Door | None = None
        self._server: Server | None = None
        self._pid = os.getpid()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._main, name="perdure-coordinator", daemon=True)
        self.loop: asyncio.AbstractEventLoop
        self.engine: Engine

    async def open(self) -> None:
        """Open the database, recover, and return once requests are served.

        Raises:
            DatabaseInUseError, SchemaVersionError: as `open_store`.
        """
        await asyncio.get_running_loop().run_in_executor(None, self.open_blocking)

    def open_blocking(self) -> None:
        """`open` for a thread without a loop."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    async def close(self) -> None:
        """Commit what is decided and close the database. Twice is once."""
        if self.alive:
            await asyncio.get_running_loop().run_in_executor(None, self.close_blocking)

    def close_blocking(self) -> None:
        """`close` for a thread without a loop."""
        if self.alive:
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether it runs, in this process."""
        return self._pid == os.getpid() and self._thread.is_alive()

    async def call(self, make: Callable[[Engine], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine of the engine on its loop and await it here."""
        check_not_forked(self._pid)
        if not self._thread.is_alive():
            raise CoordinatorUnavailableError("the embedded runtime is closed")
        coroutine = make(self.engine)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        store = await open_store(self.database)
        try:
            self._open_door(store)
            self.engine = await Engine.open(store, self._config)
        except BaseException:
            await store.close()
            await self._let_guests_go()
            raise
        attach(self.engine)
        self._ready.set()
        if self._door is not None:
            self._door.ready()
        await self._stop.wait()
        detach(self.engine)
        if self._door is not None:
            self._door.shut()
        if self._server is not None:
            await self._server.stop(GUESTS_GRACE_S)
        await self.engine.stop()
        await self._let_guests_go()  # now that the lock is free: one of them takes it

    def _open_door(self, store: Store) -> None:
        path = file_of(self.database)
        if not self._share or path is None or not isinstance(store, SqliteStore):
            return
        try:
            door = Door(real_path(path), self._serve_guests)
            door.open()
        except PerdureError as error:
            _LOG.warning("%s is not shared with other processes: %s", self.database, error)
            return
        self._door = door
        store.say_where(f"unix:{door.path}")

    async def _serve_guests(self, path: str) -> None:
        use_grpc()
        server_class = await asyncio.to_thread(_load_server)
        server = server_class(self.engine, self._config.lease_ms / 3000, standard=False)
        server.bind_socket(path)
        await server.start()
        self._server = server

    async def _let_guests_go(self) -> None:
        if self._door is not None:
            await self._door.let_go()


def _load_server() -> type[Server]:
    load_grpc()  # a user who embeds never asked for it: it may not hurt their forks
    from perdure_coordinator.server import Server

    return Server


def check_not_forked(pid: int) -> None:
    """Raise PerdureError in a child of the process that opened something."""
    if os.getpid() != pid:
        raise PerdureError(
            f"this embedded runtime was opened by process {pid} before it forked; a child cannot "
            "use it: open perdure.embedded(path) again in the child, or start it with 'spawn'"
        )


def use_grpc() -> None:
    """Say that gRPC is going to be used.

    Raises:
        PerdureError: it would hang: this process was forked from one that uses it.
    """
    global _grpc_used
    _grpc_used = True
    if _forked_with_grpc:
        raise PerdureError(
            f"process {os.getpid()} was forked from one that uses gRPC, which does not work in "
            "the child; start it with 'spawn' (multiprocessing) or as a program of its own"
        )


def _note_fork() -> None:
    global _forked_with_grpc
    _forked_with_grpc = _grpc_used


os.register_at_fork(after_in_child=_note_fork)
