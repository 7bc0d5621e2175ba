"""The embedded worker comes back when the engine ends its session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from perdure._compose.coordinator import EmbeddedCoordinator
from perdure._compose.embedded import EmbeddedLink
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.messages import CoordinatorMessage, Hello, Welcome


class Listener:
    """A receiver that only remembers."""

    def __init__(self) -> None:
        self.welcomes: asyncio.Queue[Welcome] = asyncio.Queue()
        self.lost: list[Exception | None] = []

    def hello(self) -> Hello:
        return Hello("w1", "default", ())

    def connected(self, welcome: Welcome) -> None:
        self.welcomes.put_nowait(welcome)

    def receive(self, messages: Sequence[CoordinatorMessage]) -> None:
        return None

    def disconnected(self, error: Exception | None) -> None:
        self.lost.append(error)

    def refused(self, error: PerdureError) -> None:
        raise error


async def test_a_session_that_the_engine_ended_is_begun_again(tmp_path: Path) -> None:
    coordinator = EmbeddedCoordinator(str(tmp_path / "perdure.db"))
    await coordinator.open()
    link, listener = EmbeddedLink(coordinator), Listener()
    link.open(listener)
    first = await asyncio.wait_for(listener.welcomes.get(), 20)
    assert link.port is not None
    coordinator.loop.call_soon_threadsafe(link.port.close, "the store was full")
    second = await asyncio.wait_for(listener.welcomes.get(), 20)
    assert first.session_id != second.session_id
    assert ["the store was full"] == [str(error) for error in listener.lost]
    await link.close()
    await coordinator.close()
