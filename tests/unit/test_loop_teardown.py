"""Tear-down: nothing is left to the garbage collector, and nobody is asked for ever."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from perdure_runtime.core.errors import NotDeterministicError
from perdure_runtime.loop import DeterministicLoop, Task
from tests.unit.loop_driving import Evicted, Run


def test_every_task_gets_the_signal_and_ends() -> None:
    seen: list[str] = []

    async def child(name: str) -> None:
        try:
            await asyncio.sleep(100)
        except Exception:
            seen.append("swallowed")
        except BaseException as error:
            seen.append(f"{name} {type(error).__name__}")
            raise

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child("a"))
            group.create_task(child("b"))
            await child("root")

    run = Run(body)
    run.slice()
    tasks = run.loop.live_tasks()
    assert run.evict() == []
    assert sorted(seen) == ["a Evicted", "b Evicted", "root Evicted"]
    assert all(task.done() for task in tasks)
    assert run.loop.is_closed()
    assert run.cancelled == []


def test_a_task_that_never_began_runs_no_line() -> None:
    seen: list[str] = []

    async def body() -> None:
        seen.append("ran")

    run = Run(body)
    assert run.evict() == []
    assert run.root.done()
    assert seen == []


def test_cleanup_may_await_and_the_signal_comes_again() -> None:
    seen: list[str] = []

    async def body() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            seen.append("cleaning")
            try:
                await asyncio.sleep(100)
            finally:
                seen.append("cleaned")

    run = Run(body)
    run.slice()
    assert run.evict() == []
    assert seen == ["cleaning", "cleaned"]


def test_tasks_that_swallow_the_signal_are_closed_by_force_and_named() -> None:
    async def stubborn(seconds: float) -> None:
        while True:
            try:
                await asyncio.sleep(seconds)
            except (Evicted, asyncio.CancelledError):
                continue

    async def body() -> None:
        await asyncio.gather(stubborn(0), stubborn(5), asyncio.sleep(3))

    run = Run(body)
    with pytest.raises(NotDeterministicError):  # one spins: the slice does not become quiescent
        run.slice()
    tasks = run.loop.live_tasks()
    assert run.evict() == ["Task-0.1", "Task-0.2"]
    assert all(task.done() for task in tasks)


def test_nothing_is_logged_or_left_to_the_garbage_collector(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Marker:
        pass

    markers: list[weakref.ref[Marker]] = []

    async def child(fails: bool) -> None:
        marker = Marker()
        markers.append(weakref.ref(marker))
        await asyncio.sleep(1)
        if fails:
            raise ValueError("nobody looks at this")
        await asyncio.sleep(100)

    async def body() -> None:
        asyncio.gather(child(True), child(False))
        asyncio.create_task(child(True))  # noqa: RUF006 - forgotten on purpose
        await asyncio.get_running_loop().create_future()

    run = Run(body)
    run.slice()
    while run.fire_next() and len(run.issued) < 4:
        run.slice()
    assert run.evict() == []
    unhandled = run.unhandled
    unhandled.clear()
    del run
    gc.collect()
    assert unhandled == []
    assert caplog.records == []
    assert [marker() for marker in markers] == [None, None, None]


def test_what_happens_on_a_closed_loop_goes_nowhere() -> None:
    futures: list[asyncio.Future[None]] = []

    async def body() -> None:
        futures.append(asyncio.get_running_loop().create_future())
        await asyncio.shield(futures[0])

    run = Run(body)
    run.slice()
    run.evict()
    futures[0].set_result(None)
    run.loop.call_later(1, print)
    assert run.loop.unissued_timers() == []
    with pytest.raises(RuntimeError, match="cannot run a slice"):
        run.loop.run_until_quiescent()
    with pytest.raises(RuntimeError, match="cannot tear down"):
        run.evict()


async def numbers(seen: list[str], name: str) -> AsyncIterator[int]:
    try:
        for n in range(100):
            yield n
            await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0)
        seen.append(f"{name} closed")


async def first_of(items: AsyncIterator[int]) -> int:
    async for item in items:
        return item
    raise AssertionError


def test_open_generators_are_closed_in_order_of_first_iteration() -> None:
    seen: list[str] = []

    async def body() -> None:
        held = [numbers(seen, name) for name in "abc"]
        for items in reversed(held):
            await first_of(items)
        await asyncio.sleep(100)

    for end in (Run.evict, Run.to_end):
        seen.clear()
        run = Run(body)
        run.slice()
        end(run)
        assert seen[-3:] in (
            ["c closed", "b closed", "a closed"],  # by us
            ["a closed", "b closed", "c closed"],  # dropped by the end of the body, in its order
        )
        assert len(seen) == 3


def test_a_dropped_generator_is_closed_soon_as_on_a_stock_loop() -> None:
    async def body() -> list[str]:
        seen: list[str] = []
        await first_of(numbers(seen, "a"))
        seen.append("body goes on")
        await asyncio.sleep(1)
        return seen

    assert Run(body).to_end().root.result() == ["body goes on", "a closed"]
    assert asyncio.run(body()) == ["body goes on", "a closed"]


def test_a_finalizer_has_its_own_lineage_and_may_issue_no_command() -> None:
    async def leaky(errors: list[str]) -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            task = asyncio.current_task()
            assert isinstance(task, Task)
            errors.append(task.node.lineage)
            try:
                await asyncio.create_task(asyncio.sleep(1))
            except NotDeterministicError as error:
                errors.append(str(error))

    async def body() -> Any:
        errors: list[str] = []
        await first_of(leaky(errors))
        await asyncio.sleep(1)
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        return errors, task.get_name()

    run = Run(body).to_end()
    (lineage, message), name = run.root.result()
    assert lineage == "f1"
    assert "contextlib.aclosing" in message
    assert name == "Task-0.1"
    assert run.issued == [("0:1", 1)]


def test_generators_dropped_between_slices_are_closed_in_the_next_one() -> None:
    seen: list[str] = []
    held: list[AsyncIterator[int]] = []

    async def body() -> None:
        held.append(numbers(seen, "a"))
        await first_of(held[0])
        await asyncio.sleep(1)

    run = Run(body)
    run.slice()
    held.clear()
    assert seen == []
    run.slice()
    assert seen == ["a closed"]
    run.evict()


def test_a_generator_dropped_after_the_end_is_closed_at_once() -> None:
    seen: list[str] = []
    held: list[AsyncIterator[int]] = []

    async def plain() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            seen.append("closed")

    async def body() -> None:
        held.append(plain())
        await first_of(held[0])

    run = Run(body)
    run.slice()
    run.loop.close()
    held.clear()
    assert seen == ["closed"]


def test_remaining_tasks_are_cancelled_as_by_asyncio_when_the_body_ends() -> None:
    seen: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            seen.append("cleaned up durably")
            raise

    async def body() -> str:
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        return task.get_name()

    run = Run(body)
    run.slice()
    assert run.root.result() == "Task-0.1"
    (remaining,) = run.loop.cancel_all_except(run.root)
    run.slice()
    assert not remaining.done()
    assert run.fire_next()
    run.slice()
    assert remaining.cancelled()
    assert seen == ["cleaned up durably"]


def test_a_failure_nobody_awaited_is_told_to_the_hook() -> None:
    async def fails() -> None:
        raise ValueError("lost")

    async def body() -> None:
        asyncio.create_task(fails())  # noqa: RUF006 - forgotten on purpose
        await asyncio.sleep(1)

    run = Run(body).to_end()
    run.loop.close()
    gc.collect()
    assert [str(context["exception"]) for context in run.unhandled] == ["lost"]


def test_the_loop_itself_is_collected() -> None:
    async def body() -> None:
        await asyncio.sleep(100)

    run = Run(body)
    run.slice()
    run.evict()
    loop: weakref.ref[DeterministicLoop] = weakref.ref(run.loop)
    del run
    gc.collect()
    assert loop() is None
