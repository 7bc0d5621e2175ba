"""A slice: the moment in which a deterministic loop runs on the calling thread.

`current` says which loop has a slice on this thread. It is thread-local and never a context
variable: a context copied inside a slice lives on outside of it, where time is real.
`enter` and `leave` may be nested in each other and inside a running asyncio or uvloop loop,
from a callback or from within one of its tasks.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from perdure_runtime.loop.loop import DeterministicLoop


class _Current(threading.local):
    loop: DeterministicLoop | None = None
    """The loop whose slice runs on this thread."""
    virtual: DeterministicLoop | None = None
    """The same, unless that loop lives in real time: what patched functions look at."""


current = _Current()

# Python 3.14 keeps the current task per thread, not per loop, and refuses to enter a task while
# another is set; 3.12 and 3.13 have the same function and do not mind it.
_swap_current_task: Callable[[Any, Any], Any] | None = getattr(
    asyncio.tasks, "_swap_current_task", None
)


class Outside(Struct, frozen=True):
    """What was in force on this thread before a slice."""

    loop: asyncio.AbstractEventLoop | None
    task: Any
    generator_hooks: Any
    current_loop: DeterministicLoop | None
    current_virtual: DeterministicLoop | None


def enter(loop: DeterministicLoop) -> Outside:
    """Begin a slice of `loop` on this thread; give the result to `leave`."""
    outer = asyncio._get_running_loop()
    task = None
    if outer is not None and _swap_current_task is not None:
        # Only when there is one: 3.12.1 raises KeyError for a loop without a current task.
        task = asyncio.current_task(outer)
        if task is not None:
            _swap_current_task(outer, None)
    outside = Outside(outer, task, sys.get_asyncgen_hooks(), current.loop, current.virtual)
    asyncio._set_running_loop(loop)
    sys.set_asyncgen_hooks(loop.generators.opened, loop.generators.dropped)
    current.loop = loop
    current.virtual = loop if loop.is_virtual else None
    loop.in_slice = True
    return outside


def leave(loop: DeterministicLoop, outside: Outside) -> None:
    """End the slice of `loop` and put back what was in force before it."""
    loop.in_slice = False
    current.loop = outside.current_loop
    current.virtual = outside.current_virtual
    sys.set_asyncgen_hooks(*outside.generator_hooks)
    asyncio._set_running_loop(outside.loop)
    if outside.task is not None and _swap_current_task is not None:
        _swap_current_task(outside.loop, outside.task)


@contextmanager
def outside_of_slice() -> Iterator[None]:
    """Suspend virtual time and the bans on this thread, for machinery that runs inside a slice.

    For logging, tracing and transport code of Perdure itself: what it draws from `random` or
    reads from a clock must neither be virtual nor move the body's streams.
    """
    loop, virtual = current.loop, current.virtual
    current.loop = current.virtual = None
    try:
        yield
    finally:
        current.loop, current.virtual = loop, virtual
