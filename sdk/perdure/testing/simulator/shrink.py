"""Finding the smallest circumstances in which a run still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from perdure.testing.simulator.corpus import find
from perdure.testing.simulator.faults import Faults
from perdure.testing.simulator.program import Program, Run
from perdure.testing.simulator.run import simulate
from perdure_runtime.core.errors import InvalidArgumentError

CALM: Final[Mapping[str, int]] = {
    "workers": 1,
    "slots": 200,
    "max_cached": 10_000,
    "lease_ms": 10_000,
    "resume_ms": 1_000,
    "cancel_grace_ms": 10_000,
    "max_resident": 50_000,
    "max_finished": 1_000,
    "page_entries": 1_000,
    "timer_horizon_ms": 60_000,
}
"""Settings in which the fewest things happen."""
MOST_RUNS: Final = 150


@dataclass(frozen=True)
class Case:
    """Everything that decides a run.

    Args:
        smaller: which of the programs that `smaller()` gives, and of theirs, and so on.
    """

    program: str
    seed: int
    faults: Faults = field(default_factory=Faults)
    settings: Mapping[str, int] = field(default_factory=dict)
    smaller: tuple[int, ...] = ()

    def run(self, *, keep_lines: bool = False) -> Run:
        """Run it.

        Raises:
            NotFoundError: there is no such program.
            InvalidArgumentError: it has no such smaller one.
        """
        program = self.made()
        return simulate(
            program, self.seed, self.faults, settings=self.settings, keep_lines=keep_lines
        )

    def made(self) -> Program:
        """The program, made anew; raises as `run`."""
        program = find(self.program)
        for index in self.smaller:
            options = smaller_than(program)
            if index >= len(options):
                raise InvalidArgumentError(f"{program.name} has no smaller program {index}")
            program = options[index]
        return program

    def command(self) -> str:
        """What runs it again, with its trace."""
        parts = [
            "python -m perdure.testing.simulator",
            f"--program {self.program} --seed {self.seed}",
        ]
        if self.smaller:
            parts.append(f"--smaller {','.join(map(str, self.smaller))}")
        if self.faults.text():
            parts.append(f"--faults {self.faults.text()}")
        if self.settings:
            told = ",".join(f"{name}={value}" for name, value in self.settings.items())
            parts.append(f"--settings {told}")
        return " ".join([*parts, "--trace"])


def smaller_than(program: Program) -> Sequence[Any]:
    """What a program offers in its place, the smallest first; [] if it offers none."""
    offer: Callable[[], Sequence[Program]] | None = getattr(program, "smaller", None)
    return [] if offer is None else list(offer())


def shrink(case: Case, tell: Callable[[str], None] = lambda text: None) -> Case:
    """The smallest case found that fails as this one does, after a bounded number of runs.

    Args:
        tell: gets what was left out.
    """
    left = MOST_RUNS
    progress = True
    while progress:
        progress = False
        for smaller, what in _candidates(case):
            if not left:
                return case
            left -= 1
            if smaller.run().violations:
                tell(what)
                case, progress = smaller, True
                break
    return case


def _candidates(case: Case) -> Iterator[tuple[Case, str]]:
    """Cases that are a little smaller, those that save most first."""
    faults = case.faults
    for index, program in enumerate(smaller_than(case.made())):
        yield replace(case, smaller=(*case.smaller, index)), f"a smaller program: {program.name}"
    for fewer, what in _fewer(faults):
        yield replace(case, faults=fewer), what
    for name, value in CALM.items():
        if name not in case.settings:
            settings = {**case.settings, name: value}
            yield replace(case, settings=settings), f"{name}={value}"


def _fewer(faults: Faults) -> Iterator[tuple[Faults, str]]:
    if not faults.active:
        return
    yield Faults.none(), "no faults"
    for limit in sorted({0, faults.limit // 2, max(0, faults.limit - 1)}):
        if limit < faults.limit:
            yield replace(faults, limit=limit), f"{limit} faults at most"
    for kind in faults.active:
        yield faults.without(kind), f"without {kind}"
    if faults.window_ms > 1_000:
        window_ms = faults.window_ms // 2
        yield replace(faults, window_ms=window_ms), f"faults during {window_ms} ms"
