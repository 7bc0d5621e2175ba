"""Threads for synchronous steps: made when needed, reused, and never waited for at exit.

A thread cannot be stopped: a step that is abandoned keeps its thread until it returns, and must
not keep the process alive. That is why this is not a `ThreadPoolExecutor`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class StepThreads:
    """At most `limit` daemon threads; further jobs wait in order. Used from one thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._idle: deque[threading.Semaphore] = deque()
        self._count = 0
        self._closed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job`, which raises nothing, on a thread."""
        with self._lock:
            self._jobs.append(job)
            if self._idle:
                self._idle.pop().release()
            elif self._count < self._limit:
                self._count += 1
                name = f"perdure-step-{self._count}"
                threading.Thread(target=self._work, name=name, daemon=True).start()

    def close(self) -> None:
        """Let idle threads end; running jobs go on, queued ones are dropped."""
        with self._lock:
            self._closed = True
            self._jobs.clear()
            while self._idle:
                self._idle.pop().release()

    def _work(self) -> None:
        wake = threading.Semaphore(0)
        while True:
            with self._lock:
                job = self._jobs.popleft() if self._jobs else None
                if job is None:
                    if self._closed:
                        return
                    self._idle.append(wake)
            if job is None:
                wake.acquire()
            else:
                job()
                del job
