"""Where a database must not be: file systems of other machines.

SQLite's write-ahead log is shared memory of one machine, and locks of network file systems lie or
are lost with the connection: two owners of one file would be possible. Linux tells the type of each
mount in `/proc`; elsewhere nothing is checked. Reads no database.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from perdure_runtime.storage import StoreError

_MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")
NETWORK_TYPES: Final = frozenset(
    {
        *("afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs"),
        *("fuse.ceph", "fuse.cephfs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone"),
        *("fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "fuse.sshfs#", "fuse.goofys"),
    }
)


_MAGIC: Final = b"SQLite format 3\0"


def real_path(path: Path) -> Path:
    """Two names of one file must get one lock."""
    return Path(os.path.realpath(path))


def check_local(path: Path) -> None:
    """Refuse a database on a network file system.

    Args:
        path: absolute, without symbolic links; it need not exist.

    Raises:
        StoreError: the message names the type and where it is mounted.
    """
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # not Linux
        return
    kind, point = mount_of(path, mounts)
    if kind in NETWORK_TYPES:
        raise StoreError(
            f"{path} is on a network file system ({kind} at {point}), where locks and SQLite's log "
            "cannot be trusted; keep the database on a local disk, or run `perdure server` on the "
            "machine that has the disk and connect to it"
        )


def check_file(path: Path) -> None:
    """Refuse what is no database before anything is put beside it.

    Args:
        path: absolute, without symbolic links; it need not exist.

    Raises:
        StoreError: it cannot be a file of Perdure's; the message says why.
    """
    if not path.parent.is_dir():
        raise StoreError(f"cannot open {path}: there is no directory {path.parent}; create it")
    if path.is_dir():
        raise StoreError(f"cannot open {path}: it is a directory; name a file")
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}") from error
    if beginning != _MAGIC and any(beginning):  # all zeros: its creator was killed
        raise StoreError(
            f"cannot open {path}: it is not a SQLite database; give Perdure a file of its own "
            "(if it was one, its first page is damaged: restore a backup)"
        )


def mount_of(path: Path, mounts: str) -> tuple[str, str]:
    """Type and mount point of the file system that holds a path, by a `mountinfo` text.

    The longest mount point wins; of several on one directory the last, which covers the others.
    """
    kind, point = "", ""
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        found = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if path.is_relative_to(found) and len(found) >= len(point):
            kind, point = after.split(" ", 1)[0], found
    return kind, point
