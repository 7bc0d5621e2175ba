"""Small rows, entries and timers for tests of stores. Made by hand, checked nowhere."""

from __future__ import annotations

from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import CHAIN_START, ExecutionKey, ParentLink, next_chain
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.storage import ExecutionRow, StoredEntry, Timer, TimerKey


def key_of(id: str, namespace: str = "default") -> ExecutionKey:
    """A key for tests."""
    return ExecutionKey(namespace, id)


def row_of(
    key: ExecutionKey,
    status: Status = Status.QUEUED,
    created_ms: int = 1000,
    service: str = "orders",
    method: str = "place",
    parent: ParentLink | None = None,
    run_index: int = 0,
    labels: dict[str, str] | None = None,
) -> ExecutionRow:
    """A row for tests."""
    return ExecutionRow(
        key=key,
        shard=7,
        target=Target(service=service, method=method),
        status=status,
        created_ms=created_ms,
        parent=parent,
        run_index=run_index,
        labels=labels or {},
    )


def entries_of(key: ExecutionKey, count: int, first: int = 0, size: int = 20) -> list[StoredEntry]:
    """Journal entries whose bytes depend on key and index."""
    chain, made = CHAIN_START, []
    for index in range(first + count):
        data = f"{key.id}#{index};".encode("utf-8", "surrogatepass").ljust(size, b"\xff")
        chain = next_chain(chain, data, index * 3)
        if index >= first:
            made.append(
                StoredEntry(key=key, index=index, time_ms=index * 3, chain=chain, data=data)
            )
    return made


def timer_of(key: ExecutionKey, path: str, due_ms: int, kind: str = "timer") -> Timer:
    """A timer for tests."""
    return Timer(key=key, shard=7, kind=kind, path=path, due_ms=due_ms, run=2, attempt=3)


def timers_of(*timers: Timer) -> dict[TimerKey, Timer]:
    """As a batch wants them."""
    return {TimerKey(key=t.key, kind=t.kind, path=t.path): t for t in timers}


def rows_of(*rows: ExecutionRow) -> dict[ExecutionKey, ExecutionRow]:
    """As a batch wants them."""
    return {row.key: row for row in rows}
