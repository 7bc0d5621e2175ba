"""A worker link that moves with the coordinator from process to process.

Each place has a link of its own; the executor sees one that breaks and comes back. What the old
link still has to say after a move is dropped: the executor adopts what it holds at the new place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from perdure._compose.embedded import EmbeddedLink
from perdure._compose.sharing import Place
from perdure.worker.link import LinkReceiver, WorkerLink
from perdure_runtime.core.errors import CoordinatorUnavailableError, PerdureError
from perdure_runtime.core.messages import CoordinatorMessage, Hello, Welcome, WorkerMessage


class SharedLink:
    """A `WorkerLink`. Used on the executor's loop."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._receiver: LinkReceiver | None = None
        self._relay: _Relay | None = None
        self._link: WorkerLink | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def open(self, receiver: LinkReceiver) -> None:
        """See `WorkerLink`."""
        self._receiver = receiver
        self._connect()

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """See `WorkerLink`."""
        if self._link is not None:
            self._link.send(messages)

    async def close(self, grace_s: float = 5.0) -> None:
        """See `WorkerLink`."""
        link, self._link, self._receiver = self._link, None, None
        if link is not None:
            await link.close(grace_s)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def moved(self, place: Place) -> None:
        """The coordinator is elsewhere now: begin a session there."""
        self._place = place
        self._begin_anew(CoordinatorUnavailableError("another process hosts the database now"))

    def connect_again(self) -> None:
        """Begin a session, and end the one before: the worker has other methods now."""
        if isinstance(self._link, EmbeddedLink):
            self._link.connect_again()
        else:
            self._begin_anew(None)

    def failed(self, error: PerdureError) -> None:
        """There can be no session any more."""
        if self._receiver is not None:
            self._drop()
            self._receiver.refused(error)

    def _begin_anew(self, why: PerdureError | None) -> None:
        if self._receiver is not None:
            self._drop()
            self._receiver.disconnected(why)
            self._connect()

    def _connect(self) -> None:
        assert self._receiver is not None
        self._relay = _Relay(self._receiver)
        self._link = self._place.link()
        self._link.open(self._relay)

    def _drop(self) -> None:
        if self._relay is not None:
            self._relay.muted = True
        if self._link is not None:
            task = asyncio.get_running_loop().create_task(self._link.close(0.0))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._link = None


class _Relay:
    """The executor, as one link sees it; nobody after a move."""

    def __init__(self, receiver: LinkReceiver) -> None:
        self._receiver = receiver
        self.muted = False

    def hello(self) -> Hello:
        if self.muted:
            raise CoordinatorUnavailableError("this link was given up")
        return self._receiver.hello()

    def connected(self, welcome: Welcome) -> None:
        self._unless_muted(lambda receiver: receiver.connected(welcome))

    def receive(self, messages: Sequence[CoordinatorMessage]) -> None:
        self._unless_muted(lambda receiver: receiver.receive(messages))

    def disconnected(self, error: Exception | None) -> None:
        self._unless_muted(lambda receiver: receiver.disconnected(error))

    def refused(self, error: PerdureError) -> None:
        self._unless_muted(lambda receiver: receiver.refused(error))

    def _unless_muted(self, tell: Callable[[LinkReceiver], None]) -> None:
        if not self.muted:
            tell(self._receiver)
