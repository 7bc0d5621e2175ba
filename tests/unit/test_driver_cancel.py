"""Cancels and timeouts reach bodies as asyncio would (semantics, section 8)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from perdure_runtime.core.entries import (
    AttemptTimedOut,
    CallIssued,
    StepCompleted,
)
from perdure_runtime.driver import Body
from perdure_runtime.testing.history import payload
from tests.replay.world import World
from tests.unit.driver_bodies import call, step


def test_a_cancel_reaches_the_current_await() -> None:
    seen: list[Any] = []

    async def body(b: Body) -> None:
        try:
            await call(b, "slow")
        except asyncio.CancelledError:
            seen.append((b.cancelled, b.cancel_reason))
            raise

    world = World(body)
    world.cancel("enough")
    world.deliver()
    assert [(True, "enough")] == seen
    assert world.finish is not None
    assert world.finish.cancelled
    assert world.finish.result is None


def test_a_swallowed_cancel_is_delivered_again_at_the_next_await() -> None:
    swallowed = []

    async def body(b: Body) -> str:
        for _ in range(3):
            try:
                await call(b, "slow")
            except asyncio.CancelledError:
                swallowed.append(1)
        return "ignored it"

    world = World(body)
    world.cancel()
    world.deliver()
    assert 3 == len(swallowed)
    assert world.finish is not None
    assert world.finish.cancelled  # an outcome made after the cancel was consumed


def test_a_body_that_swallows_every_cancel_does_not_hang_the_worker() -> None:
    async def body(b: Body) -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)

    world = World(body)
    world.cancel()
    world.deliver()
    assert world.finish is None
    world.driver.evict()


@pytest.mark.parametrize(
    "shape", ["finally", "except", "nested", "context", "gathered", "group", "generator"]
)
def test_cleanup_may_use_the_context_after_a_cancel(shape: str) -> None:
    async def cleanup(b: Body) -> None:
        await step(b, "cleanup-1")
        await asyncio.sleep(1)
        await call(b, "cleanup-2")

    async def stream(b: Body) -> Any:
        try:
            yield await step(b, "slow")
        finally:
            await cleanup(b)

    async def body(b: Body) -> None:
        match shape:
            case "finally":
                try:
                    await call(b, "slow")
                finally:
                    await cleanup(b)
            case "except":
                try:
                    await call(b, "slow")
                except asyncio.CancelledError:
                    await cleanup(b)
            case "nested":
                try:
                    try:
                        await call(b, "slow")
                    finally:
                        raise ValueError("from cleanup")
                except ValueError:
                    await cleanup(b)
            case "context":
                try:
                    await asyncio.gather(call(b, "slow"), asyncio.sleep(1000))
                finally:
                    await asyncio.gather(cleanup(b), asyncio.sleep(1))
            case "gathered":

                async def part() -> None:
                    try:
                        await call(b, "slow")
                    finally:
                        await cleanup(b)

                await asyncio.gather(part(), part())
            case "group":

                async def child() -> None:
                    try:
                        await call(b, "slow")
                    finally:
                        await cleanup(b)

                async with asyncio.TaskGroup() as group:
                    group.create_task(child())
            case _:
                async for _ in stream(b):
                    pass

    def recorded(world: World) -> list[str]:
        return [
            getattr(r.entry, "name", "") or "call"
            for r in world.entries
            if isinstance(r.entry, StepCompleted)
        ]

    world = World(body)
    world.cancel()
    world.deliver()
    finish = world.run()
    assert finish.cancelled
    assert "cleanup-1" in recorded(world)
    assert any(
        isinstance(r.entry, CallIssued) and r.entry.target.method == "cleanup-2"
        for r in world.entries
    )


def test_an_outcome_made_before_the_cancel_wins() -> None:
    async def body(b: Body) -> str:
        await call(b, "x")
        return "made it"

    world = World(body)
    world.deliver()
    world.end_call("0:1")
    world.cancel()
    world.deliver()
    assert world.finish is not None
    assert not world.finish.cancelled
    assert payload("made it") == world.finish.result


def test_the_attempts_timeout_is_delivered_like_a_cancel() -> None:
    async def body(b: Body) -> None:
        await call(b, "slow")

    world = World(body)
    world.news(AttemptTimedOut(1))
    world.deliver()
    assert world.finish is not None
    assert (True, False) == (world.finish.timed_out, world.finish.cancelled)


def test_a_body_that_cancels_itself_fails_and_is_not_retried() -> None:
    async def body(b: Body) -> None:
        raise asyncio.CancelledError

    finish = World(body).run()
    assert finish.failure is not None
    assert not finish.cancelled
    assert not finish.failure.retryable
