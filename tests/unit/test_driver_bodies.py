"""Real bodies on a driver: what they see and how they end (semantics, sections 4 and 8)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
from typing import Any

from perdure_runtime.core.entries import (
    CallIssued,
    StepCompleted,
    Target,
    TimerStarted,
)
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.driver import Body
from perdure_runtime.testing.history import History, digest, payload
from tests.replay.world import OPTIONS, World
from tests.unit.driver_bodies import call, got, result_of, step


def test_steps_calls_timers_and_branches_in_one_body() -> None:
    async def body(b: Body) -> Any:
        async def part() -> Payload:
            return payload([await got(step(b, "inner")), await got(call(b, "deep"))])

        first = await got(step(b, "first"))
        both = await asyncio.gather(got(call(b, "x")), got(step(b, "y")))
        await asyncio.sleep(2)
        return [first, both, await got(b.branch("part", digest(1), part))]

    assert ["first", ["x", "y"], ["inner", "deep"]] == result_of(World(body))


def test_time_is_virtual_and_moves_with_entries_only() -> None:
    seen = []

    async def body(b: Body) -> Any:
        before, wall = b.now(), time.time()
        await asyncio.sleep(3600)
        seen.append(b.now() - before)
        return wall == before

    assert result_of(World(body))
    assert 3600 <= seen[0] < 3601


def test_a_timer_never_travels_shorter_than_asked() -> None:
    async def body(b: Body) -> None:
        await asyncio.gather(asyncio.sleep(0.1), asyncio.sleep(0.0001), asyncio.sleep(1e300))

    world = World(body)
    delays = [r.entry.delay_ms for r in world.entries if isinstance(r.entry, TimerStarted)]
    assert [100, 1, 1 << 53] == delays


def test_random_numbers_and_uuids_repeat_in_every_attempt() -> None:
    async def body(b: Body) -> Any:
        return [random.random(), b.random().random(), str(b.uuid4())]

    first = World(body)
    second = World(body, entries=History().attempt().attempt_failed().attempt().entries)
    assert result_of(first) == result_of(second)


def test_a_raised_exception_is_the_failure_of_the_attempt() -> None:
    async def body(b: Body) -> None:
        raise ValueError("no")

    assert Failure("ValueError", "no") == World(body).run().failure


def test_an_unencodable_result_fails_without_retry() -> None:
    async def body(b: Body) -> Any:
        return object()

    finish = World(body).run()
    assert finish.failure is not None
    assert FailureCode.SERIALIZATION is finish.failure.code
    assert not finish.failure.retryable


def test_system_exit_ends_the_attempt_not_the_worker() -> None:
    async def body(b: Body) -> None:
        raise SystemExit(3)

    finish = World(body).run()
    assert finish.failure is not None
    assert "SystemExit" == finish.failure.type_name


def test_a_busy_wait_fails_the_attempt() -> None:
    async def body(b: Body) -> None:
        while True:
            await asyncio.sleep(0)

    finish = World(body).run()
    assert finish.failure is not None
    assert "NotDeterministicError" == finish.failure.type_name


def test_a_busy_wait_that_catches_everything_fails_too() -> None:
    async def body(b: Body) -> None:
        while True:
            with contextlib.suppress(Exception):
                await asyncio.sleep(0)

    finish = World(body).run()
    assert finish.failure is not None
    assert "NotDeterministicError" == finish.failure.type_name


def test_remaining_tasks_are_cancelled_and_may_clean_up_durably() -> None:
    async def body(b: Body) -> str:
        async def background() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                await step(b, "cleanup")

        left = asyncio.ensure_future(background())
        await step(b, "work")
        assert not left.done()
        return "done"

    world = World(body)
    assert "done" == result_of(world)
    names = [r.entry.name for r in world.entries if isinstance(r.entry, StepCompleted)]
    assert ["work", "cleanup"] == names


def test_an_unawaited_call_is_reported_live_and_never_on_replay() -> None:
    warnings: list[str] = []
    options = dataclasses.replace(OPTIONS, warn=warnings.append)

    async def body(b: Body) -> str:
        call(b, "forgotten")
        await step(b, "work")
        return "done"

    world = World(body, options=options)
    assert "done" == result_of(world)
    assert 1 == len(warnings)
    assert "call 'tests/forgotten' (0:1)" in warnings[0]


def test_a_send_just_before_the_end_is_recorded() -> None:
    async def body(b: Body) -> str:
        return b.call(Target("tests", "audit"), payload(1), detached=True).child_id

    world = World(body)
    child_id = result_of(world)
    assert [child_id] == [
        r.entry.child_id for r in world.entries if isinstance(r.entry, CallIssued)
    ]


def test_a_crash_before_the_outcome_is_recorded_repeats_it() -> None:
    async def body(b: Body) -> Any:
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(got(call(b, "x"))), asyncio.ensure_future(got(call(b, "y")))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        return [task.result() for task in done]

    world = World(body)
    world.deliver()
    world.end_call("0:2")
    world.end_call("0:1")  # recorded, but the body has ended by then
    world.deliver()
    first = world.finish
    world.finish = None
    world.crash()
    again = world.run()
    assert first is not None
    assert (first.result, first.consumed) == (again.result, again.consumed)
