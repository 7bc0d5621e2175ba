"""`MemoryRuntime`: a whole Perdure in memory for one test, with a clock that the test moves.

The engine, the worker and the client are the real ones; the store is memory and everything runs on
the test's event loop. Every run of a test begins with an empty store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from perdure.client.ambient import made_ambient
from perdure.client.client import Client
from perdure.client.transport import Transport
from perdure.registry import all_services
from perdure.service import Service
from perdure.testing.clock import VirtualClock
from perdure.testing.stubs import Stub
from perdure.worker.worker import Worker
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.loop import real_monotonic

if TYPE_CHECKING:
    from perdure._compose.kit import CrashPoint, KitCoordinator, KitLink, KitTransport
    from perdure_runtime.core.client import StartRequest

NAMESPACE: Final = "default"
MAX_CACHED: Final = 10_000
SPIN_TURNS: Final = 100  # of the loop, before looking less often
LOOK_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run of a test left behind.

    Args:
        writes: how many journal writes there were.
        crashes: how often it crashed.
        outcomes: how executions ended that no other execution had started, by id: target, status,
            encoded result, error.
    """

    writes: int
    crashes: int
    outcomes: dict[str, tuple[str, str, bytes, str]]


class MemoryRuntime:
    """The fixture `runtime`. Also without pytest: `async with MemoryRuntime().opened(): ...`.

    Args:
        services: what it runs; everything that this process has defined when None.
        always_suspend: keep no body alive, so that every await ends in a replay.
        auto_advance: whether time jumps to the next timer while somebody waits for an execution
            and everything waits for time.
        patience_s: real seconds that the clock waits for running steps before time goes on.
    """

    def __init__(
        self,
        *,
        clock: VirtualClock | None = None,
        services: Sequence[Service] | None = None,
        always_suspend: bool = False,
        auto_advance: bool = True,
        patience_s: float = 1.0,
    ) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self.auto_advance = auto_advance
        self._services = services
        self._max_cached = 0 if always_suspend else MAX_CACHED
        self._patience_s = patience_s
        self._stubs: dict[str, Stub] = {}
        self._coordinator: KitCoordinator | None = None
        self._transport: KitTransport
        self._link: KitLink
        self._worker: Worker
        self._client: Client

    # --- for tests -----------------------------------------------------------------------------

    @property
    def client(self) -> Client:
        """Starts and finds executions; direct calls in the test use it too."""
        self._opened()
        return self._client

    def stub(self, service: str, /, **methods: Any) -> Stub:
        """Answer calls of a service in this test.

        Args:
            methods: by name: a callable, sync or async, that gets the payload; an exception to
                raise; or the value to return. They replace methods of a real service of this name,
                whose other methods stay.

        Returns:
            the stub: `stub.method.calls` are the inputs, `stub.method.count` how many.
        """
        stub = self._stubs.setdefault(service, Stub(service))
        stub.add(methods)
        if self._coordinator is not None:
            self._link.connect_again()
        return stub

    async def settle(self) -> None:
        """Wait until everything waits: for time, for an event, or for nothing any more.

        Not longer than the patience for steps that run meanwhile; they run in real time.
        """
        coordinator = self._opened()
        writes, turns, until_s = -1, 0, 0.0
        while not coordinator.settled:
            if coordinator.writes != writes:
                writes, turns, until_s = coordinator.writes, 0, real_monotonic() + self._patience_s
            elif real_monotonic() > until_s:
                return
            turns += 1
            await asyncio.sleep(0 if turns < SPIN_TURNS else LOOK_S)

    async def crash(self, *, coordinator: bool = True, worker: bool = True) -> None:
        """Kill coordinator and worker, or one of them; returns when who died has begun anew.

        Nothing that is on disk is lost; bodies are replayed, steps that ran run again. A worker
        that outlives its coordinator finds the new one and keeps what it has in memory.
        """
        self.kill(coordinator=coordinator, worker=worker)
        await self._opened().serving()

    def kill(self, *, coordinator: bool = True, worker: bool = True) -> None:
        """As `crash`, and returns at once, with the process gone: for places that cannot wait."""
        self._opened().kill(coordinator=coordinator, worker=worker)

    # --- life ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def opened(self, crash: CrashPoint | None = None) -> AsyncIterator[MemoryRuntime]:
        """One run: an empty store, the clock at its start; direct calls of this loop use it.

        Args:
            crash: kill coordinator and worker once, there.
        """
        from perdure._compose.kit import KitTransport

        if self._coordinator is not None:
            raise InvalidArgumentError("this runtime is open already")
        for stub in self._stubs.values():
            stub.clear()
        kept = {name: dict(stub.definitions) for name, stub in self._stubs.items()}
        coordinator = self._make_coordinator(crash)
        self.clock.begin(self._advance)
        await coordinator.open()
        self._coordinator = coordinator
        self._transport = KitTransport(coordinator, self._register)
        numbers = count(1)
        self._client = Client(
            self._client_transport(), NAMESPACE, new_id=lambda: f"execution-{next(numbers)}"
        )
        skipping = asyncio.create_task(self._skip(), name="perdure-auto-advance")
        try:
            await self._start_worker()
            with made_ambient(self._client):
                yield self
        finally:
            skipping.cancel()
            await asyncio.wait([skipping])
            await coordinator.serving()
            await self._worker.stop(0.0)
            await self._client.transport.close()
            await coordinator.close()
            self._coordinator = None
            self.clock.end()
            self._stubs = {name: self._stubs[name] for name in kept}
            for name, definitions in kept.items():
                self._stubs[name].definitions = definitions

    async def report(self) -> RunReport:
        """What this run did up to now."""
        coordinator = self._opened()
        outcomes: dict[str, tuple[str, str, bytes, str]] = {}
        for key, row in coordinator.disk.rows.items():
            if row.parent is None and coordinator.ended(key):
                outcome = await self._transport.wait(key.namespace, key.id)
                result = b"" if outcome.result is None else outcome.result.data
                outcomes[key.id] = row.target.name(), str(row.status), result, row.error
        return RunReport(coordinator.writes, coordinator.crashes, outcomes)

    # --- inside --------------------------------------------------------------------------------

    def _opened(self) -> KitCoordinator:
        if self._coordinator is None:
            raise InvalidArgumentError(
                "the runtime is open only while an async test runs; make the test `async def`"
            )
        return self._coordinator

    def _make_coordinator(self, crash: CrashPoint | None) -> KitCoordinator:
        from perdure._compose.kit import KitCoordinator

        return KitCoordinator(
            self.clock,
            crash,
            killed=lambda: self._link.cut(),
            crashed=self._abandon_worker,
            reopened=self._start_worker,
            reconnect=lambda: self._link.find_again(),
        )

    def _client_transport(self) -> Transport:
        return self._transport

    def _make_link(self) -> KitLink:
        from perdure._compose.kit import KitLink

        return KitLink(self._opened())

    async def _start_worker(self) -> None:
        link = self._link = self._make_link()
        self._worker = Worker(
            self._offered, lambda: link, namespace=NAMESPACE, max_cached=self._max_cached
        )
        await self._worker.start()

    async def _abandon_worker(self) -> None:
        self._link.hang_up()
        await self._worker.abandon()

    def _offered(self) -> list[Service]:
        real = all_services() if self._services is None else self._services
        offered = {service.name: service for service in real}
        for name, stub in self._stubs.items():
            offered[name] = stub.over(offered.get(name))
        return [*offered.values()]

    def _register(self, request: StartRequest) -> None:
        if not self._worker.serves(request.target):
            self._link.connect_again()

    async def _advance(self, until_ms: int) -> None:
        coordinator = self._opened()
        while True:
            await self.settle()
            due_ms = coordinator.next_due_ms()
            if due_ms is None or due_ms > until_ms:
                break
            self.clock.move_to(due_ms)
        self.clock.move_to(until_ms)
        await self.settle()

    async def _skip(self) -> None:
        """Let time jump to the next timer while the test has nothing to do but to wait for it."""
        coordinator = self._opened()
        with suppress(asyncio.CancelledError):
            while True:
                self._transport.raise_alarms()
                if self.auto_advance and self._only_waits():
                    due_ms = coordinator.next_due_ms()
                    if due_ms is not None:
                        self.clock.move_to(due_ms)
                await asyncio.sleep(LOOK_S)

    def _only_waits(self) -> bool:
        coordinator, awaited = self._opened(), self._transport.awaited
        return (
            bool(awaited)
            and coordinator.settled
            and not any(coordinator.ended(key) for key in awaited)
        )


def difference(first: RunReport, second: RunReport) -> str:
    """What differs between the outcomes of two runs, readable; "" when nothing does."""
    lines = [
        f"{id}: {first.outcomes.get(id)} without the crash, {second.outcomes.get(id)} with it"
        for id in sorted(first.outcomes.keys() | second.outcomes.keys())
        if first.outcomes.get(id) != second.outcomes.get(id)
    ]
    return "\n".join(lines)


__all__ = ["MemoryRuntime", "RunReport", "difference"]
