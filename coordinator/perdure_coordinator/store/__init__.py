"""Where a coordinator keeps everything: `open_store` makes a `Store` from a URL or a path."""

from __future__ import annotations

import os
from pathlib import Path

from perdure_coordinator.store.sqlite import open_file, open_memory
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.memory import MemoryStore
from perdure_runtime.storage import Store

__all__ = ["file_of", "open_store"]


async def open_store(url: str | os.PathLike[str]) -> Store:
    """Open the store that a URL names; an owner must `acquire` it before it commits.

    Args:
        url: a path or `sqlite:///relative.db`, `sqlite:////absolute.db` for SQLite; `:memory:` or
            `sqlite://` for SQLite without a file; `memory:` for the reference model. `~` is the
            home directory.

    Raises:
        InvalidArgumentError: an unknown kind of URL.
        DatabaseInUseError: another opener owns the file; the message names its pid.
        SchemaVersionError: a newer version of Perdure wrote the file; nothing was changed.
        StoreError: the file cannot be opened or is not a database of Perdure's.
    """
    if url == "memory:":
        return MemoryStore()
    path = file_of(url)
    return await open_memory() if path is None else await open_file(path)


def file_of(url: str | os.PathLike[str]) -> Path | None:
    """The file that a URL of `open_store` names; None for a store in memory.

    Raises:
        InvalidArgumentError: an unknown kind of URL.
    """
    if isinstance(url, os.PathLike):
        return Path(url)
    if url in ("memory:", ":memory:", "sqlite://", "sqlite:///:memory:"):
        return None
    scheme, separator, rest = url.partition("://")
    if separator and (scheme != "sqlite" or not rest.startswith("/")):
        raise InvalidArgumentError(
            f"no store for {url!r}: give a path, sqlite:///path, :memory: or memory:"
        )
    path = rest[1:] if separator else url
    if not path:
        raise InvalidArgumentError("the path of the database is empty")
    return Path(os.path.expanduser(path))
