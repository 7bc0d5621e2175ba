"""The simulator itself: the same seed gives the same run, and what is to go wrong does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from perdure.testing.simulator import Faults, Run, corpus, simulate
from perdure.testing.simulator.faults import KINDS
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError

SEEDS = range(12)
TRACES = """
from perdure.testing.simulator import corpus, simulate
print(*(simulate(corpus.find("orders"), seed).trace for seed in range({first}, {last})))
"""


def _run(seed: int, faults: Faults | None = None) -> Run:
    return simulate(corpus.find("orders"), seed, Faults() if faults is None else faults)


def test_a_seed_gives_the_same_run_again() -> None:
    first = [_run(seed) for seed in SEEDS]
    for seed, run in zip(SEEDS, first, strict=True):
        again = simulate(corpus.find("orders"), seed, keep_lines=True)
        assert run.trace == again.trace, seed
        assert again.lines
        assert not run.lines
    assert len({run.trace for run in first}) == len(SEEDS)


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_a_seed_gives_the_same_run_in_another_process(hash_seed: str) -> None:
    program = TRACES.format(first=SEEDS.start, last=SEEDS.stop)
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.split() == [_run(seed).trace for seed in SEEDS]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_fault_happens_and_is_survived(kind: str) -> None:
    counts: Counter[str] = Counter()
    for seed in range(6):
        run = _run(seed, Faults.only(kind, factor=4.0))
        assert not run.violations, f"seed {seed}: {run.violations}"
        counts.update(run.faults)
    assert counts[kind] >= 3
    assert set(counts) == {kind}


def test_usual_faults_are_survived() -> None:
    counts: Counter[str] = Counter()
    for seed in range(40):
        run = _run(seed)
        assert not run.violations, f"seed {seed}: {run.violations}"
        counts.update(run.faults)
    assert set(counts) == set(KINDS)


def test_without_faults_every_effect_is_there_once() -> None:
    for seed in SEEDS:
        run = _run(seed, Faults.none())
        assert not run.violations
        assert not run.faults
        assert set(run.witness.counts.values()) == {1}


def test_what_does_not_end_is_a_violation() -> None:
    class Endless:
        name = "endless"

        def __init__(self) -> None:
            self._orders = corpus.find("orders")
            self.services = self._orders.services

        async def drive(self, client: object, world: object) -> None:
            await corpus.find("orders").drive(client, world)  # type: ignore[arg-type] # as given
            import asyncio

            await asyncio.get_running_loop().create_future()

        def check(self, run: Run) -> list[str]:
            return []

    run = simulate(Endless(), 1, Faults.none())
    assert not run.ended
    assert "does not end" in run.violations[0]


def test_faults_say_what_they_are() -> None:
    faults = Faults(drop=0.5, limit=3)
    assert faults.text() == "drop=0.5,limit=3"
    assert Faults.parse(faults.text()) == faults
    assert Faults.parse("none") == Faults.none()
    assert Faults.parse(Faults.none().text()) == Faults.none()
    with pytest.raises(InvalidArgumentError, match="no fault 'rain'"):
        Faults.parse("rain=1")
    with pytest.raises(InvalidArgumentError, match="name=number"):
        Faults.parse("drop=often")
    with pytest.raises(InvalidArgumentError, match="no probability"):
        Faults.parse("drop=2")


def test_an_unknown_program_is_told_with_those_that_are_known() -> None:
    with pytest.raises(NotFoundError, match="orders"):
        corpus.find("nothing")
