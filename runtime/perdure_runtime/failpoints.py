"""Fail points: named places where a test makes the process die, off and free in production.

`PERDURE_FAILPOINT=name:n` kills the process with SIGKILL at the n-th time that it reaches the
place; several are separated by commas. `PERDURE_FAILPOINT_LOG=path` gets a line, synced, before
the kill, so that tests can assert that the point fired. `name:n` with a place that is never
reached does nothing. Tests that run everything in one process put a function there instead, with
`observed`; it may raise.

Places: coordinator: `after-receive` (a worker's frame), `after-request` (a client's),
`before-commit`, `in-commit` (all is written, nothing is committed), `after-commit-before-ack`,
`before-dispatch` (acknowledged, nothing handed out), `timer-fired`, `schedule-due`,
`schedule-start`, `before-delivery` (of an event), `shutdown` (at each stage of it);
worker: `after-step-body`, `after-step-report`, `mid-replay`, `before-heartbeat`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


def _armed(points: dict[str, int], log: str | None) -> Callable[[str], None]:
    def hit(name: str) -> None:
        left = points.get(name)
        if left is None:
            return
        points[name] = left - 1
        if left == 1:
            if log:
                descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
                os.write(descriptor, f"{name} {os.getpid()}\n".encode())
                os.fsync(descriptor)
            os.kill(os.getpid(), signal.SIGKILL)

    return hit


def parse(text: str) -> dict[str, int]:
    """`name:n,name:n` as a table.

    Raises:
        ValueError: a part is not `name:n` with n >= 1.
    """
    points: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition(":")
        if not name or not number.isdigit() or int(number) < 1:
            raise ValueError(f"PERDURE_FAILPOINT: {part!r} is not name:n with n >= 1")
        points[name] = int(number)
    return points


def from_environment(environment: Mapping[str, str]) -> Callable[[str], None] | None:
    """What happens at the places; None: nothing."""
    points = parse(environment.get("PERDURE_FAILPOINT", ""))
    return _armed(points, environment.get("PERDURE_FAILPOINT_LOG")) if points else None


_hit = from_environment(os.environ)


def failpoint(name: str) -> None:
    """A place. Does nothing in production."""
    if _hit is not None:
        _hit(name)


@contextmanager
def observed(hit: Callable[[str], None]) -> Iterator[None]:
    """For the duration of a block, have every place of this process call a function of a test."""
    global _hit
    before, _hit = _hit, hit
    try:
        yield
    finally:
        _hit = before
