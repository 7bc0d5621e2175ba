"""Each asyncio primitive in a body: the outcome of stock asyncio, the same paths on replay."""

from __future__ import annotations

import asyncio
from asyncio import as_completed as imported_as_completed
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from perdure_runtime.loop import Task
from tests.unit.loop_driving import Run, result_of

Body = Callable[[], Coroutine[Any, Any, Any]]


async def after(seconds: float, value: Any) -> Any:
    await asyncio.sleep(seconds)
    if isinstance(value, BaseException):
        raise value
    return value


async def gather() -> Any:
    return await asyncio.gather(after(3, "a"), after(1, "b"), after(2, "c"))


async def gather_with_exceptions() -> Any:
    outcome = await asyncio.gather(after(2, "a"), after(1, KeyError("b")), return_exceptions=True)
    return [repr(item) for item in outcome]


async def task_group() -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(after(n, n)) for n in (2, 1)]
    return [task.result() for task in tasks]


async def task_group_fails() -> Any:
    seen = []

    async def sibling() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append("sibling cancelled")
            raise

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(sibling())
            group.create_task(after(1, ValueError("x")))
    except* ValueError as errors:
        seen.append(str(errors.exceptions[0]))
    return seen


async def wait_first() -> Any:
    tasks = [asyncio.create_task(after(n, n)) for n in (3, 1, 2)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return [task.result() for task in done], [tasks.index(task) for task in pending]


async def wait_timeout() -> Any:
    tasks = [asyncio.create_task(after(n, n)) for n in (1, 9)]
    done, pending = await asyncio.wait(tasks, timeout=4)
    return len(done), len(pending)


async def as_completed() -> Any:
    return [await item for item in asyncio.as_completed([after(3, 3), after(1, 1), after(2, 2)])]


async def as_completed_timeout() -> Any:
    seen = []
    try:
        items = asyncio.as_completed([after(3, 3), after(1, 1)], timeout=2)
        while True:
            seen.append(await next(items))
    except TimeoutError:
        seen.append("timeout")
    return seen


async def timeout() -> Any:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(2):
            await asyncio.sleep(5)
    except TimeoutError:
        return loop.time() - began


async def timeout_not_reached() -> Any:
    async with asyncio.timeout(5) as limit:
        await asyncio.sleep(1)
    return limit.expired()


async def wait_for() -> Any:
    try:
        await asyncio.wait_for(after(5, "late"), 1)
    except TimeoutError:
        return await asyncio.wait_for(after(1, "in time"), 5)


async def wait_for_nothing() -> Any:
    try:
        await asyncio.wait_for(after(5, "late"), 0)
    except TimeoutError:
        return "timeout"


async def shield() -> Any:
    inner = asyncio.create_task(after(2, "kept"))
    outer = asyncio.create_task(asyncio.wait_for(asyncio.shield(inner), 1))
    try:
        await outer
    except TimeoutError:
        return inner.done(), await inner


async def queue() -> Any:
    items: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    seen: list[int] = []

    async def produce() -> None:
        for n in range(4):
            await items.put(n)

    producer = asyncio.create_task(produce())
    for _ in range(4):
        seen.append(await items.get())
        items.task_done()
    await items.join()
    await producer
    return seen


async def event() -> Any:
    flag = asyncio.Event()
    asyncio.get_running_loop().call_later(3, flag.set)
    return await flag.wait()


async def lock() -> Any:
    mutex = asyncio.Lock()
    seen: list[str] = []

    async def user(name: str, seconds: float) -> None:
        async with mutex:
            seen.append(name)
            await asyncio.sleep(seconds)

    await asyncio.gather(user("a", 3), user("b", 1), user("c", 2))
    return seen


async def semaphore() -> Any:
    slots, seen = asyncio.Semaphore(2), []

    async def user(seconds: float) -> None:
        async with slots:
            await asyncio.sleep(seconds)
            seen.append(seconds)

    await asyncio.gather(user(3), user(1), user(2))
    return seen


async def condition() -> Any:
    ready, seen = asyncio.Condition(), []

    async def waiter(name: str) -> None:
        async with ready:
            await ready.wait()
            seen.append(name)

    tasks = [asyncio.create_task(waiter(name)) for name in "ab"]
    await asyncio.sleep(1)
    async with ready:
        ready.notify_all()
    await asyncio.gather(*tasks)
    return seen


async def barrier() -> Any:
    gate = asyncio.Barrier(3)
    return sorted(await asyncio.gather(gate.wait(), gate.wait(), gate.wait()))


async def callbacks_in_order() -> Any:
    loop = asyncio.get_running_loop()
    seen: list[str] = []
    loop.call_later(0, seen.append, "due now")
    loop.call_soon(seen.append, "soon")
    loop.call_soon(seen.append, "never").cancel()
    await asyncio.sleep(0)
    loop.call_later(2, seen.append, "later")
    loop.call_later(1, seen.append, "sooner")
    await asyncio.sleep(3)
    return seen


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        (["a", "b", "c"], gather),
        (["'a'", "KeyError('b')"], gather_with_exceptions),
        ([2, 1], task_group),
        (["sibling cancelled", "x"], task_group_fails),
        (([1], [0, 2]), wait_first),
        ((1, 1), wait_timeout),
        ([1, 2, 3], as_completed),
        ([1, "timeout"], as_completed_timeout),
        (2.0, timeout),
        (False, timeout_not_reached),
        ("in time", wait_for),
        ("timeout", wait_for_nothing),
        ((False, "kept"), shield),
        ([0, 1, 2, 3], queue),
        (True, event),
        (["a", "b", "c"], lock),
        ([1, 3, 2], semaphore),
        (["a", "b"], condition),
        ([0, 1, 2], barrier),
        (["soon", "due now", "sooner", "later"], callbacks_in_order),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_a_primitive_works_and_replays(expected: Any, body: Body) -> None:
    first = Run(body).to_end()
    again = Run(body).to_end()
    assert first.root.result() == expected
    assert again.root.result() == expected
    assert again.issued == first.issued
    assert first.unhandled == []


def test_wait_for_takes_no_lineage_so_that_journals_replay_on_every_python() -> None:
    async def body() -> str:
        await asyncio.wait_for(after(1, "x"), 5)
        task = asyncio.create_task(after(1, "x"))
        await task
        return task.get_name()

    run = Run(body).to_end()
    assert run.root.result() == "Task-0.1"
    assert run.issued == [("0:1", 5.0), ("0:2", 1), ("0.1:1", 1)]


def test_as_completed_names_tasks_in_argument_order_even_when_imported_by_name() -> None:
    async def body() -> list[str]:
        coroutines = [after(1, n) for n in range(20)]
        for item in imported_as_completed(coroutines):
            await item
        return [path for path, _ in run.issued]

    run = Run(body)
    assert run.to_end().root.result() == [f"0.{n}:1" for n in range(1, 21)]


def test_as_completed_is_an_async_iterator_on_every_python() -> None:
    async def body() -> list[Any]:
        slow, fast = asyncio.create_task(after(2, 2)), asyncio.create_task(after(1, 1))
        finished: Any = asyncio.as_completed([slow, fast])
        return [task is fast async for task in finished]

    assert result_of(body) == [True, False]


def test_wait_keeps_argument_order_also_for_bare_futures() -> None:
    async def body() -> list[list[int]]:
        futures: list[asyncio.Future[int]] = [asyncio.Future() for _ in range(50)]
        for n, future in enumerate(futures):
            if n % 2:
                future.set_result(n)
        done, pending = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        first = done.pop()
        return [[first.result()], [f.result() for f in done], [futures.index(f) for f in pending]]

    evens, odds = list(range(0, 50, 2)), list(range(1, 50, 2))
    assert result_of(body) == [odds[:1], odds[1:], evens]


def test_wait_refuses_what_stock_refuses() -> None:
    async def body() -> None:
        with pytest.raises(ValueError, match="empty"):
            await asyncio.wait([])
        coroutine = after(1, 1)
        with pytest.raises(TypeError):
            await asyncio.wait([coroutine])  # type: ignore[type-var] # the mistake under test
        coroutine.close()
        with pytest.raises(ValueError, match="return_when"):
            await asyncio.wait([asyncio.Future()], return_when="SOMETIMES")

    result_of(body)


async def test_outside_of_slices_the_stock_functions_run() -> None:
    Run(gather).to_end()
    done, pending = await asyncio.wait([asyncio.create_task(asyncio.sleep(0))])
    assert (type(done), type(pending)) == (set, set)
    assert await asyncio.wait_for(asyncio.sleep(0, "x"), 5) == "x"
    assert [await item for item in asyncio.as_completed([asyncio.sleep(0, 1)])] == [1]


def test_a_task_needs_a_coroutine() -> None:
    async def body() -> None:
        wrong: Any = 42
        with pytest.raises(TypeError, match="a coroutine was expected"):
            await asyncio.create_task(wrong)

    result_of(body)


def test_a_task_shows_the_users_coroutine() -> None:
    async def body() -> tuple[Any, list[str]]:
        task = asyncio.create_task(after(1, "x"))
        await asyncio.sleep(0)
        assert isinstance(task, Task)
        coroutine: Any = task.get_coro()
        return coroutine.__qualname__, [frame.f_code.co_name for frame in task.get_stack()]

    assert result_of(body) == ("after", ["after"])
