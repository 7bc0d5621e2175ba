"""Whether the write-ahead log ends where it was written to: commits behind a damaged place.

SQLite reads a log up to the first frame whose checksum is wrong and takes that for its end. That is
right after a power cut: what was being written then was not acknowledged. But each commit is synced
before the next is written, so what lies behind such a place is one commit at most. If there are
more, the log was damaged later, and acknowledged commits are lost.

The log is read as SQLite documents it (fileformat2.html, "The Write-Ahead Log"), about 0.1 s for
4 MB, and there is one only after a crash. Its index in shared memory would say the same, but who
has the database open may not open that file: closing it would let go of SQLite's locks.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from perdure_runtime.core.errors import DataLossError

_HEADER: Final = struct.Struct(">IIIIIIII")  # magic, version, page, sequence, salts, checksums
_FRAME: Final = struct.Struct(">IIIIII")  # page, pages after a commit, salts, checksums
_MAGIC: Final = 0x377F0682  # the last bit: the checksums are big-endian
_PAGE_BYTES: Final = 4096
_TRIES: Final = 5

Sums = tuple[int, int]


class _Header(NamedTuple):
    """What the frames of a log share. `sums` is None if the header itself is damaged."""

    salts: Sums
    sums: Sums | None
    page_bytes: int
    big_endian: bool


def lost_commits(database: Path) -> int:
    """How many commits of the log cannot be read because of a damaged place before them.

    0 when there is no log, or when only its last commit is incomplete. It may be written meanwhile.
    """
    try:
        with database.with_name(database.name + "-wal").open("rb") as log:
            for _ in range(_TRIES):
                header = _header(log)
                if header is None:
                    return 0
                behind = _behind(log, header)
                if behind < 2:  # the first may be a commit under way
                    return 0
                again = _header(log)
                if again is not None and again.salts == header.salts:
                    return behind
    except FileNotFoundError:
        pass
    return 0  # the log began anew, again and again: its owner is alive and well


def refuse_damaged_log(database: Path) -> None:
    """Change nothing in a database that has lost commits.

    Raises:
        DataLossError: it has.
    """
    lost = lost_commits(database)
    if lost:
        raise DataLossError(
            f"the write-ahead log of {database} is damaged: {lost} commits behind that place are "
            "lost. Nothing was changed. Restore a backup, or take what is left with `perdure "
            "backup` and put that in its place: workers that know more will say so"
        )


def _header(log: BinaryIO) -> _Header | None:
    log.seek(0)
    data = log.read(_HEADER.size)
    if len(data) < _HEADER.size or not any(data):
        return None
    magic, _, page_bytes, _, salt_1, salt_2, *sums = _HEADER.unpack(data)
    big_endian = bool(magic & 1)
    if magic | 1 == _MAGIC | 1 and tuple(sums) == _add((0, 0), data[:24], big_endian):
        return _Header((salt_1, salt_2), (sums[0], sums[1]), page_bytes, big_endian)
    frame = log.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    _, _, salt_1, salt_2, *_ = _FRAME.unpack(frame)
    return _Header((salt_1, salt_2), None, _PAGE_BYTES, big_endian) if salt_1 or salt_2 else None


def _behind(log: BinaryIO, header: _Header) -> int:
    """Commits behind the first frame that is not as it was written, that one's included."""
    sums, number, size = header.sums, 0, _FRAME.size + header.page_bytes
    while sums is not None:
        following = _next(log, header, sums, number)
        if following is None:
            behind = _commits(log, header, number)
            # What was under way may be there by now; what is synced must be.
            if behind < 2 or (following := _next(log, header, sums, number)) is None:
                return behind
        sums, number = following, number + 1
        log.seek(_HEADER.size + number * size)
    return _commits(log, header, 0)


def _next(log: BinaryIO, header: _Header, sums: Sums, number: int) -> Sums | None:
    """The sums with this frame; None if it is not valid."""
    size = _FRAME.size + header.page_bytes
    log.seek(_HEADER.size + number * size)
    data = log.read(size)
    if len(data) < size:
        return None
    _, _, salt_1, salt_2, *written = _FRAME.unpack_from(data)
    if (salt_1, salt_2) != header.salts:
        return None
    found = _add(_add(sums, data[:8], header.big_endian), data[_FRAME.size :], header.big_endian)
    return found if found == tuple(written) else None


def _commits(log: BinaryIO, header: _Header, number: int) -> int:
    """How many frames from this one on end commits of this log."""
    count, size = 0, _FRAME.size + header.page_bytes
    while True:
        log.seek(_HEADER.size + number * size)
        frame = log.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return count
        _, pages, salt_1, salt_2, *_ = _FRAME.unpack(frame)
        count += bool(pages) and (salt_1, salt_2) == header.salts
        number += 1


def _add(sums: Sums, data: bytes, big_endian: bool) -> Sums:
    words = array("I", data)
    if big_endian != (sys.byteorder == "big"):
        words.byteswap()
    first, second = sums
    for position in range(0, len(words), 2):
        first = (first + words[position] + second) & 0xFFFFFFFF
        second = (second + words[position + 1] + first) & 0xFFFFFFFF
    return first, second
