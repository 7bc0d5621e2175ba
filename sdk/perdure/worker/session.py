"""A worker's session over gRPC, beside the executor: it connects, reconnects and hands over.

It has threads of its own, so that a long slice of a body does not end the worker's leases. The
executor's loop and these threads hand over in batches: what piles up crosses in one wake-up.

It does not resend: after a reconnect the executor answers `Adopt` with what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from perdure.client.endpoint import parse_endpoint
from perdure.client.security import Tls
from perdure.worker.link import LinkReceiver
from perdure.worker.stream import Unwelcome, WorkerStream, welcome_in
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.messages import Hello, Welcome, WorkerMessage

_LOG = logging.getLogger("perdure.worker")
FIRST_DELAY_S: Final = 0.02
FRESH_DELAY_S: Final = 0.1  # while a break is fresh, so that a restart is noticed at once
DELAY_S: Final = 2.0
FRESH_S: Final = 15.0
HELLO_POLL_S: Final = 0.5


class GrpcLink:
    """A `WorkerLink` to a coordinator in another process.

    Args:
        endpoint: `http://host:port`, `https://host:port` or `host:port`.
        token: sent with the session.
        tls: files for `https://` that the system does not have.

    Raises:
        InvalidArgumentError: the endpoint is none.
    """

    def __init__(self, endpoint: str, *, token: str | None = None, tls: Tls | None = None) -> None:
        self._endpoint = parse_endpoint(endpoint, token, tls)
        self._endpoint.credentials()  # a file that cannot be read is told of here
        self._receiver: LinkReceiver
        self._home: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="perdure-link", daemon=True)
        self._news: deque[Callable[[], object]] = deque()
        self._open: WorkerStream | None = None  # set by the link's thread
        self._stream: WorkerStream | None = None  # the same, as the executor's loop has heard
        self._closing = threading.Event()

    # --- on the executor's loop ----------------------------------------------------------------

    def open(self, receiver: LinkReceiver) -> None:
        """Start to connect; returns at once."""
        self._receiver = receiver
        self._home = asyncio.get_running_loop()
        self._thread.start()

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """Queue messages for the next frame; dropped while disconnected.

        Raises:
            LimitExceededError, SerializationError: a message cannot be sent; nothing was queued.
        """
        if self._stream is not None:
            self._stream.send(messages)

    def connect_again(self) -> None:
        """See `WorkerLink`: what the session holds is adopted by the next one."""
        if self._open is not None:
            self._open.finish()

    async def close(self, grace_s: float = 5.0) -> None:
        """Send what is queued and end the session. Calling it again changes nothing."""
        self._closing.set()
        if not self._thread.is_alive():
            return
        if self._open is not None:
            self._open.finish()
        joined = self._home.run_in_executor(None, self._thread.join)
        done, _ = await asyncio.wait((joined,), timeout=grace_s)
        if not done:
            if self._open is not None:
                self._open.cancel()
            await joined
        self._stream = None

    def _arrive(self) -> None:
        try:
            while self._news:
                self._news.popleft()()
        finally:
            if self._news:  # one raised: the loop reports it, the others are still due
                self._home.call_soon(self._arrive)

    def _connected(self, stream: WorkerStream, welcome: Welcome) -> None:
        self._stream = stream
        self._receiver.connected(welcome)

    def _disconnected(self, error: Exception | None) -> None:
        self._stream = None
        self._receiver.disconnected(error)

    def _say_hello(self, answer: Future[Hello]) -> None:
        try:
            answer.set_result(self._receiver.hello())
        except Exception as error:
            answer.set_exception(error)

    # --- on the link's thread ------------------------------------------------------------------

    def _tell(self, news: Callable[[], object]) -> None:
        """Have this called on the executor's loop, after what was told before."""
        self._news.append(news)
        if len(self._news) == 1:
            with contextlib.suppress(RuntimeError):  # the executor's loop has ended
                self._home.call_soon_threadsafe(self._arrive)

    def _run(self) -> None:
        attempt, broken_s = 0, time.monotonic()
        while not self._closing.is_set():
            try:
                self._session()
                attempt, broken_s = 0, time.monotonic()
            except Unwelcome as unwelcome:
                self._tell(partial(self._receiver.refused, unwelcome.error))
                return
            except PerdureError as error:
                if attempt == 0 and not self._closing.is_set():
                    _LOG.warning("%s; trying again", self._endpoint.unavailable(str(error)))
                attempt += 1
            fresh = time.monotonic() - broken_s < FRESH_S
            delay_s = min(FIRST_DELAY_S * 2**attempt, FRESH_DELAY_S if fresh else DELAY_S)
            self._closing.wait(delay_s * random.uniform(0.5, 1.0))

    def _session(self) -> None:
        """One session until it breaks.

        Raises:
            Unwelcome: there is none to be had.
            PerdureError: it did not come about; another try may.
        """
        hello = self._hello()
        if hello is None:
            return
        stream = WorkerStream(self._endpoint)
        try:
            self._open = stream
            if self._closing.is_set():
                return
            stream.send([hello])
            while (begun := welcome_in(stream.receive())) is None:
                pass
            welcome, rest = begun
            stream.keep_alive(welcome.lease_ms)
            self._tell(partial(self._connected, stream, welcome))
            if rest:
                self._tell(partial(self._receiver.receive, rest))
            self._tell(partial(self._disconnected, self._deliver(stream)))
        finally:
            self._open = None
            stream.close()

    def _deliver(self, stream: WorkerStream) -> Exception | None:
        """Hand over frames until the stream is over; returns why, None when it was closed here."""
        error: Exception
        try:
            while True:
                self._tell(partial(self._receiver.receive, stream.receive()))
        except Unwelcome as unwelcome:  # the session was good: a new one may be
            error = unwelcome.error
        except PerdureError as raised:
            error = raised
        if self._closing.is_set():
            return None
        _LOG.warning("the session with %s broke: %s", self._endpoint.text, error)
        return error

    def _hello(self) -> Hello | None:
        """The executor's Hello; None when the link is closed or the executor's loop has ended."""
        answer: Future[Hello] = Future()
        self._tell(partial(self._say_hello, answer))
        while not self._closing.is_set() and not self._home.is_closed():
            with contextlib.suppress(TimeoutError):
                return answer.result(HELLO_POLL_S)
        return None
