"""What joins a worker's executor to a coordinator, over whatever connects them.

Heartbeats and reconnects are the link's business. Everything here happens on the event loop of the
executor; a link that has a thread of its own hands over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.messages import CoordinatorMessage, Hello, Welcome, WorkerMessage


class LinkReceiver(Protocol):
    """The executor's side. Every method is called on the executor's loop."""

    def hello(self) -> Hello:
        """Asked at each connect, before anything is sent; lists the cached executions."""
        ...

    def connected(self, welcome: Welcome) -> None:
        """The session is registered."""
        ...

    def receive(self, messages: Sequence[CoordinatorMessage]) -> None:
        """What the coordinator says, in order."""
        ...

    def disconnected(self, error: Exception | None) -> None:
        """The connection is lost; the link tries again by itself unless it was closed."""
        ...

    def refused(self, error: PerdureError) -> None:
        """The coordinator does not want this worker: version, token, bad registration."""
        ...


class WorkerLink(Protocol):
    """The coordinator's side."""

    def open(self, receiver: LinkReceiver) -> None:
        """Start to connect; returns at once."""
        ...

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """Send a batch; dropped while disconnected, the executor sends again after `Adopt`."""
        ...

    def connect_again(self) -> None:
        """Begin a session, and end the one before: the worker has other methods now."""
        ...

    async def close(self, grace_s: float = 5.0) -> None:
        """Send what is queued and end the session. Calling it again changes nothing."""
        ...
