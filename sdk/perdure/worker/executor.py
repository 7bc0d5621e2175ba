"""The executor: takes activations, works on them fairly, keeps idle bodies in a cache.

The receiver of a worker link, on one event loop. Each turn of that loop works on ready activations
for a bounded time and sends everything they say in one batch. It knows no transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from perdure.definition import Definition
from perdure.worker.body import BodyActivation
from perdure.worker.handler import HandlerActivation
from perdure.worker.host import Activation, Host
from perdure.worker.link import WorkerLink
from perdure.worker.threads import StepThreads
from perdure.worker.watch import SliceWatch
from perdure_runtime.core.errors import PerdureError, ProtocolError
from perdure_runtime.core.messages import (
    Activate,
    Adopt,
    CoordinatorMessage,
    DrainWorker,
    Entries,
    Evict,
    Finish,
    Hello,
    Journal,
    Mismatch,
    Release,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.core.payload import Failure
from perdure_runtime.failpoints import failpoint
from perdure_runtime.loop import real_monotonic
from perdure_runtime.serde import Serializers

_LOG = logging.getLogger("perdure.worker")
TURN_S = 0.005

Methods = Mapping[tuple[str, str], Definition]


class Executor:
    """See the module. `LinkReceiver` for `link`.

    Args:
        methods: definitions by (service, method).
        describe: makes the `Hello`, without the cached executions.
        max_cached: suspended bodies kept alive; with 0 each await ends in a replay.
        refused: told when the coordinator does not want this worker.
        make_threads: where synchronous steps run, given how many may at a time.
        make_watch: what watches for slices that block.
    """

    def __init__(
        self,
        link: WorkerLink,
        methods: Callable[[], Methods],
        describe: Callable[[], Hello],
        *,
        slots: int,
        max_cached: int,
        serializers: Serializers,
        connected: Callable[[Welcome], None],
        refused: Callable[[PerdureError], None],
        make_threads: Callable[[int], StepThreads] = StepThreads,
        make_watch: Callable[[], SliceWatch] = SliceWatch,
    ) -> None:
        self._link = link
        self._methods = methods
        self._describe = describe
        self._max_cached = max_cached
        self._connected = connected
        self._refused = refused
        self._loop = asyncio.get_running_loop()
        self._watch = make_watch()
        threads = make_threads(slots)
        self.host = Host(self._loop, threads, serializers, self._watch, self._make_ready)
        self._activations: dict[int, Activation] = {}
        self._ready: deque[Activation] = deque()
        self._is_ready: set[Activation] = set()
        self._idle: OrderedDict[Activation, None] = OrderedDict()
        self._left: dict[int, Activation] = {}  # their last acknowledgements are on the way
        self._outbox: list[WorkerMessage] = []
        self._pump_due = False
        self._draining = False
        self._empty = asyncio.Event()
        self.session_id = ""

    @property
    def active(self) -> int:
        """Activations that are not idle in the cache."""
        return len(self._activations) - len(self._idle)

    @property
    def cached(self) -> int:
        """Idle activations."""
        return len(self._idle)

    def open(self) -> None:
        """Connect, and work until `close`."""
        self._watch.start()
        self._link.open(self)

    async def close(self, grace_s: float) -> None:
        """Take no new work, let running steps end within the grace, hand everything back."""
        self._draining = True
        if self.session_id:
            self._outbox.append(DrainWorker())
        for activation in list(self._activations.values()):
            self._settle(activation)
        self._flush()
        if self._activations and self.session_id:
            self._empty.clear()
            try:
                async with asyncio.timeout(grace_s):
                    await self._empty.wait()
            except TimeoutError:
                pass
        for activation in list(self._activations.values()):
            self._release(activation, "the worker stops")
        self._flush()
        self.host.threads.close()
        self._watch.stop()
        await self._link.close()

    def abandon(self) -> None:
        """Tear everything down and tell nothing, as if the process had been killed."""
        self._draining = True
        self.session_id = ""
        for activation in list(self._activations.values()):
            self._remove(activation)
        self._outbox.clear()

    # --- LinkReceiver --------------------------------------------------------------------------

    def hello(self) -> Hello:
        """See `LinkReceiver`."""
        cached = []
        for activation in list(self._activations.values()):
            known = activation.cached()
            if known is None:
                self._remove(activation)
            else:
                cached.append(known)
        return msgspec.structs.replace(self._describe(), cached=tuple(cached))

    def connected(self, welcome: Welcome) -> None:
        """See `LinkReceiver`."""
        self.session_id = welcome.session_id
        self._left.clear()
        self._connected(welcome)

    def disconnected(self, error: Exception | None) -> None:
        """See `LinkReceiver`. What is cached lives on: the next session adopts it."""
        self.session_id = ""
        if error is not None and not self._draining:
            _LOG.warning("lost the coordinator: %s; connecting again", error)

    def refused(self, error: PerdureError) -> None:
        """See `LinkReceiver`."""
        self.session_id = ""
        self._refused(error)

    def receive(self, messages: Sequence[CoordinatorMessage]) -> None:
        """See `LinkReceiver`."""
        evicted: list[int] = []
        for message in messages:
            match message:
                case Entries() | Journal():
                    activation = self._activations.get(message.epoch)
                    if activation is not None:
                        self._hand(activation, message)
                    elif message.epoch in self._left and isinstance(message, Entries):
                        self._left[message.epoch].recorded_late(message)
                case Activate():
                    self._take(message)
                case Evict():
                    evicted.append(message.epoch)
                    activation = self._activations.get(message.epoch)
                    if activation is not None:
                        self._remove(activation)
                case Adopt():
                    self._adopt(message)
                case _:
                    pass
        if self._left:
            for epoch in evicted:  # what it had sent was acknowledged in this batch at the latest
                self._left.pop(epoch, None)
        self._pump()

    def _take(self, activate: Activate) -> None:
        target = activate.target
        definition = self._methods().get((target.service, target.method))
        if self._draining:
            self._outbox.append(Release(activate.epoch, "the worker stops"))
            return
        if definition is None:
            failure = Failure(
                "MethodNotFoundError",
                f"this worker has no {target.name()}; it was changed after it had registered",
                retryable=False,
            )
            last_index = activate.entries[-1].index if activate.entries else -1
            self._outbox.append(Finish(activate.epoch, 0, last_index, failure=failure))
            return
        kind = BodyActivation if definition.is_durable else HandlerActivation
        try:
            activation: Activation = kind(self.host, activate, definition)
        except ProtocolError as error:
            self._outbox.append(Release(activate.epoch, str(error)))
            return
        self._activations[activate.epoch] = activation
        self._queue(activation)

    def _adopt(self, message: Adopt) -> None:
        activation = self._activations.pop(message.old_epoch, None)
        if activation is None:
            self._outbox.append(Release(message.epoch, "not cached any more"))
            return
        self._activations[message.epoch] = activation
        self._hand(activation, message)

    def _hand(self, activation: Activation, message: Entries | Journal | Adopt) -> None:
        try:
            activation.receive(message)
        except ProtocolError as error:
            self._give_up(activation, error)
        else:
            self._queue(activation)

    # --- turns ---------------------------------------------------------------------------------

    def _make_ready(self, activation: Activation) -> None:
        if self._activations.get(activation.epoch) is activation:
            self._queue(activation)
            if not self._pump_due:
                self._pump_due = True
                self._loop.call_soon(self._pump_later)

    def _queue(self, activation: Activation) -> None:
        if activation not in self._is_ready:
            self._is_ready.add(activation)
            self._ready.append(activation)
            self._idle.pop(activation, None)

    def _pump_later(self) -> None:
        self._pump_due = False
        self._pump()

    def _pump(self) -> None:
        """Work on ready activations for a while, then send."""
        until_s = real_monotonic() + TURN_S
        ready, outbox = self._ready, self._outbox
        while ready:
            activation = ready.popleft()
            self._is_ready.discard(activation)
            if self._activations.get(activation.epoch) is not activation:
                continue
            try:
                more = activation.advance(outbox)
            except Exception as error:
                self._give_up(activation, error)
                continue
            if more:
                self._queue(activation)
            elif activation not in self._is_ready:
                self._settle(activation)
            if real_monotonic() > until_s:
                break
        if ready and not self._pump_due:
            self._pump_due = True
            self._loop.call_soon(self._pump_later)
        self._flush()

    def _flush(self) -> None:
        if self._outbox:
            messages, self._outbox = self._outbox, []
            self._link.send(messages)
            for _ in range(self.host.reports):
                failpoint("after-step-report")
            self.host.reports = 0

    # --- cache ---------------------------------------------------------------------------------

    def _settle(self, activation: Activation) -> None:
        """Nothing to do for now: keep it, or let it or an older one go."""
        if activation.is_over:
            self._remove(activation)
        elif self._draining or self._max_cached == 0:
            if activation.can_leave:
                self._release(activation, "not cached")
        elif activation.is_idle:
            self._idle[activation] = None
            if len(self._idle) > self._max_cached:
                oldest, _ = self._idle.popitem(last=False)
                self._release(oldest, "cache full")

    def _release(self, activation: Activation, reason: str) -> None:
        epoch = activation.epoch
        self._remove(activation)
        self._outbox.append(Release(epoch, reason))

    def _give_up(self, activation: Activation, error: Exception) -> None:
        epoch = activation.epoch
        self._remove(activation)
        if isinstance(error, ProtocolError):
            _LOG.error("%s", error)
            self._outbox.append(Release(epoch, str(error)))
        else:
            _LOG.error("an activation failed inside of Perdure", exc_info=error)
            text = f"internal error, please report: {type(error).__name__}: {error}"
            self._outbox.append(Mismatch(epoch, text))

    def _remove(self, activation: Activation) -> None:
        if self._activations.pop(activation.epoch, None) is not None:
            self._idle.pop(activation, None)
            if activation.awaits_records:
                self._left[activation.epoch] = activation
            activation.evict()
            if not self._activations:
                self._empty.set()
