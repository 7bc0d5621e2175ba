"""Fail points: named places where a test makes the process die, off and free in production.

`PERDURE_FAILPOINT=name:n` kills the process with SIGKILL at the n-th time that it reaches the
place; several are separated by commas. `PERDURE_FAILPOINT_LOG=path` gets a line, synced, before
the kill, so that tests can assert that the point fired. `name:n` with a place that is never
reached does nothing.

Places: coordinator: `after-receive`, `before-commit`, `in-commit` (all is written, nothing is
committed), `after-commit-before-ack`, `timer-fired`, `schedule-due`, `schedule-start`,
`before-delivery` (of an event);
worker: `after-step-body`, `after-step-report`, `mid-replay`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping


def _off(name: str) -> None:
    return None


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


def from_environment(environment: Mapping[str, str]) -> Callable[[str], None]:
    """The function that places call."""
    points = parse(environment.get("PERDURE_FAILPOINT", ""))
    return _armed(points, environment.get("PERDURE_FAILPOINT_LOG")) if points else _off


failpoint: Callable[[str], None] = from_environment(os.environ)
