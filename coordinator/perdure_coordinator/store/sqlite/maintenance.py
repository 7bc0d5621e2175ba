"""Keeping the write-ahead log bounded without making commits wait.

Checkpoints are PASSIVE, on a connection of their own, while commits go on. Two things need care:

- *A checkpoint never starts on a log that is wholly copied.* SQLite up to 3.51.2 (except 3.44.6 and
  3.50.7) can lose committed frames when one does while a commit starts the log anew: "the WAL-reset
  bug" in SQLite's documentation. `WriteAheadLog` therefore allows a checkpoint only when a write
  that began after the end of the last one has reached the log: such a log is not wholly copied,
  and no commit can start it anew before the checkpoint has ended. Nobody else may checkpoint the
  file meanwhile; backups use the backup interface.
- *Under steady load a PASSIVE checkpoint never catches up*, and SQLite starts the log anew only
  when it has. A log that has grown too long gets a second checkpoint while commits wait: it has
  only the few frames left that came in during the first. Commits also wait for a checkpoint that is
  slower than they are, so that the log has a bound: about twice LONG_LOG_FACTOR.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final, TypeVar

PAGE_BYTES: Final = 4096
CHECKPOINT_BYTES: Final = 8 * 1024 * 1024  # estimated log growth that calls for a checkpoint
LONG_LOG_FACTOR: Final = 4  # logs longer than this many CHECKPOINT_BYTES make commits wait

T = TypeVar("T")


class WriteAheadLog:
    """Counts writes and checkpoints, on the threads where they happen."""

    def __init__(self) -> None:
        self._begun = 0  # number of the write that began last
        self._written = 0  # number of the last write that put frames into the log
        self._mark = 0  # the write that had begun last when the last checkpoint ended

    def write(self, connection: sqlite3.Connection, unit: Callable[[sqlite3.Connection], T]) -> T:
        """Run a writing unit on the writer's thread and count it."""
        self._begun += 1
        before = connection.total_changes
        result = unit(connection)
        if connection.total_changes != before:
            self._written = self._begun
        return result

    def checkpoint(self, connection: sqlite3.Connection, *, alone: bool = False) -> int:
        """Copy what is in the log at the start, on the keeper's thread.

        Args:
            connection: the keeper's.
            alone: no write is running or can begin: then it is always safe.

        Returns:
            Length of the log in bytes when it began; 0 if it was not allowed to begin.
        """
        if not alone and self._written <= self._mark:
            return 0
        try:
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            self._mark = self._begun
        return int(frames) * PAGE_BYTES
