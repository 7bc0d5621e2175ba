"""Which source files there are and when they changed, for `perdure dev`. Knows no processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".py", ".toml", ".env")
SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
MAX_FILES: Final = 20_000

Snapshot = dict[str, tuple[int, int]]
"""Modification time in ns and size of each file."""


def snapshot(directories: Iterable[Path]) -> Snapshot:
    """Every source file below some directories; hidden and installed ones are left out."""
    found: Snapshot = {}
    for directory in directories:
        for entry in _files(directory):
            try:
                status = entry.stat()
            except OSError:  # removed in this moment
                continue
            found[entry.path] = (status.st_mtime_ns, status.st_size)
            if len(found) >= MAX_FILES:
                return found
    return found


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """Files that are new, gone or different."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name) != after.get(name))


def _files(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in SKIPPED:
                yield from _files(Path(entry.path))
        elif entry.name.endswith(SUFFIXES):
            yield entry
