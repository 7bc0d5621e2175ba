"""Signals that tell running code to come to an end: polled, awaited, or with callbacks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

Hook = Callable[[], object]


class Signal:
    """Given once, never taken back. Usable on any thread and in any event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given = threading.Event()
        self._hooks: list[Hook] = []

    def __bool__(self) -> bool:
        return self.is_cancelled()

    def is_cancelled(self) -> bool:
        """Whether it was given."""
        return self._given.is_set()

    def on_cancelled(self, hook: Hook) -> None:
        """Have `hook` called when it is given; at once if it was."""
        with self._lock:
            if not self._given.is_set():
                self._hooks.append(hook)
                return
        hook()

    def clear_on_cancelled(self, hook: Hook) -> None:
        """Take a hook back."""
        with self._lock:
            self._hooks = [each for each in self._hooks if each is not hook]

    async def wait(self) -> None:
        """Wait until it is given."""
        loop = asyncio.get_running_loop()
        given = loop.create_future()

        def settle() -> None:
            if not given.done():
                given.set_result(None)

        def hook() -> None:
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:  # that loop has ended
                return

        self.on_cancelled(hook)
        try:
            await given
        finally:
            self.clear_on_cancelled(hook)

    def wait_in_thread(self, timeout_ms: int | None = None) -> bool:
        """Wait in a sync task; False when the time was over first."""
        return self._given.wait(None if timeout_ms is None else timeout_ms / 1000)

    def give(self) -> None:
        """Give it; the hooks run here. Twice is once."""
        with self._lock:
            self._given.set()
            hooks, self._hooks = self._hooks, []
        for hook in hooks:
            hook()


class CancelSignal(Signal):
    """A `Signal` that whoever made it may give: `cancel()`."""

    def cancel(self) -> None:
        """Give it."""
        self.give()
