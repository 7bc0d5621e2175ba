"""A worker that tests drive by hand, joined to a real engine without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from perdure_coordinator.engine import Engine
from perdure_runtime.core.messages import (
    Activate,
    Cached,
    CoordinatorMessage,
    Hello,
    MethodSpec,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.wire.v1.pages import StoredPage

M = TypeVar("M", bound=CoordinatorMessage)


class ScriptedWorker:
    """Says what the test says and remembers what it is told."""

    def __init__(self, engine: Engine, worker_id: str = "w1") -> None:
        self.engine = engine
        self.worker_id = worker_id
        self.session_id = ""
        self.closed = ""
        self.told: list[CoordinatorMessage] = []
        self._news = asyncio.Event()

    def hello(
        self, *methods: MethodSpec, slots: int = 10, cached: tuple[Cached, ...] = ()
    ) -> ScriptedWorker:
        """Begin a session."""
        self.session_id = self.engine.connect(
            self, Hello(self.worker_id, "default", methods, slots, cached=cached)
        )
        return self

    def send(self, messages: Sequence[CoordinatorMessage]) -> None:
        """The engine's way back."""
        self.told.extend(messages)
        self._news.set()

    def send_page(self, page: StoredPage) -> None:
        """The same for a page of a journal."""
        self.send([page.opened()])

    def close(self, reason: str) -> None:
        """The engine ends the stream."""
        self.closed = reason
        self._news.set()

    def say(self, *messages: WorkerMessage) -> None:
        """One frame to the engine."""
        self.engine.receive(self.session_id, messages)

    async def hear(
        self,
        kind: type[M] | tuple[type[M], ...],
        that: Callable[[M], bool] = lambda message: True,
    ) -> M:
        """The next message of this kind (one of these) for which `that` holds.

        Earlier ones are dropped.
        """
        async with asyncio.timeout(20):
            while True:
                while self.told:
                    message = self.told.pop(0)
                    if isinstance(message, kind) and that(message):
                        return message
                self._news.clear()
                await self._news.wait()

    async def activation(self) -> Activate:
        """The next activation."""
        return await self.hear(Activate)

    async def welcome(self) -> Welcome:
        """The session is registered."""
        return await self.hear(Welcome)
