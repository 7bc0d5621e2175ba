"""The end of a loop: every task is driven to its end, nothing is left to the garbage collector.

`tear_down` ends tasks with a signal that no `except Exception` catches, round after round, for
tasks may catch it, clean up with further awaits and start new tasks. Bounded: a task that will
not end is closed by force and named. Knows nothing of why the loop ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from perdure_runtime.loop.slices import enter, leave

if TYPE_CHECKING:
    from perdure_runtime.loop.loop import DeterministicLoop

MAX_ROUNDS: Final = 100
MAX_TURNS: Final = 20_000


def tear_down(
    loop: DeterministicLoop,
    make_signal: Callable[[], BaseException],
    max_rounds: int = MAX_ROUNDS,
    max_turns: int = MAX_TURNS,
) -> list[str]:
    """Throw signals into all live tasks and drive them to their end, then close the loop.

    Args:
        make_signal: makes a fresh exception for every throw (tracebacks grow on them).
        max_rounds: how often a task may catch the signal and await again.
        max_turns: how many callbacks may run in one round.

    Returns the names of the tasks that had to be closed by force.

    Raises:
        RuntimeError: the loop is in a slice, or closed.
    """
    if loop.in_slice or loop.is_closed():
        raise RuntimeError(f"cannot tear down {loop!r}")
    loop.on_timer_cancelled = None
    loop.begin_tear_down()
    outside = enter(loop)
    try:
        for _ in range(max_rounds):
            live = loop.live_tasks()
            if not live and not loop.generators.close_all():
                break
            for task in live:
                task.interrupt(make_signal())
            loop.note_progress()
            loop.drain(max_turns)
        stubborn = loop.live_tasks()
        for task in stubborn:
            task.abandon()
        return [task.get_name() for task in stubborn]
    finally:
        leave(loop, outside)
        loop.close()
