"""The coordinator of a simulation: the real engine and services over a memory that may fail.

`SimulatedStore` adds to the reference store what disks do: time, a full disk, a commit that is on
disk and reported as broken, and a batch that is wholly there or wholly not when its process dies.
Reads pass commits that are under way, as on connections of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from random import Random
from typing import Any, Final, NamedTuple

from perdure._compose.kit import at_rest
from perdure.testing.simulator.chaos import Chaos
from perdure.testing.simulator.loop import Process, SimulatedLoop
from perdure.testing.simulator.network import Network
from perdure.testing.simulator.trace import Trace
from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_coordinator.services.admin import AdminService
from perdure_coordinator.services.calls import Desk
from perdure_coordinator.services.client import client_service
from perdure_coordinator.services.worker import WorkerService
from perdure_runtime.memory import MemoryDisk, MemoryStore
from perdure_runtime.storage import Ownership, StoreBroken, StoreFull, WriteBatch

MANY: Final = 1_000  # crashes of workers are what this is about
OPERATION_S: Final = 0.002
SLOW_S: Final = 2.0
FULL_S: Final = 3.0
STOP_S: Final = 5.0
OF_ITS_OWN: Final = ("acquire", "commit", "checkpoint", "close")


@dataclass(slots=True)
class Disk:
    """What survives all coordinators of a run.

    Args:
        written: told of each batch that reached the disk.
        jumped: makes the wall clock jump.
    """

    loop: SimulatedLoop
    stream: Random
    chaos: Chaos
    trace: Trace
    kill: Callable[[Process, str], None]
    written: Callable[[WriteBatch], None]
    jumped: Callable[[], None]
    memory: MemoryDisk
    full_until_s: float = 0.0


class SimulatedStore(MemoryStore):
    """See the module."""

    def __init__(self, disk: Disk, process: Process, stop: Callable[[], None]) -> None:
        super().__init__(disk.memory)
        self._machine = disk
        self._process = process
        self._stop = stop
        self._under_way: WriteBatch | None = None

    async def acquire(self, owner: str, floor: int = 0) -> Ownership:
        """See `Store`."""
        await self.pause()
        self._check_room()
        self._machine.trace.note(self._process.name, "owns the store")
        return await super().acquire(owner, floor)

    async def commit(self, batch: WriteBatch) -> None:
        """See `Store`."""
        machine, chaos = self._machine, self._machine.chaos
        if chaos.happens("disk_full"):
            late_s = chaos.stream("disk_full").uniform(0.0, FULL_S)
            machine.full_until_s = machine.loop.time() + late_s
        self._under_way = batch
        await self.pause()
        self._check_room()
        if chaos.happens("coordinator_crash"):
            await self._die("crash during a commit")
        await self._write(batch)
        if chaos.happens("clock_jump"):
            machine.jumped()
        if chaos.happens("commit_lost"):
            raise StoreBroken("the disk failed to say that it has written")
        if chaos.happens("crash_after_commit"):
            await self._die("crash after a commit")
        if chaos.happens("coordinator_stop"):
            self._stop()
        await self.pause()

    def lose_power(self) -> None:
        """The process is gone: what it was writing is wholly there or wholly not."""
        batch, self._under_way = self._under_way, None
        if batch is not None and self._machine.stream.random() < 0.5:
            written = self._write(batch)
            try:
                written.send(None)
            except StopIteration:
                return
            raise AssertionError("the reference store does not wait for anything")

    async def pause(self) -> None:
        """What an operation takes."""
        machine = self._machine
        late_s = machine.stream.uniform(0.0, OPERATION_S)
        if machine.chaos.happens("slow_disk"):
            late_s += machine.chaos.stream("slow_disk").uniform(0.0, SLOW_S)
        await asyncio.sleep(late_s)

    async def _write(self, batch: WriteBatch) -> None:
        await super().commit(batch)
        self._under_way = None
        self._machine.written(batch)

    async def _die(self, why: str) -> None:
        self._machine.kill(self._process, why)
        await self._machine.loop.create_future()

    def _check_room(self) -> None:
        if self._machine.loop.time() < self._machine.full_until_s:
            self._under_way = None
            raise StoreFull("the disk is full")


def _taking_time(name: str) -> Any:
    plain = getattr(MemoryStore, name)

    async def operate(self: SimulatedStore, *args: Any, **options: Any) -> Any:
        await self.pause()
        found = await plain(self, *args, **options)
        await self.pause()
        return found

    return operate


for _name, _method in vars(MemoryStore).items():
    if iscoroutinefunction(_method) and _name not in OF_ITS_OWN:
        setattr(SimulatedStore, _name, _taking_time(_name))


class _Details(NamedTuple):
    """What a table of handlers is asked with."""

    method: str
    invocation_metadata: Any = ()


class SimulatedCoordinator:
    """One coordinator process, from its start to its death."""

    def __init__(
        self, disk: Disk, network: Network, process: Process, settings: Mapping[str, int]
    ) -> None:
        self.process = process
        self.engine: Engine | None = None
        self._disk = disk
        self._network = network
        self._config = Config(owner=process.name, max_crashes=MANY, **settings)
        self._store = SimulatedStore(disk, process, self._stop_soon)
        self._desk: Desk | None = None

    async def run(self) -> None:
        """Recover and serve; run it in the process."""
        kill = self._disk.kill
        try:
            engine = await Engine.open(
                self._store, self._config, lambda error: kill(self.process, f"fatal: {error}")
            )
        except Exception as error:
            kill(self.process, f"did not start: {error}")
            return
        self.engine = engine
        desk = self._desk = Desk(engine)
        tables: Iterable[Any] = (
            WorkerService(desk, self._config.lease_ms / 3000).handler(),
            client_service(desk),
            AdminService(desk).handler(),
        )

        def lookup(path: str) -> Any:
            found = (table.service(_Details(path)) for table in tables)
            return next((handler for handler in found if handler is not None), None)

        self._network.listen(self.process, lookup)

    def died(self) -> None:
        """It was killed."""
        self._store.lose_power()

    @property
    def quiet(self) -> bool:
        """Whether it serves, and nothing in it or on its disk is about to go on by itself."""
        engine = self.engine
        return engine is not None and not self.process.dead and at_rest(engine, self._disk.memory)

    def _stop_soon(self) -> None:
        self._disk.loop.spawn(self.process, self._stop(), "stop")

    async def _stop(self) -> None:
        """As `Server.stop`, and the end of the process."""
        if self.engine is None or self._desk is None or self._desk.stopping:
            return
        self._desk.stopping = True
        await self.engine.stop(STOP_S)
        await asyncio.gather(*(stream.drain() for stream in self._desk.streams))
        await asyncio.sleep(self._disk.stream.uniform(0.0, 0.1))
        self._disk.kill(self.process, "stopped")


__all__ = ["Disk", "SimulatedCoordinator", "SimulatedStore"]
