"""`python -m perdure.testing.simulator`."""

from __future__ import annotations

import shlex

import pytest

from perdure.testing.simulator import shrink
from perdure.testing.simulator.__main__ import main
from perdure.testing.simulator.many import program_of
from tests.simulation.test_mutations import effects_leave_before_the_commit


def test_one_run_prints_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--program", "orders", "--seed", "3", "--trace"]) == 0
    told = capsys.readouterr().out
    assert "coordinator.1  starts" in told
    assert "orders, seed 3" in told


def test_many_runs_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--program", "orders,random", "--seeds", "0..4", "--processes", "2"]) == 0
    told = capsys.readouterr().out
    assert "4 runs" in told
    assert "0 runs with violations" in told


def test_a_failing_seed_gives_a_command_and_a_smaller_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    effects_leave_before_the_commit(monkeypatch)
    monkeypatch.setattr(shrink, "MOST_RUNS", 30)
    assert main(["--program", "orders", "--seeds", "0..1"]) == 1
    told = capsys.readouterr().out.splitlines()
    failed = next(line for line in told if line.startswith("FAILED: "))
    assert "--program orders --seed 0 --trace" in failed
    smallest = next(line for line in told if "smallest: " in line).partition("smallest: ")[2]
    assert "--faults none" in smallest
    assert "--smaller 0" in smallest
    words = shlex.split(smallest)
    assert main(words[words.index("--program") :]) == 1
    assert "VIOLATION: I2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--program", "nothing", "--seed", "1"], "no program 'nothing'"),
        (["--seed", "1"], "needs one program"),
        (["--seeds", "3"], "is not A..B"),
        (["--program", "orders", "--seed", "1", "--settings", "x=1"], "is not name=number"),
        (["--program", "orders", "--seed", "1", "--faults", "rain=1"], "no fault 'rain'"),
        (["--program", "orders", "--seed", "1", "--smaller", "9"], "no smaller program 9"),
    ],
)
def test_what_cannot_be_is_told(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert error in capsys.readouterr().err


def test_seeds_take_programs_in_turn() -> None:
    assert [program_of(["orders", "random"], seed) for seed in range(3)] == [
        "orders",
        "random:1",
        "orders",
    ]
    assert program_of(["all"], 0) != program_of(["all"], 1)
