"""Replay, mismatch and tear-down of real bodies (semantics, section 4)."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from perdure_runtime.driver import Body, Driver, TornDown
from perdure_runtime.testing.history import History, digest, payload, value_of
from tests.replay.world import OPTIONS, World
from tests.unit.driver_bodies import call, result_of, step


def test_a_mismatch_names_the_line_and_writes_nothing() -> None:
    async def body(b: Body) -> None:
        await b.step("other", digest(None), None)

    history = History().attempt().step("0:1", "fetch", result=payload(1))
    world = World(body, entries=history.entries)
    assert world.blocked is not None
    assert "recorded:  step 'fetch'" in world.blocked
    assert f"{__file__}:" in world.blocked
    assert [] == world.started
    assert history.entries == world.entries
    assert world.driver.blocked


def test_a_mismatch_of_a_non_deterministic_body_fails_the_attempt() -> None:
    async def body(b: Body) -> None:
        b.state_set("a", payload(1))
        await step(b, "other")

    history = History().attempt().step("0:1", "fetch", result=payload(1))
    options = dataclasses.replace(OPTIONS, deterministic=False)
    world = World(body, entries=history.entries, options=options)
    assert world.finish is not None
    assert world.finish.failure is not None
    assert "JournalMismatchError" == world.finish.failure.type_name
    assert world.finish.failure.retryable
    assert () == world.finish.writes


def test_is_replaying_until_the_last_recorded_entry() -> None:
    seen = []

    async def body(b: Body) -> None:
        for name in ("a", "b", "c"):
            seen.append(b.is_replaying)
            await step(b, name)

    history = History().attempt().step("0:1", "a", result=payload(1))
    World(body, entries=history.entries)
    assert [True, False] == seen


def test_eviction_unwinds_all_tasks_and_records_nothing() -> None:
    seen: list[str] = []

    async def body(b: Body) -> None:
        async def child() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                seen.append("child")

        task = asyncio.ensure_future(child())
        try:
            assert not task.done()
            await call(b, "slow")
        except Exception:
            seen.append("caught")
        finally:
            try:
                step(b, "cleanup")
            except TornDown:
                seen.append("refused")
                raise

    world = World(body)
    driver = world.driver
    driver.evict()
    driver.evict()
    assert ["child", "refused"] == sorted(seen)
    output = driver.advance()
    assert ([], [], []) == (output.messages, output.start, output.abandon)
    driver.step_finished("0:9", payload(1))
    assert driver.closed


def test_the_context_is_refused_outside_of_its_body() -> None:
    async def body(b: Body) -> None:
        await call(b, "slow")

    world = World(body)
    assert world.driver.body is not None
    with pytest.raises(Exception, match="outside of its body"):
        world.driver.body.step("x", b"", None)


def test_an_async_generators_finalizer_may_issue_no_command() -> None:
    errors: list[str] = []

    async def body(b: Body) -> str:
        async def numbers() -> Any:
            try:
                yield 1
                yield 2
            finally:
                try:
                    b.state_set("a", payload(1))
                except Exception as error:
                    errors.append(str(error))
                await step(b, "cleanup")

        async for _ in numbers():
            break
        await asyncio.sleep(1)
        return "done"

    world = World(body)
    assert "done" == result_of(world)
    assert "may not write state" in errors[0]
    assert [] == world.started


def test_attempt_2_reuses_what_succeeded_and_keeps_the_state() -> None:
    async def body(b: Body) -> Any:
        count = b.state_get("count")
        tries = 1 + (value_of(count) if count else 0)
        b.state_set("count", payload(tries))
        await step(b, "transform")
        await call(b, "load")
        if tries < 3:
            raise ValueError("again")
        return tries

    world = World(body)
    for _ in range(2):
        failed = world.run().failure
        assert failed is not None
        world.next_attempt(failed)
        # The last writes of an attempt are in its end; this world has recorded them with commands.
    assert 3 == result_of(world)
    assert ["0:1"] == world.started


def test_the_first_advance_may_deliver_in_portions() -> None:
    async def body(b: Body) -> int:
        for _ in range(10):
            await step(b, "s")
        return 10

    history = History().attempt()
    for ordinal in range(1, 11):
        history.step(f"0:{ordinal}", "s", occurrence=ordinal, result=payload(1))
    driver = Driver(history.activate(), body, OPTIONS)
    portions = 0
    output = driver.advance(max_deliveries=3)
    while output.more:
        assert not output.messages
        portions += 1
        output = driver.advance(max_deliveries=3)
    assert 3 == portions
    assert driver.ended


def test_cached_says_where_the_worker_is() -> None:
    async def body(b: Body) -> None:
        await asyncio.gather(step(b, "s"), call(b, "c"))

    world = World(body)
    world.deliver()
    cached = world.driver.cached()
    assert (1, 2, 1) == (cached.attempt, cached.last_index, cached.acknowledged)
