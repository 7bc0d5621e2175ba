"""Laws of replay, on random bodies with races, timeouts, cancels and crashes (semantics, 4)."""

from __future__ import annotations

import dataclasses
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure_runtime.core.entries import CancelRequested, Recorded, StepCompleted
from perdure_runtime.core.messages import Activate, Finish, Journal
from perdure_runtime.driver import Driver, DriverOptions
from perdure_runtime.testing.history import KEY, TARGET
from tests.replay.programs import PROGRAMS, Node, body_of
from tests.replay.world import OPTIONS, World

SEEDS = st.integers(0, 2**32)
LIMITS = st.sampled_from([None, 1, 2])
LAWS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome(finish: Finish) -> object:
    """What the execution ends with."""
    return (finish.result, finish.failure, finish.cancelled, finish.timed_out)


def replay(program: Node, entries: list[Recorded], options: DriverOptions) -> Finish | None:
    """Replay a journal without a world; nothing may start and nothing new be recorded."""
    activate = Activate(1, KEY, 1, 1, TARGET, "function", tuple(entries))
    driver = Driver(activate, body_of(program), options)
    output = driver.advance(10**6)
    driver.evict()
    return next((m for m in output.messages if isinstance(m, Finish)), None)


@LAWS
@given(PROGRAMS, SEEDS, LIMITS)
def test_full_journal_gives_the_same_outcome(program: Node, seed: int, limit: int | None) -> None:
    options = dataclasses.replace(OPTIONS, max_concurrent_steps=limit)
    world = World(body_of(program), seed=seed, options=options)
    finish = world.run()
    again = replay(program, world.entries, options)
    assert again is not None
    assert outcome(finish) == outcome(again)
    assert finish.writes == again.writes


@LAWS
@given(PROGRAMS, SEEDS, LIMITS)
def test_crash_at_every_journal_position(program: Node, seed: int, limit: int | None) -> None:
    options = dataclasses.replace(OPTIONS, max_concurrent_steps=limit)
    world = World(body_of(program), seed=seed, options=options)
    world.run()
    for length in range(2, len(world.entries) + 1):
        prefix = world.entries[:length]
        resumed = World(body_of(program), seed=seed + length, options=options, entries=prefix)
        finish = resumed.run()
        assert prefix == resumed.entries[:length]
        done = {r.entry.path for r in prefix if isinstance(r.entry, StepCompleted)}
        assert done.isdisjoint(resumed.started), "a recorded step ran again"
        again = replay(program, resumed.entries, options)
        assert again is not None
        assert outcome(finish) == outcome(again)


@LAWS
@given(PROGRAMS, SEEDS, LIMITS, st.floats(0.05, 0.5), st.booleans())
def test_crashes_reconnects_and_cancels_at_any_moment(
    program: Node, seed: int, limit: int | None, often: float, slow_wire: bool
) -> None:
    options = dataclasses.replace(OPTIONS, max_concurrent_steps=limit)
    chance = random.Random(seed)

    def disturb(world: World) -> None:
        drawn = chance.random()
        if drawn < often / 3:
            world.crash()
        elif drawn < often * 2 / 3:
            world.usurp(chance.randint(1, 10))
        elif drawn < often:
            world.reconnect()
        elif drawn < often + 0.05 and not _cancelled(world):
            world.cancel()

    world = World(
        body_of(program),
        seed=seed,
        options=options,
        slow_wire=slow_wire,
        retries={"a": 1, "bad-1": 2},
    )
    finish = world.run(disturb)
    assert not (finish.cancelled and not _cancelled(world))
    again = replay(program, world.entries, options)
    assert again is not None
    assert outcome(finish) == outcome(again)
    written = sum(len(getattr(recorded.entry, "writes", ())) for recorded in world.entries)
    assert written + len(finish.writes) == _writes_made(program, world)


@LAWS
@given(PROGRAMS, SEEDS)
def test_paging_changes_nothing(program: Node, seed: int) -> None:
    world = World(body_of(program), seed=seed)
    finish = world.run()
    activate = Activate(1, KEY, 1, 1, TARGET, "function", tuple(world.entries[:1]), True)
    driver = Driver(activate, body_of(program), OPTIONS)
    for recorded in world.entries[1:]:
        output = driver.advance()
        assert not output.messages
        assert not output.start
        driver.receive(_page(recorded, more=recorded is not world.entries[-1]))
    last = driver.advance().messages[-1]
    assert isinstance(last, Finish)
    assert outcome(finish) == outcome(last)


def _writes_made(program: Node, world: World) -> int:
    """How many state writes the body makes when it runs by this journal."""
    activate = Activate(1, KEY, 1, 1, TARGET, "function", tuple(world.entries))
    driver = Driver(activate, body_of(program), world.options)
    driver.advance(10**6)
    driver.evict()
    return driver._machine.writes.made


def _page(recorded: Recorded, more: bool) -> Journal:
    return Journal(1, (recorded,), more)


def _cancelled(world: World) -> bool:
    return any(isinstance(recorded.entry, CancelRequested) for recorded in world.entries)
