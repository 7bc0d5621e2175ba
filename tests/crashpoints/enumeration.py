"""Every (fail point, n) of a case: the n-th hit kills, until a run passes the point unhit.

Exhaustive, not random. In one process, over the testing kit: a coordinator that is killed at a
point decides, writes and answers nothing from there on, its worker lives and finds the next one; a
worker that is killed says and hears nothing from there on, its coordinator lives. What clients see
must be what they see of a calm run, each effect must have been made under the same keys, none more
often than somebody was killed, and journals must hold together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, Final

from perdure import HistoryEntry
from perdure.testing import MemoryRuntime
from perdure_runtime.core.errors import CoordinatorUnavailableError
from perdure_runtime.failpoints import observed
from tests.crashpoints.corpus import CASES, Case, forget, witnessed
from tests.crashpoints.flows import service
from tests.integration.blocks import COMPLETIONS

COORDINATOR_POINTS: Final = (
    "after-receive",
    "after-request",
    "before-commit",
    "after-commit-before-ack",
    "before-dispatch",
    "timer-fired",
    "schedule-due",
    "schedule-start",
    "before-delivery",
    "task-claim",
    "task-operation",
)
WORKER_POINTS: Final = ("after-step-body", "after-step-report", "mid-replay", "before-heartbeat")
POINTS: Final = COORDINATOR_POINTS + WORKER_POINTS
_PATIENCE_S: Final = 30.0
_MANY: Final = 2_000
_ENOUGH: Final = 10  # violations, after which it is not looked for more at that point


class Violation(AssertionError):
    """A promise was broken because somebody was killed at a point."""


@dataclass(slots=True)
class Tally:
    """What an enumeration did.

    Args:
        fired: kills by point.
        violations: one text each.
    """

    cases: int = 0
    faults: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    """One run: what clients saw, which effects there were, whether it was killed."""

    result: Any
    effects: Counter[tuple[str, str]]
    fired: bool


class _Killer:
    """Kills at the n-th hit of a point."""

    def __init__(self, runtime: MemoryRuntime, point: str, n: int) -> None:
        self._runtime = runtime
        self._point = point
        self._left = n
        self.armed = False

    @property
    def fired(self) -> bool:
        """Whether it has."""
        return self._left <= 0

    def hit(self, name: str) -> None:
        """What places call."""
        if name != self._point or not self.armed or self._left <= 0:
            return
        self._left -= 1
        if self._left == 0:
            at_worker = name in WORKER_POINTS
            self._runtime.kill(coordinator=not at_worker, worker=at_worker)
            if not at_worker:
                raise CoordinatorUnavailableError(f"killed at {name}")


async def run(case: Case, runtime: MemoryRuntime, point: str = "", n: int = 0) -> Seen:
    """Play a case once, killed at the n-th hit of a point (0: calm)."""
    forget()
    killer = _Killer(runtime, point, n or 1)
    with observed(killer.hit):
        async with runtime.opened():
            killer.armed = bool(n)
            result = await case.play(runtime)
            killer.armed = False
            await runtime.settle()
            async for info in runtime.client.list():
                check_history([entry async for entry in runtime.client.get(info.id).history()])
    return Seen(result, Counter(witnessed()), killer.fired)


def check_history(entries: Sequence[HistoryEntry]) -> None:
    """Gapless, times never back, one end of the last run, each completion once."""
    assert [*range(len(entries))] == [entry.index for entry in entries]
    assert all(a.time <= b.time for a, b in pairwise(entries))
    kinds = [entry.kind for entry in entries]
    assert kinds[0] == "execution_created"
    assert kinds.count("execution_ended") <= 1 + kinds.count("execution_retried")
    run = attempt = 0
    once: Counter[tuple[int, int, str]] = Counter()
    for entry in entries:
        run += entry.kind == "execution_created"
        attempt += entry.kind == "attempt_started"
        if entry.kind in COMPLETIONS:
            once[run, attempt, entry.path] += 1
    doubled = {what: times for what, times in once.items() if times > 1}
    assert not doubled, f"recorded more than once: {doubled}"


def check(case: Case, calm: Seen, seen: Seen) -> None:
    """Raise Violation where a run differs from the calm one."""
    effects, calm_effects = seen.effects, calm.effects
    if case.once:
        _check_once(calm, seen)
        return
    if seen.result != calm.result:
        raise Violation(f"clients saw {seen.result!r} instead of {calm.result!r}")
    if effects.keys() != calm_effects.keys():
        lost, strange = calm_effects.keys() - effects.keys(), effects.keys() - calm_effects.keys()
        raise Violation(f"effects lost: {sorted(lost)}; never asked for: {sorted(strange)}")
    again = {each: times for each, times in effects.items() if times > calm_effects[each] + 1}
    if again:
        raise Violation(f"made more often than once more for the one kill: {again}")


def _check_once(calm: Seen, seen: Seen) -> None:
    """Steps that run at most once: never twice, and what was reported done was done."""
    if max(seen.effects.values(), default=0) > 1:
        raise Violation(f"ran twice: {seen.effects}")
    done = {name for name, _ in seen.effects}
    for said, calm_said in zip(seen.result, calm.result, strict=True):
        if said not in (calm_said, "interrupted") or (said == calm_said and said not in done):
            raise Violation(f"clients saw {seen.result!r}, done was {sorted(done)}")
    if list(seen.result).count("interrupted") > 1:
        raise Violation(f"one kill interrupted both: {seen.result!r}")


async def enumerate_points(
    cases: Iterable[Case] = CASES,
    points: Iterable[str] = POINTS,
    *,
    always_suspend: bool = False,
) -> Tally:
    """Run every (point, n) of every case.

    Args:
        always_suspend: no body is kept alive, every await ends in a replay.

    Returns:
        How many cases were run (calm ones included), faults injected, and violations found; each
        of them names case, point and n, which `replay` runs alone.
    """
    tally, points = Tally(), tuple(points)
    runtime = MemoryRuntime(services=[service], always_suspend=always_suspend)
    with _quiet():
        for case in cases:
            calm = await run(case, runtime)
            tally.cases += 1
            for point in points:
                for n in count(1):
                    assert n < _MANY, f"{point} fired for ever"
                    tally.cases += 1
                    try:
                        async with asyncio.timeout(_PATIENCE_S):
                            seen = await run(case, runtime, point, n)
                        check(case, calm, seen)
                    except Exception as error:
                        kind = type(error).__name__
                        what = f"{case.name}, {point}:{n}, suspend={always_suspend}"
                        tally.violations.append(f"{what}: {kind}: {error}")
                        seen = Seen(None, Counter(), fired=len(tally.violations) < _ENOUGH)
                    if not seen.fired:
                        break
                    tally.faults += 1
                    tally.fired[point] += 1
    return tally


async def replay(name: str, point: str, n: int, *, always_suspend: bool = False) -> None:
    """Run one (case, point, n) again. Raises what the enumeration found."""
    (case,) = (case for case in CASES if case.name == name)
    runtime = MemoryRuntime(services=[service], always_suspend=always_suspend)
    calm = await run(case, runtime)
    check(case, calm, await run(case, runtime, point, n))


@contextmanager
def _quiet() -> Iterator[None]:
    """Coordinators that are killed say so, hundreds of times."""
    loggers = [logging.getLogger(name) for name in ("perdure", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


__all__ = ["POINTS", "Tally", "Violation", "check", "enumerate_points", "replay", "run"]
