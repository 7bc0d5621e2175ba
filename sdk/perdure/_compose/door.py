"""The door of a shared database: a Unix socket at which its host is found, and its death is seen.

Who holds the database's lock opens the door; a guest that connects is told the process, and as soon
as requests are served, at which socket. The guest keeps the connection: its end says that the host
has gone, at once and without asking, whatever killed it. gRPC is loaded when the first guest comes:
a process that is alone pays nothing.

Sockets lie in a directory that only their user may enter. Only the holder of the lock removes and
binds them, so no living host loses its own. A forked child closes what it inherits: its copies
would make its dead parent look alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from perdure_runtime.core.errors import PerdureError

_LOG = logging.getLogger("perdure.embedded")
MAX_PATH_BYTES: Final = 107  # of a Unix socket; one more is the terminating zero
BACKLOG: Final = 128
LINE_BYTES: Final = 4096
AGAIN_S: Final = 0.1

_numbers = count(1)
_open: set[Door | Visit] = set()


class NoAnswer(Exception):
    """Nobody is behind the door, or does not speak."""


def socket_directory() -> Path:
    """A directory that only this user may enter; made if it is missing.

    Raises:
        PerdureError: another user has it, or others may enter.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and _is_private(Path(runtime)):
        place = Path(runtime, "perdure")
    else:
        place = Path("/tmp", f"perdure-{os.getuid()}")
    try:
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
        private = _is_private(place)
    except OSError as error:
        raise PerdureError(f"cannot make {place}: {error.strerror}") from None
    if not private:
        raise PerdureError(f"{place} must be a directory that only user {os.getuid()} may enter")
    return place


def _is_private(place: Path) -> bool:
    try:
        found = place.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return mine and not found.st_mode & 0o077


class Door:
    """The host's side, on the coordinator's loop.

    Args:
        database: absolute; its name is hashed, so that any length fits.
        serve: makes requests be answered at the Unix socket that it is given. Awaited once, when
            the first guest comes.
    """

    def __init__(self, database: Path, serve: Callable[[str], Awaitable[None]]) -> None:
        name = hashlib.sha256(os.fsencode(database)).hexdigest()[:24]
        directory = socket_directory()
        self.path = directory / f"{name}.door"
        # A name of its own for each host: gRPC removes its socket whenever it has got that far.
        self._served = directory / f"{name}.{os.getpid()}.{next(_numbers)}"
        longest = max(len(os.fsencode(path)) for path in (self.path, self._served))
        if longest > MAX_PATH_BYTES:
            raise PerdureError(f"the path of a socket in {directory} would be too long")
        self._serve = serve
        self._serving: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._guests: set[socket.socket] = set()
        _open.add(self)

    def open(self) -> None:
        """Remove what dead hosts left and let guests in; they wait until `ready`.

        Raises:
            PerdureError: the socket cannot be bound.
        """
        try:
            for left in self.path.parent.glob(f"{self.path.stem}.*"):
                left.unlink(missing_ok=True)
            self._listener.bind(os.fspath(self.path))
            self._listener.listen(BACKLOG)
        except OSError as error:
            raise PerdureError(f"cannot listen at {self.path}: {error.strerror}") from None
        self._listener.setblocking(False)
        self._keep(self._admit())

    def ready(self) -> None:
        """Requests can be served from now on."""
        self._ready.set()

    def shut(self) -> None:
        """Let nobody in any more. Call it while the lock is still held."""
        if self._listener.fileno() >= 0:
            self.path.unlink(missing_ok=True)
            self._listener.close()

    async def let_go(self) -> None:
        """Tell the guests that the host has gone: the lock is free."""
        self.shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _open.discard(self)

    def forget(self) -> None:
        """In a forked child: close the copies, touch nothing else."""
        self._listener.close()
        for guest in self._guests:
            guest.close()

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._listener.fileno() >= 0:
            try:
                guest, _ = await loop.sock_accept(self._listener)
            except OSError as error:  # out of descriptors, say, or shut
                if self._listener.fileno() >= 0:
                    _LOG.warning("a process that opens the database was not let in: %s", error)
                    await asyncio.sleep(AGAIN_S)
                continue
            guest.setblocking(False)
            self._guests.add(guest)
            self._keep(self._welcome(guest))

    async def _welcome(self, guest: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(guest, _line(pid=os.getpid()))
            await self._ready.wait()
            try:
                await self._served_once()
            except Exception as error:
                await loop.sock_sendall(guest, _line(error=str(error)))
            else:
                await loop.sock_sendall(guest, _line(socket=os.fspath(self._served)))
            await loop.sock_recv(guest, 1)  # until it leaves
        except OSError:
            pass  # it has left
        finally:
            self._guests.discard(guest)
            guest.close()

    async def _served_once(self) -> None:
        if self._serving is None:
            serve = self._serve(os.fspath(self._served))
            self._serving = asyncio.ensure_future(serve)
        await asyncio.shield(self._serving)


@dataclass(eq=False, slots=True)
class Visit:
    """A guest's side of the door.

    Args:
        pid: of the host.
        served: the Unix socket where it serves gRPC.
    """

    pid: int
    served: str
    connection: socket.socket

    async def until_gone(self) -> None:
        """Wait until the host has died or left."""
        with contextlib.suppress(OSError):
            while await asyncio.get_running_loop().sock_recv(self.connection, LINE_BYTES):
                pass

    def end(self) -> None:
        """Leave. Twice is once."""
        _open.discard(self)
        self.connection.close()

    def forget(self) -> None:
        """In a forked child: close the copy."""
        self.connection.close()


async def knock(door: str, patience_s: float) -> Visit:
    """Come in as a guest; returns when the host serves.

    Args:
        patience_s: for the host's first word; it may take its time to recover afterwards.

    Raises:
        NoAnswer: nobody is there, or nobody speaks.
        PerdureError: the host cannot serve guests.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        async with asyncio.timeout(patience_s):
            await asyncio.get_running_loop().sock_connect(connection, door)
            reader = _Lines(connection)
            pid = int((await reader.next())["pid"])
        served = await reader.next()
        if "error" in served:
            raise PerdureError(f"process {pid} cannot share its database: {served['error']}")
        visit = Visit(pid, served["socket"], connection)
    except (OSError, TimeoutError) as error:
        connection.close()
        raise NoAnswer(str(error) or "it does not answer") from None
    except BaseException:
        connection.close()
        raise
    _open.add(visit)
    return visit


class _Lines:
    """JSON objects, one a line, from a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    async def next(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        while b"\n" not in self._rest:
            data = await loop.sock_recv(self._connection, LINE_BYTES)
            if not data:
                raise NoAnswer("it closed the door")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


def _line(**values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _forget_all() -> None:
    for each in list(_open):
        each.forget()
    _open.clear()


os.register_at_fork(after_in_child=_forget_all)
