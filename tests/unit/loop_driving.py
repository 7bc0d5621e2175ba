"""A driver in forty lines for the tests of the loop: durable timers fire in due order."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from perdure_runtime.loop import DeterministicLoop, DurableTimer, Task, tear_down

START = 1_700_000_000.0
SEED = b"execution-1"


class Evicted(BaseException):
    """The private signal of a tear-down."""


class Run:
    """One run of a body: its loop, root task, and the timers that became durable."""

    def __init__(
        self,
        body: Callable[[], Coroutine[Any, Any, Any]],
        *,
        seed: bytes = SEED,
        now: float = START,
        virtual: bool = True,
    ) -> None:
        self.loop = DeterministicLoop(seed=seed, now=now, virtual=virtual)
        self.unhandled: list[dict[str, Any]] = []
        self.loop.on_exception = self.unhandled.append
        self.issued: list[tuple[str, float]] = []
        self.cancelled: list[str] = []
        self.loop.on_timer_cancelled = lambda timer: self.cancelled.append(timer.path)
        self.pending: list[DurableTimer] = []
        self.root: Task = self.loop.create_root(body())

    def slice(self) -> None:
        """Run to quiescence and take the timers that are still pending."""
        self.loop.run_until_quiescent()
        for timer in self.loop.unissued_timers():
            timer.issued = True
            self.issued.append((timer.path, round(timer.delay, 6)))
            self.pending.append(timer)

    def fire_next(self) -> bool:
        """Fire the earliest pending timer; False when there is none."""
        self.pending = [timer for timer in self.pending if not timer.cancelled()]
        if not self.pending:
            return False
        timer = min(self.pending, key=lambda timer: (timer.due, timer.number))
        self.pending.remove(timer)
        self.loop.note_progress()
        self.loop.advance_to(timer.due)
        timer.fire()
        return True

    def to_end(self) -> Run:
        """Run until the root task is done, then drive what is left to its end."""
        self.slice()
        while not self.root.done():
            assert self.fire_next(), "the body waits for something that never comes"
            self.slice()
        for _ in range(100):
            if not self.loop.cancel_all_except(self.root) and not self.loop.generators.close_all():
                break
            self.slice()
        assert self.loop.live_tasks() == []
        return self

    def evict(self) -> list[str]:
        """Tear the loop down."""
        return tear_down(self.loop, Evicted)


def result_of(body: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Return what a body returns, or raise what it raises."""
    return Run(body).to_end().root.result()
