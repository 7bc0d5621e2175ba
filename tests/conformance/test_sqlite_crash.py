"""P2: what was acknowledged is there after kill -9; what was not is there whole or not at all.

The child says after each commit which batch it was, and is killed in the middle of the stream. Each
batch writes to several executions, timers and messages, so that a torn one would show.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perdure_coordinator.store import open_store
from perdure_runtime.testing.store_samples import entries_of, key_of

KEYS = [key_of(f"k{n}") for n in range(4)]
PER_BATCH = 3
STREAM = """
import asyncio, sys
from pathlib import Path
from perdure_coordinator.store.sqlite import open_file
from perdure_runtime.storage import OutboxRow, WriteBatch
from perdure_runtime.testing.store_samples import *
keys = [key_of(f"k{n}") for n in range(4)]
async def main():
    store = await open_file(Path(sys.argv[1]), checkpoint_bytes=128 * 1024)
    epoch = (await store.acquire("child")).epoch
    start = {key: (await store.load(key, limit=0)) for key in keys}
    number = (start[keys[0]].length // 3) if start[keys[0]] else 0
    journals = {key: entries_of(key, 3 * 3000, size=500) for key in keys}
    while True:
        batch = WriteBatch(epoch, clock_ms=number)
        batch.rows = rows_of(*(row_of(key, created_ms=number) for key in keys))
        for key in keys:
            batch.entries += journals[key][3 * number : 3 * number + 3]
        batch.timers_set = timers_of(timer_of(keys[0], f"t{number}", number))
        batch.outbox_added = [OutboxRow(number, 1, keys[1], b"m")]
        await store.commit(batch)
        print(number, flush=True)
        number += 1
asyncio.run(main())
"""


@pytest.mark.processes
async def test_acknowledged_batches_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "crash.db"
    acknowledged = -1
    for attempt in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", STREAM, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        wanted = acknowledged + 40 + 37 * attempt
        for line in child.stdout:
            acknowledged = int(line)
            if acknowledged >= wanted:
                break
        child.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, child.stdout.read().split())])
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        written = await batches_in(path)
        # The child acknowledges before the next commit begins: at most one more is on disk.
        assert written in (acknowledged + 1, acknowledged + 2)


async def batches_in(path: Path) -> int:
    """How many batches are in the file, each of them whole."""
    store = await open_store(path)
    first = await store.load(KEYS[0], limit=0)
    assert first is not None
    count, rest = divmod(first.length, PER_BATCH)
    assert rest == 0
    for key in KEYS:
        loaded = await store.load(key)
        assert loaded is not None
        assert loaded.entries == entries_of(key, count * PER_BATCH, size=500)
        assert loaded.row.created_ms == count - 1
    timers = await store.timers_due(2**60, 2**30)
    assert [timer.path for timer in timers] == [f"t{n}" for n in range(count)]
    messages = await store.outbox(2**30)
    assert [message.id for message in messages] == list(range(count))
    owner = await store.acquire("test")
    assert (owner.clock_ms, owner.next_outbox_id) == (count - 1, count)
    await store.close()
    return count
