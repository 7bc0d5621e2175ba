"""P10: copies of a database with torn and flipped bytes: intact, or found; never silently wrong.

A copy is what a crash leaves: the file and its log, with nothing checkpointed. What is read of it
is compared with what had been acknowledged, commit by commit.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure_coordinator.store.sqlite import open_file
from perdure_coordinator.store.sqlite.log_check import lost_commits
from perdure_coordinator.store.sqlite.verify import verify
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.payload import Payload
from perdure_runtime.integrity import JournalCheck
from perdure_runtime.storage import ObjectRow, Store, StoredEntry, StoreError, WriteBatch
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of, rows_of
from tests.proof.counting import tried

KEYS = [key_of(f"k{number}") for number in range(6)]
COMMITS = 24
JOURNALS = {key: entries_of(key, 2 * COMMITS, size=90) for key in KEYS}
OBJECTS = {
    name: ObjectRow(name, "shop", Payload(bytes(range(256)) * 2, "x", b"d" * 16, {"v": "1"}), 2**40)
    for name in (ObjectKey("default", "Cart", str(number)) for number in range(24))
}
LOG_COPIES = int(os.environ.get("PERDURE_DAMAGED_COPIES", "250"))
Damage = Callable[[random.Random, bytearray], None]


async def written(path: Path, *, checkpoint: bool) -> None:
    """COMMITS commits of two entries to each journal; the crash is a copy while it is open."""
    store = await open_file(path, checkpoint_bytes=1 << 30)
    epoch = (await store.acquire("test")).epoch
    await store.commit(WriteBatch(epoch, rows=rows_of(*map(row_of, KEYS)), objects=OBJECTS))
    await store.checkpoint()
    for number in range(COMMITS):
        batch = WriteBatch(epoch, clock_ms=number)
        for key in KEYS:
            batch.entries += JOURNALS[key][2 * number : 2 * number + 2]
        await store.commit(batch)
    if not checkpoint:
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{path}.crashed{suffix}")
    await store.close()
    if checkpoint:
        shutil.copyfile(path, f"{path}.crashed")


def length_of_log(path: Path) -> int:
    """Without the room behind its last frame."""
    data = path.read_bytes()
    return len(data.rstrip(b"\0"))


async def read_journal(store: Store, key: ExecutionKey) -> list[StoredEntry] | str:
    check, entries = JournalCheck(), list[StoredEntry]()
    while True:
        page = await store.load(key, check.index, 7)
        if page is None:
            return "there is no such execution"
        entries += check.take(page)
        if check.problem:
            return check.problem
        if check.index >= page.length:
            return entries


async def read(path: Path) -> dict[ExecutionKey, list[StoredEntry] | str]:
    """Each journal as a coordinator reads it, or what it finds wrong.

    Raises:
        StoreError, DataLossError: the whole file is refused.
    """
    found: dict[ExecutionKey, list[StoredEntry] | str] = {}
    store = await open_file(path)
    try:
        await store.acquire("reader")
        for key in KEYS:
            try:
                found[key] = await read_journal(store, key)
            except StoreError as error:
                found[key] = str(error)
    finally:
        await store.close()
    return found


def flip(random: random.Random, data: bytearray) -> None:
    for _ in range(random.choice((1, 1, 2, 8))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def tear(random: random.Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def lose_a_sector(random: random.Random, data: bytearray) -> None:
    start = random.randrange(len(data) // 512) * 512
    data[start : start + 512] = bytes(512)


@pytest.mark.parametrize("damage", [flip, tear, lose_a_sector])
async def test_a_damaged_log_is_a_consistent_prefix_or_found(
    tmp_path: Path, damage: Damage
) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await written(path, checkpoint=False)
    intact = Path(f"{path}.crashed").read_bytes()
    log = Path(f"{path}.crashed-wal").read_bytes()[: length_of_log(Path(f"{path}.crashed-wal"))]
    outcomes = Counter[str]()
    for seed in range(LOG_COPIES // 3):
        damaged = bytearray(log)
        damage(random.Random(f"{damage.__name__} {seed}"), damaged)
        copy.write_bytes(intact)
        Path(f"{copy}-wal").write_bytes(damaged)
        Path(f"{copy}-shm").unlink(missing_ok=True)
        try:
            found = await read(copy)
        except DataLossError:
            outcomes["refused"] += 1
            continue
        lengths = {len(entries) for entries in found.values()}
        assert len(lengths) == 1, f"seed {seed}: not one moment"
        (length,) = lengths
        for key, entries in found.items():
            assert entries == JOURNALS[key][:length], f"seed {seed}: a silent wrong journal"
        lost = COMMITS - length // 2
        outcomes["nothing lost" if not lost else "prefix"] += 1
        if damage is not tear:  # a log that was cut is what a power cut leaves
            assert lost <= 1, f"seed {seed}: {lost} acknowledged commits were lost silently"
    tried(cases=LOG_COPIES // 3, faults=LOG_COPIES // 3)
    assert outcomes["refused"] > LOG_COPIES // 12 or damage is tear


async def test_flipped_bits_in_the_file_never_make_another_journal(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await written(path, checkpoint=True)
    intact = Path(f"{path}.crashed").read_bytes()
    outcomes, flipped = Counter[str](), 0
    for seed in range(LOG_COPIES):
        damaged = bytearray(intact)
        flip(random.Random(seed), damaged)
        flipped += 1
        copy.write_bytes(damaged)
        for suffix in ("-wal", "-shm"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
        wrong = 0
        try:
            report = verify(copy)
            found = await read(copy)
        except (StoreError, DataLossError):
            outcomes["refused"] += 1
            continue
        for key, entries in found.items():
            if isinstance(entries, str):
                wrong += 1
            else:
                assert entries == JOURNALS[key], f"seed {seed}: a silent wrong journal"
        assert bool(report.findings) >= bool(wrong), f"seed {seed}: verify overlooked it"
        outcomes["quarantined" if wrong else "found" if report.findings else "harmless"] += 1
    tried(cases=LOG_COPIES, faults=flipped)
    assert outcomes["quarantined"] > LOG_COPIES // 5


async def test_flipped_bits_in_the_file_never_make_another_state(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await written(path, checkpoint=True)
    intact = Path(f"{path}.crashed").read_bytes()
    outcomes = Counter[str]()
    for seed in range(LOG_COPIES):
        damaged = bytearray(intact)
        flip(random.Random(f"objects {seed}"), damaged)
        copy.write_bytes(damaged)
        for suffix in ("-wal", "-shm"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
        try:
            report = verify(copy)
            found = await read_objects(copy)
        except (StoreError, DataLossError):
            outcomes["refused"] += 1
            continue
        for name, row in found.items():
            assert row == OBJECTS[name] or row.damage, f"seed {seed}: a silent wrong state"
        sound = sum(1 for row in found.values() if not row.damage)
        outcomes["harmless" if sound == len(OBJECTS) else "found"] += 1
        assert sound == len(OBJECTS) or report.findings, f"seed {seed}: verify overlooked it"
    tried(cases=LOG_COPIES, faults=LOG_COPIES)
    assert outcomes["found"] > LOG_COPIES // 20


async def read_objects(path: Path) -> dict[ObjectKey, ObjectRow]:
    """The objects as a coordinator reads them."""
    store = await open_file(path)
    try:
        await store.acquire("reader")
        return await store.load_objects([*OBJECTS])
    finally:
        await store.close()


async def test_a_log_of_a_process_that_was_killed_is_not_taken_for_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await written(path, checkpoint=False)
    crashed = Path(f"{path}.crashed")
    assert await read(crashed) == {key: list(entries) for key, entries in JOURNALS.items()}
    assert lost_commits(crashed) == 0
