"""A deterministic simulator: the real engine, workers and clients in one seeded world with faults.

One run is `simulate(program, seed)`: coordinator, workers, network and disk are processes and parts
of one event loop in virtual time, and everything that may vary is drawn from the seed: how long
messages take, which connections break, who dies and when, what the disk forgets. The same seed
gives the same run, in every process.

`program` says what is run and `faults` what goes wrong, `corpus` holds programs by name.
`python -m perdure.testing.simulator` runs many seeds, and finds the smallest run that fails.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.testing.simulator.faults import Faults
    from perdure.testing.simulator.program import Effect, Program, Run, Witness, World
    from perdure.testing.simulator.run import simulate

_HOMES = {
    "Effect": "program",
    "Faults": "faults",
    "Program": "program",
    "Run": "program",
    "Witness": "program",
    "World": "program",
    "simulate": "run",
}

__all__ = ["Effect", "Faults", "Program", "Run", "Witness", "World", "simulate"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
