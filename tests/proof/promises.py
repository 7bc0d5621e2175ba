"""What is promised, and which tests show it: the table behind `make prove` (docs/guarantees.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROMISES: Final = {
    "P1": "one result per execution, run, attempt and command",
    "P2": "acknowledged is on disk; the rest is there whole or not at all",
    "P3": "a start is idempotent: same id and input attach, other input is refused",
    "P4": "a stale worker writes nothing",
    "P5": "no timer and no event is lost, none comes early",
    "P6": "objects: one method at a time, first come first served, linearizable",
    "P7": "changed code is found at the first difference, writes nothing, goes on after a fix",
    "P8": "overload is refused or delayed; what was accepted is never dropped",
    "P9": "what crashes its workers again and again is parked, with the reason",
    "P10": "backups are consistent; damage is found; a shortened journal is never extended",
}


@dataclass(frozen=True, slots=True)
class Method:
    """A way to look for violations.

    Args:
        name: as the table says it.
        promises: those that a failure of it would break.
        paths: files or directories of tests, below `tests/`.
    """

    name: str
    promises: tuple[str, ...]
    paths: tuple[str, ...]


METHODS: Final = (
    # The first one that a test's path is in counts it.
    Method(
        "engines broken on purpose, all caught",
        tuple(PROMISES),
        ("simulation/test_promise_mutations.py", "simulation/test_mutations.py"),
    ),
    Method("every fail point, n = 1, 2, 3, ...", ("P1", "P2", "P5", "P6"), ("crashpoints",)),
    Method("every journal write, equal journals", ("P1", "P2", "P7"), ("blocks",)),
    Method("simulated world, seeded", ("P1", "P2", "P3", "P4", "P5", "P6"), ("simulation",)),
    Method(
        "SIGKILL at fail points, real processes",
        ("P1", "P2", "P5"),
        (
            "integration/test_kill_at_most_once.py",
            "integration/test_kill_embedded.py",
            "integration/test_kill_more_points.py",
            "integration/test_kill_processes.py",
            "integration/test_kill_schedules.py",
            "integration/test_shared_file.py",
        ),
    ),
    Method("SIGKILL storm", ("P1", "P2", "P4"), ("integration/test_storm.py",)),
    Method("cut, stalled, reset network", ("P1", "P4", "P5"), ("integration/test_network.py",)),
    Method("a worker that comes back too late", ("P4",), ("integration/test_stale_worker.py",)),
    Method("starts, again and differently", ("P3",), ("unit/test_core_create.py",)),
    Method("random orders of events and waits", ("P5",), ("property/test_event_delivery.py",)),
    Method("objects, crash at every write", ("P6",), ("kit/test_objects_under_crashes.py",)),
    Method("objects in two processes", ("P6",), ("integration/test_chains.py",)),
    Method(
        "flows edited while they run",
        ("P7",),
        ("integration/test_edited_flow.py", "unit/test_machine_mismatch.py", "replay"),
    ),
    Method("ten times the capacity", ("P8",), ("integration/test_overload.py",)),
    Method("poisonous executions", ("P9",), ("unit/test_engine_poison.py",)),
    Method(
        "killed while it writes",
        ("P2", "P10"),
        (
            "conformance/test_sqlite_crash.py",
            "conformance/test_sqlite_migration.py",
            "conformance/test_sqlite_room.py",
            "integration/test_refused_writes.py",
        ),
    ),
    Method(
        "damaged copies, backups under writes",
        ("P2", "P10"),
        (
            "conformance/test_damaged_copies.py",
            "conformance/test_sqlite_backup.py",
            "integration/test_damage_seen.py",
            "unit/test_engine_object_damage.py",
            "unit/test_engine_quarantine.py",
        ),
    ),
    Method("stores against the model", ("P2",), ("property/test_store_differential.py",)),
)
