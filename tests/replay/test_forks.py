"""Laws of forks, on random bodies: a copy replays, and repeats nothing that it copied (8)."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from perdure_runtime.core.entries import (
    CallCompleted,
    CallIssued,
    CancelRequested,
    ExecutionCreated,
    Recorded,
    StepCompleted,
)
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.requests import fork
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.testing.history import KEY, TARGET, failure
from tests.replay.programs import PROGRAMS, Node, body_of
from tests.replay.test_random_programs import LAWS, SEEDS
from tests.replay.world import World

FORK = ExecutionKey("default", "fork-1")


def forked(entries: list[Recorded], at: str) -> list[Recorded]:
    row = ExecutionRow(KEY, 0, TARGET, Status.RUNNING, 1)
    return fork(row, entries, at, FORK, entries[-1].time_ms)[1]


def paths(entries: list[Recorded]) -> set[str]:
    return {path for r in entries if (path := getattr(r.entry, "path", None)) is not None}


def steps(entries: list[Recorded]) -> set[str]:
    return {r.entry.path for r in entries if isinstance(r.entry, StepCompleted)}


@LAWS
@given(PROGRAMS, SEEDS)
def test_a_fork_at_any_command_runs_to_its_end_and_repeats_nothing(
    program: Node, seed: int
) -> None:
    world = World(body_of(program), seed=seed, retries={"a": 1})
    world.run()
    for number, at in enumerate(sorted(paths(world.entries))):
        copied = forked(world.entries, at)
        fork_of = World(body_of(program), seed=seed + number, entries=copied, retries={"a": 1})
        fork_of.run()
        assert copied == fork_of.entries[: len(copied)]
        assert at not in steps(copied), "the command that it was forked at is issued anew"
        assert steps(copied).isdisjoint(fork_of.started), "a copied step ran again"
        open_calls = _open_calls(copied)
        assert not open_calls, "a call without its completion is issued anew, with a new child"


@LAWS
@given(PROGRAMS, SEEDS)
def test_a_fork_of_a_later_attempt_keeps_what_that_one_had_taken_over(
    program: Node, seed: int
) -> None:
    world = World(body_of(program), seed=seed)
    world.run()
    world.calls.clear()  # a next attempt starts when the calls before it are terminal
    world.next_attempt(failure())
    world.run()
    for number, at in enumerate(sorted(paths(world.entries))):
        copied = forked(world.entries, at)
        fork_of = World(body_of(program), seed=seed + number, entries=copied)
        fork_of.run()
        again = forked(fork_of.entries, at) if at in paths(fork_of.entries) else []
        if again:
            World(body_of(program), seed=seed, entries=again).run()


def _open_calls(entries: list[Recorded]) -> set[str]:
    issued: set[Any] = {
        r.entry.path for r in entries if isinstance(r.entry, CallIssued) and not r.entry.detached
    }
    return issued - {r.entry.path for r in entries if isinstance(r.entry, CallCompleted)}


@LAWS
@given(PROGRAMS, SEEDS)
def test_a_fork_is_a_run_with_a_key_base_of_its_own(program: Node, seed: int) -> None:
    world = World(body_of(program), seed=seed)
    world.run()
    for at in paths(world.entries):
        created = forked(world.entries, at)[0].entry
        source = world.entries[0].entry
        assert isinstance(created, ExecutionCreated)
        assert isinstance(source, ExecutionCreated)
        assert (source.run + 1, source.key_base) == (created.run, created.seed)
        assert created.key_base != source.key_base
        assert not any(isinstance(r.entry, CancelRequested) for r in world.entries)
