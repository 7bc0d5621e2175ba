"""What SQLite's errors mean for a caller of the store. One table; nothing else reads the codes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from perdure_runtime.storage import BadRow, StoreBroken, StoreError, StoreFull

_PRIMARY_CODE: Final = 0xFF  # extended codes (SQLITE_IOERR_FSYNC, ...) keep it in the low byte

_BY_CODE: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_FULL: (StoreFull, "the disk is full; free some space, nothing was written"),
    sqlite3.SQLITE_IOERR: (StoreBroken, "reading or writing the disk failed"),
    sqlite3.SQLITE_NOTADB: (
        StoreBroken,
        "the file is not a SQLite database; if it was Perdure's, restore a backup",
    ),
    sqlite3.SQLITE_CONSTRAINT: (BadRow, "a row breaks a rule of its table"),
    sqlite3.SQLITE_TOOBIG: (BadRow, "a value is too big"),
    sqlite3.SQLITE_MISMATCH: (BadRow, "a value has the wrong type"),
}

# Raised by the sqlite3 module before SQLite sees the row: text with lone surrogates, integers
# beyond 64 bits, values of types that cannot be stored.
UNSTORABLE: Final = (OverflowError, UnicodeEncodeError, sqlite3.InterfaceError)

# All that reading may raise: the module decodes texts, of error messages too.
READ_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)


def is_damage(error: Exception) -> bool:
    """Whether a read failed because of what is in the file."""
    if isinstance(error, UnicodeDecodeError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # the sqlite3 module's own: text that is no UTF-8
        return isinstance(error, sqlite3.OperationalError) and "UTF-8" in str(error)
    return int(code) & _PRIMARY_CODE == sqlite3.SQLITE_CORRUPT


def store_error(error: Exception, path: Path | None = None) -> StoreError:
    """The store's error for what SQLite or its Python module raised.

    Args:
        path: of the database, to say which one is meant and how to look into it.
    """
    if isinstance(error, UNSTORABLE):
        return BadRow(f"a value cannot be stored: {error}")
    if is_damage(error):
        which = f"the database {path}" if path else "the database file"
        look = f"`perdure verify --db {path}` lists what; " if path else ""
        return StoreBroken(f"{which} is damaged: {look}restore a backup ({error})")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        kind = BadRow if isinstance(error, (sqlite3.DataError, sqlite3.ProgrammingError)) else None
        return (kind or StoreError)(f"SQLite: {error}")
    error_class, meaning = _BY_CODE.get(
        code & _PRIMARY_CODE, (StoreError, "the database refused, nothing was written")
    )
    name = getattr(error, "sqlite_errorname", code)
    return error_class(f"{meaning} ({name}: {error})")
