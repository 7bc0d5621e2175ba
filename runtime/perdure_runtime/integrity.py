"""Whether what is stored is what was written: journals entry by entry, states of objects whole.

Each entry's hash covers its bytes, its time and the hash before it; the end (length and last hash)
is stored apart from the entries. So an entry that is altered, missing or too many is found, at the
end of the journal too. The state of an object has a hash over its name and all that is stored with
it. Pure: whoever reads the pages hands them over.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.ids import CHAIN_START, ExecutionKey, ObjectKey, next_chain, shard_of
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import NULL
from perdure_runtime.core.rows import ExecutionRow, ObjectRow
from perdure_runtime.storage import StoredEntry, StoredExecution

ADVICE: Final = (
    "nothing is written for it and no worker gets it: restore a backup from before the damage, "
    "fork it from the intact beginning (perdure history shows how far that goes), or delete it"
)

OBJECT_ADVICE: Final = (
    "no method of it runs, and its calls fail: restore a backup from before the damage, then retry "
    "the failed calls (perdure history of the last method that changed it shows what it was)"
)

CHECKSUM_BYTES: Final = 16


class JournalCheck:
    """Follows a journal from an entry on; pages are loaded from `index`, one after the other.

    Attributes:
        index: of the entry that comes next.
        problem: what was found first; "" as long as all is well. Nothing behind it is returned.
    """

    def __init__(self, first: int = 0) -> None:
        # From the middle on the hash of the entry before it is needed, and taken as it is.
        self.index = first - 1 if first else 0
        self.chain: bytes | None = None if first else CHAIN_START
        self.problem = ""

    def take(self, page: StoredExecution) -> Sequence[StoredEntry]:
        """The entries of the next page that are as they were written, up to the first that is not.

        A page without entries is the end of what is stored.
        """
        if page.first > self.index:
            self.index, self.chain = page.first, page.base
        skipped = 1 if self.chain is None else 0
        for position, entry in enumerate(page.entries):
            self.problem = self._compare(entry, page.length)
            if self.problem:
                return page.entries[skipped:position]
            self.chain = entry.chain
            self.index += 1
        if not page.entries and self.index < page.length:
            missing = page.length - self.index
            self.problem = f"the last {missing} of {page.length} entries are missing"
        elif self.index == page.length and self.chain not in (page.chain, None):
            self.problem = f"the hash of the last entry ({self.index - 1}) is not the journal's"
        return page.entries[skipped:] if skipped else page.entries

    def _compare(self, entry: StoredEntry, length: int) -> str:
        if entry.index != self.index:
            return f"entry {self.index} is missing"
        if entry.index >= length:
            return f"entry {entry.index} is one too many: {length} were written"
        if self.chain is not None and entry.chain != next_chain(
            self.chain, entry.data, entry.time_ms
        ):
            return f"entry {entry.index} is not as it was written"
        return ""


def unreadable_row(key: ExecutionKey, problem: str) -> ExecutionRow:
    """What stands for a row that cannot be read."""
    return ExecutionRow(key, shard_of(key), Target("", ""), Status.BLOCKED, 0, damage=problem)


def data_loss(key: ExecutionKey, problem: str) -> DataLossError:
    """The error of whoever asks for a damaged execution."""
    return DataLossError(f"the journal of execution {key.id!r} is damaged: {problem}; {ADVICE}")


def object_checksum(row: ObjectRow) -> bytes:
    """The hash over a stored object: its name, its state, and who saved it when."""
    state = row.state
    hashed = blake2b(state.data, digest_size=CHECKSUM_BYTES)
    labels = (*row.key, row.service, row.updated_ms, state.encoding, state.digest, state.metadata)
    hashed.update(msgspec.msgpack.encode(labels, order="deterministic"))
    return hashed.digest()


def unreadable_object(key: ObjectKey, problem: str) -> ObjectRow:
    """What stands for an object that cannot be read."""
    return ObjectRow(key, "", NULL, 0, damage=problem)


def object_loss(key: ObjectKey, problem: str) -> DataLossError:
    """The error of whoever asks for a damaged object."""
    return DataLossError(
        f"the state of object {key.name()!r} is damaged: {problem}; {OBJECT_ADVICE}"
    )
