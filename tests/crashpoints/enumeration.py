"""Every (fail point, n) of a case: the n-th hit kills, until a run passes the point unhit.

Exhaustive, not random. In one process, over the testing kit: a coordinator that is killed at a
point decides, writes and answers nothing from there on, its worker lives and finds the next one; a
worker that is killed says and hears nothing from there on, its coordinator lives. What clients see
must be what they see of a calm run, each effect must have been made under the same keys, none more
often than somebody was killed, and journals must hold together.

Two kills in one run are too many to try them all: `draw_pairs` draws them. The second is counted
from the first on, so it hits who comes back, or the other side meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from random import Random
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

    def found(self, case: Case, error: Exception, *plan: Kill, always_suspend: bool) -> None:
        """A run was not as it must be; what `replay` needs is in the text."""
        what = f"{case.name}, {', '.join(map(str, plan))}, always_suspend={always_suspend}"
        self.violations.append(f"{what}: {type(error).__name__}: {error}")


Kill = tuple[str, int]  # at the n-th hit of a point


@dataclass(frozen=True, slots=True)
class Seen:
    """One run: what clients saw, which effects there were, how often somebody was killed, and how
    often each point was hit."""

    result: Any
    effects: Counter[tuple[str, str]]
    kills: int = 0
    hits: Counter[str] = field(default_factory=Counter)


class _Killer:
    """Kills as planned, one after the other."""

    def __init__(self, runtime: MemoryRuntime, plan: Sequence[Kill]) -> None:
        self._runtime = runtime
        self._plan = [*plan]
        self._since: Counter[str] = Counter()  # the last kill
        self.hits: Counter[str] = Counter()
        self.kills = 0
        self.armed = False

    def hit(self, name: str) -> None:
        """What places call."""
        if not self.armed:
            return
        self.hits[name] += 1
        self._since[name] += 1
        if self._plan and self._plan[0] == (name, self._since[name]):
            self._plan.pop(0)
            self._since.clear()
            self.kills += 1
            at_worker = name in WORKER_POINTS
            self._runtime.kill(coordinator=not at_worker, worker=at_worker)
            if not at_worker:
                raise CoordinatorUnavailableError(f"killed at {name}")


async def run(case: Case, runtime: MemoryRuntime, *plan: Kill) -> Seen:
    """Play a case once, with these kills; without any it is calm."""
    forget()
    killer = _Killer(runtime, plan)
    with observed(killer.hit):
        async with runtime.opened():
            killer.armed = True
            result = await case.play(runtime)
            killer.armed = False
            await runtime.settle()
            async for info in runtime.client.list():
                check_history([entry async for entry in runtime.client.get(info.id).history()])
    return Seen(result, Counter(witnessed()), killer.kills, killer.hits)


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
    most = seen.kills
    again = {each: times for each, times in effects.items() if times > calm_effects[each] + most}
    if again:
        raise Violation(f"made more often than once more for each of {most} kills: {again}")


def _check_once(calm: Seen, seen: Seen) -> None:
    """Steps that run at most once: never twice, and what was reported done was done."""
    if max(seen.effects.values(), default=0) > 1:
        raise Violation(f"ran twice: {seen.effects}")
    done = {name for name, _ in seen.effects}
    for said, calm_said in zip(seen.result, calm.result, strict=True):
        if said not in (calm_said, "interrupted") or (said == calm_said and said not in done):
            raise Violation(f"clients saw {seen.result!r}, done was {sorted(done)}")
    if list(seen.result).count("interrupted") > seen.kills:
        raise Violation(f"{seen.kills} kills interrupted more: {seen.result!r}")


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
                            seen = await run(case, runtime, (point, n))
                        check(case, calm, seen)
                    except Exception as error:
                        tally.found(case, error, (point, n), always_suspend=always_suspend)
                        seen = Seen(None, Counter(), len(tally.violations) < _ENOUGH)
                    if not seen.kills:
                        break
                    tally.faults += 1
                    tally.fired[point] += 1
    return tally


async def draw_pairs(case: Case, runs: int, draw: Random, *, always_suspend: bool = False) -> Tally:
    """Run a case with two kills, so many times, drawn among the points that it hits."""
    tally = Tally()
    runtime = MemoryRuntime(services=[service], always_suspend=always_suspend)
    with _quiet():
        calm = await run(case, runtime)
        points = [point for point in POINTS if calm.hits[point]]
        for _ in range(runs):
            drawn = draw.choices(points, k=2)
            plan = [(point, draw.randint(1, calm.hits[point])) for point in drawn]
            tally.cases += 1
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    seen = await run(case, runtime, *plan)
                check(case, calm, seen)
            except Exception as error:
                tally.found(case, error, *plan, always_suspend=always_suspend)
                if len(tally.violations) == _ENOUGH:
                    break
            else:
                tally.faults += seen.kills
                tally.fired[f"{seen.kills} kills"] += 1
    return tally


async def replay(name: str, *plan: Kill, always_suspend: bool = False) -> None:
    """Run one case with its kills again. Raises what was found."""
    (case,) = (case for case in CASES if case.name == name)
    runtime = MemoryRuntime(services=[service], always_suspend=always_suspend)
    calm = await run(case, runtime)
    check(case, calm, await run(case, runtime, *plan))


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


__all__ = [
    *("POINTS", "Kill", "Tally", "Violation"),
    *("check", "draw_pairs", "enumerate_points", "replay", "run"),
]
