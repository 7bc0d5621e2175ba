"""Slices: nested in real loops and tasks, on any thread, ended by quiescence or a busy wait."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from perdure_runtime.core.errors import NotDeterministicError
from perdure_runtime.core.limits import MAX_LOOP_TURNS
from perdure_runtime.loop import DeterministicLoop
from tests.unit.loop_driving import START, Run, result_of


async def ticking() -> float:
    async with asyncio.TaskGroup() as group:
        for n in range(3):
            group.create_task(asyncio.sleep(n))
    return time.time() - START


async def nested_in_a_task() -> None:
    """Run slices inside a running task of a real loop, and see that nothing leaks out."""
    loop, task, hooks = asyncio.get_running_loop(), asyncio.current_task(), sys.get_asyncgen_hooks()
    run = Run(ticking)
    for _ in range(2):
        run.slice()
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        assert sys.get_asyncgen_hooks() == hooks
        assert time.time() > START + 1e6
        run.fire_next()
        await asyncio.sleep(0)
    assert run.to_end().root.result() == 2
    finished = loop.create_future()

    def in_a_callback() -> None:
        finished.set_result(Run(ticking).to_end().root.result())

    loop.call_soon(in_a_callback)
    assert await finished == 2
    async with asyncio.timeout(5):
        await asyncio.sleep(0.001)


def run_on_asyncio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def run_on_uvloop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("run_real", [run_on_asyncio, run_on_uvloop])
def test_slices_run_inside_a_running_loop(run_real: Callable[..., None]) -> None:
    run_real(nested_in_a_task)


@pytest.mark.parametrize("run_real", [run_on_asyncio, run_on_uvloop])
def test_an_execution_begun_inside_a_slice_of_another_is_its_own(
    run_real: Callable[..., None],
) -> None:
    async def outer() -> tuple[float, Any]:
        await asyncio.sleep(7)
        inner = Run(ticking).to_end().root.result()
        return time.time() - START, inner

    async def main() -> None:
        assert result_of(outer) == (7, 2)

    run_real(main)


def test_slices_of_one_loop_may_run_on_changing_threads() -> None:
    run = Run(ticking)
    while not run.root.done():
        thread = threading.Thread(target=run.slice)
        thread.start()
        thread.join()
        run.fire_next()
    assert run.root.result() == 2


def test_a_slice_cannot_be_run_inside_itself() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, DeterministicLoop)
        with pytest.raises(RuntimeError, match="cannot run a slice"):
            loop.run_until_quiescent()

    result_of(body)


@pytest.mark.parametrize("signal", [SystemExit, KeyboardInterrupt])
def test_exits_leave_the_slice_and_restore_the_thread(signal: type[BaseException]) -> None:
    async def body() -> None:
        raise signal

    run = Run(body)
    with pytest.raises(signal):
        run.slice()
    assert not run.loop.is_running()
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert isinstance(run.root.exception(), signal)


def test_an_error_in_a_callback_goes_to_the_hook_and_the_body_goes_on() -> None:
    async def body() -> str:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)
        return "done"

    run = Run(body).to_end()
    assert run.root.result() == "done"
    assert [type(context["exception"]) for context in run.unhandled] == [ZeroDivisionError]


async def spin() -> None:
    while True:
        await asyncio.sleep(0)


def test_a_busy_wait_fails_the_root_task() -> None:
    run = Run(spin)
    run.slice()
    with pytest.raises(NotDeterministicError, match="busy wait"):
        run.root.result()


def test_a_busy_wait_of_a_child_fails_the_root_task() -> None:
    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(spin())

    run = Run(body)
    run.slice()
    assert isinstance(run.root.exception(), NotDeterministicError)
    assert run.loop.live_tasks() == []


def test_a_busy_wait_that_swallows_the_error_ends_the_slice_all_the_same() -> None:
    async def body() -> None:
        while True:
            try:
                await asyncio.sleep(0)
            except NotDeterministicError:
                continue

    run = Run(body)
    with pytest.raises(NotDeterministicError, match="busy wait"):
        run.slice()
    assert run.evict() == []


def test_progress_starts_the_count_of_turns_anew_within_a_slice() -> None:
    async def body() -> str:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, DeterministicLoop)
        for n in range(2 * MAX_LOOP_TURNS):
            if n % 1000 == 0:
                loop.note_progress()
            await asyncio.sleep(0)
        return "done"

    assert result_of(body) == "done"


def test_a_future_resolved_between_slices_wakes_the_body_in_the_next_one() -> None:
    futures: list[asyncio.Future[str]] = []

    async def body() -> str:
        futures.append(asyncio.get_running_loop().create_future())
        return await futures[0]

    run = Run(body)
    run.slice()
    futures[0].set_result("delivered")
    run.slice()
    assert run.root.result() == "delivered"


def test_timers_the_driver_took_fire_by_its_word_only() -> None:
    async def body() -> list[str]:
        seen: list[str] = []
        loop = asyncio.get_running_loop()
        loop.call_later(1, seen.append, "first")
        loop.call_later(2, seen.append, "second")
        await asyncio.sleep(3)
        return seen

    run = Run(body)
    run.slice()
    first, second, sleep = run.pending
    assert [timer.path for timer in run.pending] == ["0:1", "0:2", "0:3"]
    for timer in (second, first, sleep):  # the recorded order wins over the due times
        run.loop.advance_to(START + 10)
        timer.fire()
        timer.fire()
        run.slice()
    assert run.root.result() == ["second", "first"]


def test_a_timer_cancelled_in_its_slice_is_never_issued_and_later_ones_are_reported() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1, print).cancel()
        timer = loop.call_later(2, print)
        await asyncio.sleep(1)
        timer.cancel()
        timer.cancel()
        loop.call_later(float("inf"), print)
        with pytest.raises(ValueError, match="NaN"):
            loop.call_later(float("nan"), print)

    run = Run(body).to_end()
    assert run.issued == [("0:2", 2), ("0:3", 1)]
    assert run.cancelled == ["0:2"]


def test_virtual_time_never_goes_back() -> None:
    loop = DeterministicLoop(seed=b"x", now=10.0)
    loop.advance_to(5.0)
    assert loop.time() == 10.0
    loop.advance_to(11.0)
    assert loop.time() == loop.now == 11.0
