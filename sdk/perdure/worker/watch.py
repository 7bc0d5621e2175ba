"""Warns of slices that block the worker's loop, from outside of them (semantics, section 4).

A daemon thread that looks at what the loop says it is doing. It never stops anything.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback

from perdure_runtime.loop import real_monotonic

_LOG = logging.getLogger("perdure.worker")
LIMIT_S = 2.0
_PERIOD_S = 0.5


class SliceWatch:
    """`begin` and `end` are called around each slice and do next to nothing."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._slice: tuple[float, int, str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="perdure-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Twice is once."""
        self._stop.set()

    def begin(self, what: str) -> None:
        """A slice begins on the calling thread."""
        self._slice = (real_monotonic(), threading.get_ident(), what)

    def end(self) -> None:
        """The slice is over."""
        self._slice = None

    def _run(self) -> None:
        told: tuple[float, int, str] | None = None
        while not self._stop.wait(_PERIOD_S):
            current = self._slice
            if current is None or current is told:
                continue
            began_s, thread, what = current
            blocked_s = real_monotonic() - began_s
            if blocked_s > self._limit_s:
                told = current
                frame = sys._current_frames().get(thread)
                stack = "".join(traceback.format_stack(frame)) if frame else ""
                _LOG.warning(
                    "execution %s blocks its worker for %.1f s; move the work into a step:\n%s",
                    what,
                    blocked_s,
                    stack,
                )
