"""Steps, calls and branches of real bodies (semantics, sections 2, 3 and 5)."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from perdure_runtime.core.entries import (
    CommandReused,
)
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.driver import Body
from perdure_runtime.testing.history import digest, payload
from tests.replay.world import OPTIONS, World
from tests.unit.driver_bodies import call, got, result_of, step


def test_cancelling_a_task_abandons_what_it_awaits() -> None:
    async def body(b: Body) -> str:
        task = asyncio.ensure_future(got(step(b, "slow")))
        other = asyncio.ensure_future(got(call(b, "slow")))
        await asyncio.sleep(1)
        task.cancel()
        other.cancel()
        await asyncio.sleep(1)
        return "done"

    world = World(body)
    world.deliver()
    world.fire(min(world.timers))
    world.deliver()
    assert ["0:1"] == [path for output in world.outputs for path in output.abandon]
    assert ["0:2"] == world.cancelled_calls
    world.crash()
    assert {} == world.steps  # a replay does not start the cancelled step again
    assert "done" == result_of(world)


def test_the_recorded_result_of_a_cancelled_step_is_reused_in_attempt_2() -> None:
    async def body(b: Body) -> Any:
        try:
            async with asyncio.timeout(1):
                return await got(step(b, "slow"))
        except TimeoutError:
            if b.attempt == 1:
                await step(b, "wait")
            raise

    world = World(body)
    world.deliver()
    world.fire("0:1")
    world.deliver()
    world.end_step("0:2")
    world.deliver()
    world.end_step("0:3")
    world.deliver()
    assert world.finish is not None
    assert world.finish.failure is not None
    world.next_attempt(world.finish.failure)
    assert "slow" == result_of(world)
    assert 2 == len(world.started)
    assert any(isinstance(r.entry, CommandReused) for r in world.entries)


def test_a_cancelled_branch_cleans_up_before_its_future_is_done() -> None:
    order: list[str] = []

    async def body(b: Body) -> None:
        async def part() -> Payload:
            try:
                await call(b, "slow")
            finally:
                await step(b, "cleanup")
                order.append("cleaned")
            return payload(None)

        branch = b.branch("part", digest(1), part)
        await asyncio.sleep(0)
        branch.cancel()
        try:
            await branch
        except asyncio.CancelledError:
            order.append("cancelled")

    World(body).run()
    assert ["cleaned", "cancelled"] == order


def test_a_branch_that_is_cancelled_before_it_ran_is_cancelled() -> None:
    async def body(b: Body) -> bool:
        async def part() -> Payload:
            raise AssertionError("ran")

        branch = b.branch("part", digest(1), part)
        branch.cancel()
        await asyncio.wait([branch])
        return branch.cancelled()

    assert result_of(World(body))


def test_an_exception_that_leaves_a_branch_is_its_failure() -> None:
    async def body(b: Body) -> Any:
        async def part() -> Payload:
            raise ValueError("no")

        outcome = await b.branch("part", digest(1), part)
        assert isinstance(outcome, Failure)
        return outcome.message

    assert "no" == result_of(World(body))


def test_the_scope_inside_a_branch_is_its_key_in_its_children_too() -> None:
    async def body(b: Body) -> Any:
        async def inner() -> bytes:
            return b.scope

        async def part() -> Payload:
            scopes = {b.scope, await asyncio.ensure_future(inner()), branch.key}
            return payload(len(scopes))

        branch = b.branch("part", digest(1), part)
        assert b.scope == b.key_base
        return await got(branch)

    assert 1 == result_of(World(body))


def test_retries_of_a_step_go_through_the_journal() -> None:
    async def body(b: Body) -> Any:
        return await got(step(b, "flaky"))

    world = World(body, retries={"flaky": 2})
    assert "flaky" == result_of(world)
    assert 3 == len(world.started)


def test_max_concurrent_steps_bounds_what_runs() -> None:
    async def body(b: Body) -> int:
        return len(await asyncio.gather(*(step(b, "s", n) for n in range(7))))

    options = dataclasses.replace(OPTIONS, max_concurrent_steps=2)
    world = World(body, options=options)
    most = 0
    while world.finish is None:
        most = max(most, len(world.steps))
        assert world.turn()
    assert 2 == most
