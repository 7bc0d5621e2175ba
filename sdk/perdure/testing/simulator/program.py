"""What a simulated program is, what it gets, and what a run of it leaves behind.

A program is given anew to every run. Its bodies and steps run in simulated worker processes, which
die and come back; what is outside of them (`drive`, the witness) survives everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from perdure.service import Service
from perdure.testing.simulator.faults import Faults
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.rows import ExecutionRow

if TYPE_CHECKING:
    from perdure.client.client import Client


class Effect(NamedTuple):
    """One effect on the world outside.

    Args:
        key: what made it the same effect for a receiver that removes duplicates.
        at_ms: virtual time since the start of the run.
        worker: the worker process that caused it; "" for the program's own side.
    """

    name: str
    key: str | None = None
    at_ms: int = 0
    worker: str = ""


class Witness:
    """The world outside of the engine: it counts effects and survives all crashes.

    Args:
        where: gives virtual time and the worker process that is running.
    """

    def __init__(self, where: Callable[[], tuple[int, str]] = lambda: (0, "")) -> None:
        self.counts: Counter[str] = Counter()
        """How often each name was seen, repetitions of one key included."""
        self.log: list[Effect] = []
        self._where = where
        self._open = True

    def effect(self, name: str, key: str | None = None) -> None:
        """An effect took place, here and now. A step whose record is lost has it twice.

        Args:
            key: for instance the step's idempotency key; see `distinct`.
        """
        if self._open:
            at_ms, worker = self._where()
            self.counts[name] += 1
            self.log.append(Effect(name, key, at_ms, worker))

    def distinct(self, name: str) -> int:
        """How many different keys an effect came with."""
        return len({effect.key for effect in self.log if effect.name == name})

    def close(self) -> None:
        """The run is over: what is torn down now is no effect."""
        self._open = False


class World(Protocol):
    """What a program may use beside its client. Virtual time passes only while all wait."""

    @property
    def seed(self) -> int:
        """The run's."""
        ...

    @property
    def random(self) -> Random:
        """The program's own stream; nobody else draws from it."""
        ...

    @property
    def witness(self) -> Witness:
        """The same as `services` got."""
        ...

    def now_ms(self) -> int:
        """Virtual time since the start of the run."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        ...

    def client(self) -> Client:
        """One more client, with a connection of its own."""
        ...


class Program(Protocol):
    """What is run. `smaller` may be added: it gives smaller programs that may fail as well."""

    @property
    def name(self) -> str:
        """Under which the corpus knows it; `--program NAME`."""
        ...

    def services(self, witness: Witness) -> Sequence[Service]:
        """What workers offer; made anew for each worker process, so that none shares memory.

        Write `Service(name, "1")`, not `durable.service(name)`: that one is the process's own.
        """
        ...

    async def drive(self, client: Client, world: World) -> Any:
        """What the outside does: starts, events, cancels, waits. Its result is in the run."""
        ...

    def check(self, run: Run) -> Sequence[str]:
        """What is wrong with a run that ended; nothing: []."""
        ...


@dataclass
class Run:
    """What one run left behind.

    Args:
        result: of `drive`.
        error: what `drive` raised.
        journals: all entries by execution id, all runs of it.
        rows: by execution id.
        faults: how often each kind happened.
        duration_ms: virtual.
        trace: the same for the same program, seed and faults, in every process.
        ended: whether the program was done and nothing was busy any more; a run that has not is
            reported as a violation by the simulator itself.
        violations: what the simulator and the program found wrong.
        lines: what happened, readable; only of runs that were asked to keep it.
    """

    seed: int
    result: Any = None
    error: BaseException | None = None
    journals: Mapping[str, Sequence[Recorded]] = field(default_factory=dict)
    rows: Mapping[str, ExecutionRow] = field(default_factory=dict)
    witness: Witness = field(default_factory=Witness)
    faults: Counter[str] = field(default_factory=Counter)
    duration_ms: int = 0
    trace: str = ""
    ended: bool = False
    violations: Sequence[str] = ()
    lines: Sequence[str] = ()


__all__ = ["Effect", "Faults", "Program", "Run", "Witness", "World"]
