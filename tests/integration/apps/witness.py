"""A witness outside the engine: a synced line for every step or handler body that runs.

Bodies write here with real file I/O; the engine knows nothing of it. A line is appended with one
write, so lines of several processes never mix, and half a line cannot appear.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from perdure import ctx

WITNESS = "PERDURE_TEST_WITNESS"


@dataclass(frozen=True, slots=True)
class Seen:
    """One run of a body: which body, for which operation, in which execution and process."""

    name: str
    key: str
    execution: str
    pid: int


def witness(name: str) -> None:
    """Say that a body runs now, under the idempotency key of its operation."""
    line = f"{name}\t{ctx.idempotency_key}\t{ctx.execution_id}\t{os.getpid()}\n"
    descriptor = os.open(os.environ[WITNESS], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seen(path: Path) -> list[Seen]:
    """All that was witnessed, in order."""
    if not path.exists():
        return []
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return [Seen(name, key, execution, int(pid)) for name, key, execution, pid in rows]
