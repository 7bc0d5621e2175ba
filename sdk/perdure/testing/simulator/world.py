"""The world of one run: its processes, their deaths and returns, its clocks, and what is outside.

Everything in it draws from the seed. A process that dies is replaced after a while by another one
with the same task; what it held in memory is gone, what is on disk stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final

from perdure.client.client import Client
from perdure.client.grpc_transport import GrpcTransport
from perdure.testing.simulator.chaos import Chaos
from perdure.testing.simulator.faults import Faults
from perdure.testing.simulator.loop import START_S, Process, SimulatedLoop, current_process
from perdure.testing.simulator.network import Network, SimulatedChannel, Wire
from perdure.testing.simulator.program import Program, Witness
from perdure.testing.simulator.trace import Trace
from perdure.testing.simulator.worker import LoopSteps, NoWatch, SimulatedLink
from perdure.worker.worker import Worker
from perdure_runtime.memory import MemoryDisk
from perdure_runtime.storage import WriteBatch

if TYPE_CHECKING:
    from perdure._compose.simulation import Disk, SimulatedCoordinator

NAMESPACE: Final = "default"
WALL_S: Final = 1_900_000_000.0
SOON_S: Final = 3.0  # a dead process is back by then
JUMP_S: Final = 3 * 3600.0
LATE_S: Final = 0.006  # a callback that takes longer than a turn of the executor
LATE: Final = 0.02


class TracedWitness(Witness):
    """A witness whose effects are in the trace."""

    def __init__(self, world: SimulatedWorld) -> None:
        super().__init__(world.where)
        self._trace = world.trace

    def effect(self, name: str, key: str | None = None) -> None:
        """See `Witness`."""
        process = current_process()
        if self._open and not (process is not None and process.dead):
            super().effect(name, key)
            self._trace.note(self.log[-1].worker or "outside", f"effect {name} {key or ''}")


class SimulatedWorld:
    """A `World` for one run.

    Args:
        settings: instead of drawn ones; `SETTINGS` names them.
        keep_lines: of the trace.
    """

    def __init__(
        self,
        program: Program,
        seed: int,
        faults: Faults,
        *,
        settings: Mapping[str, int],
        keep_lines: bool,
    ) -> None:
        self.seed = seed
        self.random = Random(f"{seed}/program")
        self.loop = SimulatedLoop()
        self.trace = Trace(self._exact_ms, keep_lines)
        self.chaos = Chaos(seed, faults, self._exact_ms, self.trace)
        self.witness: Witness = TracedWitness(self)
        self.workers: dict[int, Process] = {}
        self.coordinator: SimulatedCoordinator | None = None
        self.disk: Disk
        self.watch: Callable[[Wire, bool, bytes], None] = lambda wire, by_handler, data: None
        self.failures: list[str] = []
        self._program = program
        self._stream = Random(f"{seed}/world")
        self._settings = self._drawn() | dict(settings)
        self._offset_s = 0.0
        self._incarnations = 0
        self._workers: list[Worker] = []
        self._running: dict[Process, Worker] = {}
        self.network = Network(
            self.loop,
            Random(f"{seed}/network"),
            self.chaos,
            self.trace,
            lambda *seen: self.watch(*seen),
            kill=self.kill,
            freeze=self.freeze,
            stop=self.stop,
        )

    # --- for programs: `World` -----------------------------------------------------------------

    def now_ms(self) -> int:
        """See `World`."""
        return int(self._exact_ms())

    async def sleep(self, seconds: float) -> None:
        """See `World`."""
        await asyncio.sleep(seconds)

    def client(self) -> Client:
        """See `World`."""
        channel: Any = SimulatedChannel(self.network)
        transport = GrpcTransport("simulated:1", channel=channel)
        return Client(transport, NAMESPACE)

    # --- clocks --------------------------------------------------------------------------------

    def wall_s(self) -> float:
        """What `time.time` gives."""
        return WALL_S + self.loop.time() + self._offset_s

    def monotonic_s(self) -> float:
        """What `time.monotonic` gives; looking at it may take a while."""
        if self._stream.random() < LATE:
            self.loop.spend(self._stream.uniform(0.0, LATE_S))
        return self.loop.time()

    def where(self) -> tuple[int, str]:
        """Virtual time and the process that runs."""
        process = current_process()
        return self.now_ms(), "" if process is None else process.name

    def _exact_ms(self) -> float:
        return (self.loop.time() - START_S) * 1000

    def _jump(self) -> None:
        self._offset_s = self.chaos.stream("clock_jump").uniform(-JUMP_S, JUMP_S)
        self.trace.note("clock", f"is wrong by {self._offset_s:.0f} s")

    # --- processes -----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin all processes."""
        from perdure._compose.simulation import Disk

        self.disk = Disk(
            self.loop,
            Random(f"{self.seed}/disk"),
            self.chaos,
            self.trace,
            self.kill,
            self._written,
            self._jump,
            MemoryDisk(),
        )
        self._start_coordinator()
        for slot in range(self._settings["workers"]):
            self._start_worker(slot)

    def kill(self, process: Process, why: str) -> None:
        """It dies, here and now: nothing of it runs on."""
        if process.dead:
            return
        process.dead = True
        process.held.clear()
        self.trace.note(process.name, f"dies: {why}")
        self.network.died(process)
        late_s = self._stream.uniform(0.0, SOON_S) if self._stream.random() < 0.5 else 0.05
        back_s = self.loop.time() + late_s
        if self.coordinator is not None and process is self.coordinator.process:
            self.coordinator.died()
            self.network.at(back_s, self._start_coordinator)
            return
        for slot, worker in self.workers.items():
            if worker is process:
                self.network.at(back_s, self._start_worker, slot)

    def freeze(self, process: Process) -> None:
        """It is stopped, and goes on later as if nothing had happened."""
        if process.dead or process.frozen:
            return
        process.frozen = True
        lease_s = self._settings["lease_ms"] / 1000
        late_s = self.chaos.stream("freeze").uniform(0.0, 3 * lease_s)
        self.trace.note(process.name, f"is frozen for {late_s:.2f} s")
        self.network.at(self.loop.time() + late_s, self._thaw, process)

    def stop(self, process: Process) -> None:
        """A worker is to end in good order."""
        worker = self._running.pop(process, None)
        if worker is not None and not process.dead:
            self.trace.note(process.name, "is to stop")
            self.loop.spawn(process, self._stop(process, worker), "stop")

    async def _stop(self, process: Process, worker: Worker) -> None:
        await worker.stop(self._stream.uniform(0.0, SOON_S))
        self.kill(process, "stopped")

    def tear_down(self) -> None:
        """Let go of everything; nothing of it counts any more."""
        self.witness.close()
        for worker in self._workers:
            abandoning = worker.abandon()  # as far as it gets without a loop: its bodies are closed
            with suppress(Exception, StopIteration):
                abandoning.send(None)
            abandoning.close()
        if self.coordinator is not None:
            self.coordinator.process.dead = True
        for process in self.workers.values():
            process.dead = True
        self.loop.tear_down()

    def _thaw(self, process: Process) -> None:
        if not process.dead:
            self.trace.note(process.name, "goes on")
            self.loop.thaw(process)

    def _process(self, kind: str) -> Process:
        self._incarnations += 1
        process = Process(f"{kind}.{self._incarnations}")
        self.trace.note(process.name, "starts")
        return process

    def _start_coordinator(self) -> None:
        from perdure._compose.simulation import SimulatedCoordinator

        process = self._process("coordinator")
        settings = {key: value for key, value in self._settings.items() if key not in _OF_WORKERS}
        self.coordinator = SimulatedCoordinator(self.disk, self.network, process, settings)
        self.loop.spawn(process, self.coordinator.run(), process.name)

    def _start_worker(self, slot: int) -> None:
        process = self.workers[slot] = self._process("worker")
        self.loop.spawn(process, self._work(process), process.name)

    async def _work(self, process: Process) -> None:
        stream = Random(f"{self.seed}/{process.name}")
        services = self._program.services(self.witness)
        worker = Worker(
            lambda: services,
            lambda: SimulatedLink(self.network, stream),
            namespace=NAMESPACE,
            slots=self._settings["slots"],
            max_cached=self._settings["max_cached"],
            worker_id=process.name,
            make_threads=lambda _: LoopSteps(self.loop, stream),
            make_watch=NoWatch,
        )
        self._workers.append(worker)
        try:
            await worker.start()
            self._running[process] = worker
            await worker.wait()
        except Exception as error:
            self.failures.append(f"{process.name} was refused: {error!r}")

    def _written(self, batch: WriteBatch) -> None:
        names = ",".join(sorted({entry.key.id for entry in batch.entries}))
        data = b"".join(entry.chain for entry in batch.entries)
        self.trace.note(
            "disk", f"{len(batch.entries)} entries, {len(batch.rows)} rows {names}", data
        )

    def _drawn(self) -> dict[str, int]:
        """What differs from run to run although nothing is wrong with it."""
        return {name: self._stream.choice(values) for name, values in SETTINGS.items()}


SETTINGS: Final = {
    "workers": (1, 2, 2, 3),
    "slots": (1, 2, 200, 200),
    "max_cached": (0, 1, 2, 10_000, 10_000),
    "lease_ms": (2_000, 5_000, 10_000),
    "resume_ms": (0, 300, 1_000),
    "cancel_grace_ms": (1_000, 10_000),
    "max_resident": (0, 2, 50_000),
    "max_finished": (0, 2, 1_000),
    "page_entries": (1, 3, 1_000),
    "timer_horizon_ms": (100, 2_000, 60_000),
}
"""Numbers of workers and settings of workers and coordinators, and what runs draw for them."""

_OF_WORKERS: Final = ("workers", "slots", "max_cached")
