"""The engine of one coordinator: what services and the embedded link call.

It joins the parts and owns their life: open (acquire, recover, start), tick, stop. Every method is
called on the coordinator's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial

from perdure_coordinator.config import Config
from perdure_coordinator.engine.clients import Clients
from perdure_coordinator.engine.describe import Describer
from perdure_coordinator.engine.dispatcher import Dispatcher
from perdure_coordinator.engine.pending import Pending
from perdure_coordinator.engine.recovery import recover
from perdure_coordinator.engine.sessions import SessionPort
from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.stats import Stats
from perdure_coordinator.engine.workers import Workers
from perdure_runtime.core.effects import Decision
from perdure_runtime.core.entries import ExecutionEnded
from perdure_runtime.core.errors import CoordinatorUnavailableError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import DrainCoordinator, Hello, WorkerMessage
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.requests.wake import end
from perdure_runtime.storage import Store

_LOG = logging.getLogger("perdure.coordinator")
TICK_S = 0.5
HOUSEKEEPING_TICKS = 4


class Engine:
    """A running coordinator without its servers."""

    def __init__(
        self, shard: Shard, workers: Workers, on_fatal: Callable[[BaseException], None]
    ) -> None:
        self._shard = shard
        self._workers = workers
        self._on_fatal = on_fatal
        self._describer = Describer(shard, workers)
        self._clients = Clients(shard, self._describer)
        self._ticker: asyncio.Task[None] | None = None
        self._ticks = 0
        self.failure: BaseException | None = None
        clients = self._clients
        self.start = clients.start
        self.start_batch = clients.start_batch
        self.wait = clients.wait
        self.describe = clients.describe
        self.list = clients.list
        self.history = clients.history
        self.read_state = clients.read_state
        self.control = clients.control
        self.list_workers = self._describer.workers
        self.list_methods = self._describer.methods

    @classmethod
    async def open(
        cls,
        store: Store,
        config: Config | None = None,
        on_fatal: Callable[[BaseException], None] = lambda error: os._exit(70),
    ) -> Engine:
        """Become the store's owner, recover what an earlier one left, start.

        Args:
            on_fatal: called when what is on disk is unknown or another owner took over; the
                process must end (architecture, section 3). Ends it by default.
        """
        config = config or Config()
        owner = config.owner or f"{platform.node()}:{os.getpid()}"
        ownership = await store.acquire(owner)
        failed: list[Callable[[Pending, BaseException], None]] = []
        shard = Shard(store, config, ownership, lambda p, e: failed[0](p, e))
        workers = Workers(shard, owner)
        shard.dispatcher = Dispatcher(shard.sessions, workers.grant)
        engine = cls(shard, workers, on_fatal)
        failed.append(engine._commit_failed)
        shard.committer.start()
        await recover(shard, workers)
        shard.timers.start()
        engine._ticker = asyncio.get_running_loop().create_task(engine._tick(), name="perdure-tick")
        return engine

    # --- workers -------------------------------------------------------------------------------

    def connect(self, port: SessionPort, hello: Hello) -> str:
        """A worker's stream began with this Hello; returns the session's id."""
        return self._workers.connect(port, hello)

    def receive(self, session_id: str, messages: Sequence[WorkerMessage]) -> None:
        """A frame of a worker.

        Raises:
            ProtocolError: the session is over; its stream must end.
        """
        self._workers.receive(session_id, messages)

    def heartbeat(self, session_id: str) -> None:
        """The stream of the session is being read; silence does not count meanwhile."""
        session = self._shard.sessions.by_id.get(session_id)
        if session is not None:
            session.seen_s = time.monotonic()

    def disconnect(self, session_id: str) -> None:
        """A worker's stream broke."""
        self._workers.disconnect(session_id)

    # --- pressure and state --------------------------------------------------------------------

    @property
    def stats(self) -> Stats:
        """Counters since the start."""
        return self._shard.stats

    @property
    def congested(self) -> bool:
        """Whether services have to stop reading from their streams."""
        return self._shard.committer.congested

    async def room(self) -> None:
        """Wait until the pending queue is below its bound."""
        await self._shard.committer.room()

    async def flushed(self) -> None:
        """Wait until everything decided so far is on disk."""
        await self._shard.committer.flushed()

    def resident(self) -> int:
        """How many executions are in memory."""
        return len(self._shard.executions)

    # --- life ----------------------------------------------------------------------------------

    async def stop(self, grace_s: float = 5.0) -> None:
        """Stop accepting, tell the workers, commit, close the store. Twice is once."""
        if self._ticker is None:
            return
        ticker, self._ticker = self._ticker, None
        ticker.cancel()
        for session in self._shard.sessions.by_id.values():
            session.port.send([DrainCoordinator()])
        await self._shard.timers.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._shard.committer.flushed()
        await self._workers.stop()
        await self._shard.loader.stop()
        await self._shard.committer.stop()
        for session in list(self._shard.sessions.by_id.values()):
            session.port.close("the coordinator stops")
        error = CoordinatorUnavailableError("the coordinator stopped; the execution goes on later")
        for futures in self._shard.waiters.values():
            for future in futures:
                if not future.done():
                    future.set_exception(error)
        await self._shard.store.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._ticks += 1
                if not self.congested:
                    self._workers.expire(time.monotonic())
                self._refuse_unknown_methods()
                self._shard.committer.kick()
                if self._ticks % HOUSEKEEPING_TICKS == 0:
                    await self._shard.store.checkpoint()
                if self._ticks % 1000 == 0:
                    await self._shard.store.expire_requests(self._shard.clock.now_ms())
            except Exception:
                _LOG.exception("housekeeping failed; it is tried again")

    def _refuse_unknown_methods(self) -> None:
        """A method that a live, unchanged service never registered does not exist (section 5)."""
        now_s, lease_s = time.monotonic(), self._shard.config.lease_ms / 1000
        for (namespace, service, method), keys in list(self._shard.dispatcher.waiting()):
            if (namespace, service, method) in self._workers.catalog:
                continue
            changed_s = self._shard.sessions.changed_s.get((namespace, service))
            served = self._shard.sessions.serving(namespace, service)
            if not served or changed_s is None or now_s - changed_s < lease_s:
                continue
            known = sorted(m for n, s, m in self._workers.catalog if (n, s) == (namespace, service))
            nearest = get_close_matches(method, known, 1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            message = (
                f"service {service!r} has no method {method!r} (known: {', '.join(known)}){hint}"
            )
            for key in keys:
                self._shard.submit(key, partial(self._refuse, message))

    def _refuse(self, message: str, execution: Execution | None) -> None:
        if execution is None or execution.row.status is not Status.QUEUED:
            return
        failure = Failure(
            "MethodNotFoundError", message, FailureCode.METHOD_NOT_FOUND, retryable=False
        )
        decision = Decision()
        ended = ExecutionEnded(Status.FAILED, None, failure)
        end(execution, decision, ended, self._shard.clock.now_ms())
        self._shard.decided(execution, decision)

    def _commit_failed(self, pending: Pending, error: BaseException) -> None:
        """What is in memory is ahead of the disk: this owner ends, its successor reads the disk."""
        self.failure = error
        _LOG.critical("commit failed, the coordinator ends: %s: %s", type(error).__name__, error)
        refused = CoordinatorUnavailableError(f"the coordinator could not write: {error}")
        for future, _ in pending.replies:
            if not future.done():
                future.set_exception(refused)
        self._on_fatal(error)
