"""Thousands of seeds: every program of the corpus in turn, and as many random ones.

Half of the seeds are always the same, half are new each time; a seed that fails comes with the
command that repeats it. `make soak` goes on for hours.
"""

from __future__ import annotations

import os

import pytest

from perdure.testing.simulator.faults import Faults
from perdure.testing.simulator.many import run_many
from tests.integration.telling import say
from tests.proof.counting import tried

KNOWN = range(1000)
NEW = 1000
PROGRAMS = ("all", "random")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_seed_breaks_a_promise() -> None:
    base = int.from_bytes(os.urandom(4), "big")
    for seeds in (KNOWN, range(base, base + NEW)):
        summary = run_many(PROGRAMS, seeds, Faults(), processes=os.cpu_count() or 1)
        faults = sum(summary.faults.values())
        note = f"simulator: seeds {seeds.start}..{seeds.stop}, {faults:,} faults"
        say(note)
        tried(cases=summary.runs, faults=faults, note=note)
        told = [f"{case.command()}: {'; '.join(texts)}" for case, texts in summary.failed]
        assert not told, "\n".join(told)
