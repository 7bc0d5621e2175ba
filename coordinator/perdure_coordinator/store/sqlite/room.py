"""Room in the write-ahead log before it is needed.

The sync of a file that grows also writes the file system's own journal: on ext4 it takes twice as
long as one of bytes that were there before, and now and then ten times as long. A log that was
started anew is overwritten in place; a young one grows with every commit. So it gets zeros behind
its last frame. They are no frames: SQLite takes what a log holds up to the first frame whose salt
or checksum is wrong, as it does with what is left of an earlier round.

Only the thread that writes the log may call this, so no frame can be where zeros are written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

STEP_BYTES: Final = 1024 * 1024  # about 2 ms
MARGIN_BYTES: Final = 256 * 1024
_ENOUGH: Final = 1 << 62


class LogRoom:
    """The room of one log.

    Args:
        database: the database's file.
        limit_bytes: a log of this length gets no more room.
    """

    def __init__(self, database: Path, limit_bytes: int) -> None:
        self._log = Path(f"{database}-wal")
        self._limit_bytes = limit_bytes
        self._length_bytes = 0

    def keep(self, used_bytes: int) -> None:
        """See that there is room behind what is used, by an estimate that may be half of it.

        Room is a help, no need: where the disk gives none, commits go on without.
        """
        needed_bytes = 2 * used_bytes + MARGIN_BYTES
        if needed_bytes < self._length_bytes:
            return
        try:
            self._length_bytes = self._grown(needed_bytes)
        except OSError:
            self._length_bytes = _ENOUGH

    def _grown(self, needed_bytes: int) -> int:
        log = os.open(self._log, os.O_RDWR | os.O_CLOEXEC)
        try:
            length_bytes = os.fstat(log).st_size
            if length_bytes >= self._limit_bytes:
                return _ENOUGH
            if needed_bytes >= length_bytes:
                length_bytes += os.pwrite(log, bytes(STEP_BYTES), length_bytes)
            return length_bytes
        finally:
            os.close(log)
