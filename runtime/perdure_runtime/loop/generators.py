"""Async generators of one loop: seen at their first iteration, closed at the latest at the end.

A generator that is dropped is closed in a task of its own lineage namespace ("f1", "f2", ...,
by order of first iteration), because the garbage collector decides when that happens.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from perdure_runtime.loop.slices import current

if TYPE_CHECKING:
    from perdure_runtime.loop.loop import DeterministicLoop

Generator = AsyncGenerator[Any, Any]


class OpenGenerators:
    """The async generators that were iterated on a loop and are not finalized yet."""

    def __init__(self, loop: DeterministicLoop) -> None:
        self._loop = loop
        self._count = 0
        self._open: dict[int, tuple[int, weakref.ref[Generator]]] = {}
        self._orphans: deque[tuple[int, Generator]] = deque()

    def opened(self, generator: Generator) -> None:
        """Note a generator's first iteration (an asyncgen hook)."""
        self._count += 1
        self._open[id(generator)] = (self._count, weakref.ref(generator))

    def dropped(self, generator: Generator) -> None:
        """Close a generator that nobody refers to any more (an asyncgen hook, on any thread)."""
        number, _ = self._open.pop(id(generator), (0, None))
        if self._loop.is_closed():
            _close_at_once(generator)
        elif current.loop is self._loop:
            self._loop.call_soon(self._close, number, generator)
        else:
            self._orphans.append((number, generator))

    def adopt_orphans(self) -> None:
        """Schedule the closing of generators that were dropped between slices."""
        while self._orphans:
            self._loop.call_soon(self._close, *self._orphans.popleft())

    def close_all(self) -> int:
        """Schedule the closing of every open generator, in order of first iteration.

        Returns how many there were.
        """
        self.adopt_orphans()
        found = [
            (number, generator)
            for number, reference in self._open.values()
            if (generator := reference()) is not None
        ]
        self._open.clear()
        for number, generator in found:
            self._close(number, generator)
        return len(found)

    def _close(self, number: int, generator: Generator) -> None:
        self._loop.create_finalizer(generator.aclose(), number)


def _close_at_once(generator: Generator) -> None:
    """Run a generator's cleanup without a loop; give up at its first await."""
    closing = generator.aclose()
    try:
        closing.__await__().send(None)
    except StopIteration:
        return
    closing.close()
