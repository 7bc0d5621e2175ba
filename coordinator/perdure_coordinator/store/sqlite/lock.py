"""The owner's lock: a file beside the database, so that one process writes at a time.

It is never the database file itself: POSIX drops a process's locks on a file when any descriptor of
it is closed, and SQLite depends on its own. The file stays when the lock is released (removing it
would let two processes lock two files of one name). It says who holds it, for the error message of
the next one; it is not read to decide anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from typing import Final

from perdure_runtime.core.errors import DatabaseInUseError

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_RECORD_BYTES: Final = 4096

_held: set[OwnerLock] = set()


class OwnerLock:
    """Held from construction until `release`; the end of the process releases it too.

    Args:
        database: path of the database; the lock is `<database>.lock`.

    Raises:
        DatabaseInUseError: another opener holds it.
    """

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(self._descriptor)
            os.close(self._descriptor)
            raise DatabaseInUseError(
                f"{database} is in use by {holder}. One process owns a database: start "
                f"`perdure server --db {database}` and connect to it from all of them, "
                "or end the other one."
            ) from None
        record = {"host": socket.gethostname(), "boot_id": _boot_id(), "pid": os.getpid()}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(record).encode(), 0)
        _held.add(self)

    def release(self) -> None:
        """Let the next opener have it; idempotent."""
        if self in _held:
            _held.discard(self)
            os.close(self._descriptor)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # not Linux
        return ""


def _read_holder(descriptor: int) -> str:
    try:
        record = json.loads(os.pread(descriptor, _RECORD_BYTES, 0))
        pid, host = int(record["pid"]), str(record["host"])
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written its name yet
        return "another process"
    if host != socket.gethostname():
        return f"process {pid} on {host}"
    return "this process itself" + f" (pid {pid})" if pid == os.getpid() else f"process {pid}"


def _close_inherited() -> None:
    """A child's copy of the descriptor would hold the lock after its parent has ended."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_close_inherited)
