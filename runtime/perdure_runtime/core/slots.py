"""The limit of steps and calls in progress: one first-in-first-out counter per execution.

Slots are taken and given back at deterministic points only: when a command is issued, when its
completion is delivered, when the body stops waiting for it. A replay counts the same.
"""

from __future__ import annotations

from collections import deque

from perdure_runtime.core.issued import Issued


class Slots:
    """`limit` slots; None is no limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._held = 0
        self._queue: deque[Issued] = deque()

    def acquire(self, issued: Issued) -> bool:
        """Take a slot, or queue for one."""
        if self._limit is None:
            return True
        if self._held < self._limit:
            self._held += 1
            issued.holds_slot = True
            return True
        self._queue.append(issued)
        return False

    def release(self, issued: Issued) -> Issued | None:
        """Give the slot of a command back, if it has one; return who gets it."""
        if not issued.holds_slot:
            return None
        issued.holds_slot = False
        while self._queue:
            heir = self._queue.popleft()
            # A command that is recorded although it queued here was issued under a larger limit.
            if not (heir.abandoned or heir.recorded or heir.done):
                heir.holds_slot = True
                return heir
        self._held -= 1
        return None
