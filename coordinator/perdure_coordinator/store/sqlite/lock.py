"""The owner's lock: a file beside the database, so that one process writes at a time.

It is never the database file itself: POSIX drops a process's locks on a file when any descriptor of
it is closed, and SQLite depends on its own. The file stays when the lock is released (removing it
would let two processes lock two files of one name). It says who holds it, for the error message of
the next one, and where it can be reached. Only the lock itself decides who
owns the file: what is written there may be of a holder that has died.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from perdure_runtime.core.errors import DatabaseInUseError

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_RECORD_BYTES: Final = 4096

_held: set[OwnerLock] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wrote its name into the lock.

    Args:
        host: where it runs; a pid means nothing elsewhere.
        boot_id: of that machine's start; a pid means nothing after another one.
        place: where it can be reached: `unix:` and the socket at which it shares the database, or
            the `http://` endpoint of a server. Empty while it starts.
    """

    host: str
    boot_id: str
    pid: int
    place: str = ""

    def __str__(self) -> str:
        if self.host != socket.gethostname():
            return f"process {self.pid} on {self.host}"
        if self.pid == os.getpid():
            return f"this process itself (pid {self.pid})"
        return f"process {self.pid}"


class OwnerLock:
    """Held from construction until `release`; the end of the process releases it too.

    Args:
        database: path of the database; the lock is `<database>.lock`.

    Raises:
        DatabaseInUseError: another opener holds it.
    """

    def __init__(self, database: Path) -> None:
        self.path = _lock_path(database)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(self._descriptor) or "another process"
            os.close(self._descriptor)
            raise DatabaseInUseError(
                f"{database} is in use by {holder}. One process owns a database: start "
                f"`perdure server --db {database}` and connect to it from all of them, "
                "or end the other one."
            ) from None
        self._write(place="")
        _held.add(self)

    def say_where(self, place: str) -> None:
        """Say where others reach the holder; see `Holder`."""
        self._write(place)

    def release(self) -> None:
        """Let the next opener have it; idempotent."""
        if self in _held:
            _held.discard(self)
            os.close(self._descriptor)

    def _write(self, place: str) -> None:
        holder = Holder(socket.gethostname(), _boot_id(), os.getpid(), place)
        data = json.dumps(asdict(holder)).encode()
        os.pwrite(self._descriptor, data.ljust(_RECORD_BYTES), 0)  # whole, over what was there


def read_holder(database: Path) -> Holder | None:
    """Who holds the database's lock or held it last; None when nobody has said."""
    try:
        descriptor = os.open(_lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # not Linux
        return ""


def _read(descriptor: int) -> Holder | None:
    try:
        record = json.loads(os.pread(descriptor, _RECORD_BYTES, 0))
        return Holder(
            str(record["host"]), str(record["boot_id"]), int(record["pid"]), str(record["place"])
        )
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written its name yet
        return None


def _close_inherited() -> None:
    """A child's copy of the descriptor would hold the lock after its parent has ended."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_close_inherited)
