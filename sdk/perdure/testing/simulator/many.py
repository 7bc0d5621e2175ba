"""Many runs, on several processes, and what came of them."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

from perdure.testing.simulator.corpus import RANDOM, names
from perdure.testing.simulator.faults import Faults
from perdure.testing.simulator.shrink import Case

CHUNK: Final = 10
SHOWN: Final = 5


@dataclass
class Summary:
    """What came of some runs.

    Args:
        failed: what was wrong, by case.
        cpu_s: that the runs took.
        virtual_ms: that passed in them.
    """

    runs: int = 0
    entries: int = 0
    effects: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[Case, Sequence[str]]] = field(default_factory=list)
    cpu_s: float = 0.0
    virtual_ms: int = 0

    def add(self, other: Summary) -> None:
        """Count others in."""
        self.runs += other.runs
        self.entries += other.entries
        self.effects += other.effects
        self.faults.update(other.faults)
        self.failed += other.failed
        self.cpu_s += other.cpu_s
        self.virtual_ms += other.virtual_ms

    def lines(self) -> Iterator[str]:
        """Readable."""
        yield (
            f"{self.runs} runs, {self.entries} journal entries, {self.effects} effects, "
            f"{self.virtual_ms / 1000:.0f} s of virtual time, "
            f"{1000 * self.cpu_s / max(1, self.runs):.0f} ms CPU each"
        )
        told = ", ".join(f"{kind} {count}" for kind, count in self.faults.most_common())
        yield f"{sum(self.faults.values())} faults: {told}"
        yield f"{len(self.failed)} runs with violations"


def run_some(cases: Sequence[Case]) -> Summary:
    """Run cases here, one after the other."""
    summary, began_s = Summary(), time.process_time()
    for case in cases:
        run = case.run()
        summary.runs += 1
        summary.entries += sum(map(len, run.journals.values()))
        summary.effects += run.witness.counts.total()
        summary.faults.update(run.faults)
        summary.virtual_ms += run.duration_ms
        if run.violations:
            summary.failed.append((case, [str(text) for text in run.violations]))
    summary.cpu_s = time.process_time() - began_s
    return summary


def program_of(programs: Sequence[str], seed: int) -> str:
    """Which program a seed runs: each in turn, `all` for each of the corpus in turn, `random` for
    the random one of the seed."""
    chosen, turn = programs[seed % len(programs)], seed // len(programs)
    if chosen == "all":
        known = names()
        return known[turn % len(known)]
    return f"{RANDOM}{seed}" if chosen == RANDOM.removesuffix(":") else chosen


def run_many(
    programs: Sequence[str],
    seeds: range,
    faults: Faults,
    *,
    processes: int,
    told: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    """Run each seed with one of the programs in turn; see `program_of`.

    Args:
        told: gets what came of all runs so far, now and then.
    """
    cases = [Case(program_of(programs, seed), seed, faults) for seed in seeds]
    chunks = [cases[first : first + CHUNK] for first in range(0, len(cases), CHUNK)]
    summary = Summary()
    if processes <= 1:
        for chunk in chunks:
            summary.add(run_some(chunk))
            told(summary)
        return summary
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for done in as_completed([pool.submit(run_some, chunk) for chunk in chunks]):
            summary.add(done.result())
            told(summary)
    return summary
