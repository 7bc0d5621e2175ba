"""Programs by name, for the command line and for tests.

A module of this package adds what it defines with `add`; `find` imports them all. `random:17` is
the random program of seed 17, which is not among the `names`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Final

from perdure.testing.simulator.program import Program
from perdure_runtime.core.errors import NotFoundError

RANDOM: Final = "random:"
_makers: dict[str, Callable[[], Program]] = {}


def add(make: Callable[[], Program], name: str | None = None) -> Callable[[], Program]:
    """Make a program known under its name. Also a decorator of program classes.

    Args:
        name: what `make().name` is when None.
    """
    _makers[make().name if name is None else name] = make
    return make


def names() -> list[str]:
    """All programs that are to pass: one with an `open_bug`, which says what it waits for, can be
    found by its name alone."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return sorted(name for name, make in _makers.items() if not getattr(make, "open_bug", ""))


def find(name: str) -> Program:
    """A program, made anew.

    Raises:
        NotFoundError: none has this name.
    """
    if name.startswith(RANDOM) and name.removeprefix(RANDOM).isdecimal():
        from perdure.testing.simulator.generator import random_program

        return random_program(int(name.removeprefix(RANDOM)))
    known = names()
    if name not in _makers:
        raise NotFoundError(f"there is no program {name!r}; known: {', '.join(known)}")
    return _makers[name]()
