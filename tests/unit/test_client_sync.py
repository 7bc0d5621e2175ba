"""The background loop of `perdure.sync`: values, errors, interrupts, and its end."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator

import pytest

from perdure import sync
from perdure.context.ambient import entered
from perdure.errors import NotDeterministicError


class Counter:
    """Something asynchronous."""

    def __init__(self) -> None:
        self.closed = False

    async def double(self, number: int) -> int:
        await asyncio.sleep(0)
        if number < 0:
            raise ValueError(f"{number} is negative")
        return number * 2

    async def count(self, up_to: int) -> AsyncIterator[int]:
        try:
            for number in range(up_to):
                yield number
        finally:
            self.closed = True


class SyncCounter(sync._Twin[Counter]):
    double = sync._blocking(Counter.double)
    count = sync._iterating(Counter.count)


def test_a_coroutine_is_run_and_its_value_given() -> None:
    assert 4 == SyncCounter(Counter()).double(2)


def test_errors_arrive_as_they_are() -> None:
    with pytest.raises(ValueError, match="-1 is negative"):
        SyncCounter(Counter()).double(-1)


def test_an_asynchronous_iterator_is_a_plain_one() -> None:
    assert [0, 1, 2] == list(SyncCounter(Counter()).count(3))


def test_leaving_an_iteration_early_closes_it() -> None:
    counter = Counter()
    iterator = SyncCounter(counter).count(3)
    assert 0 == next(iterator)
    iterator.close()  # type: ignore[attr-defined] # it is a generator, promised as an iterator
    assert counter.closed


def test_one_thread_serves_all() -> None:
    async def where() -> str:
        return threading.current_thread().name

    assert {"perdure-sync"} == {sync._wait(where()) for _ in range(3)}


def test_it_works_from_within_another_loop() -> None:
    async def main() -> int:
        return SyncCounter(Counter()).double(3)

    assert 6 == asyncio.run(main())


def test_blocking_inside_an_execution_is_refused() -> None:
    stand_in = object()
    with (
        entered(stand_in),  # type: ignore[arg-type] # only its presence counts
        pytest.raises(NotDeterministicError, match="in an execution, await instead"),
    ):
        SyncCounter(Counter()).double(1)


SCRIPT = """
import asyncio, os, signal, sys, threading
from perdure import sync

# A shell that runs this in the background has its children ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
ended = threading.Event()

async def wait_for_ever():
    try:
        threading.Timer(0, os.kill, (os.getpid(), signal.SIGINT)).start()
        await asyncio.Event().wait()
    finally:
        ended.set()

async def held_open():
    await asyncio.to_thread(int)
    try:
        yield 1
    finally:
        await asyncio.to_thread(print, "closed at exit")  # thread pools still work then

async def open_it(generator):
    return await anext(generator)

generator = held_open()
sync._wait(open_it(generator))
try:
    sync._wait(wait_for_ever())
except KeyboardInterrupt:
    print("interrupted", ended.wait(10))
"""


def test_ctrl_c_ends_the_wait_and_the_exit_closes_what_is_open() -> None:
    started = time.monotonic()
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=30
    )
    assert ["interrupted True", "closed at exit"] == finished.stdout.splitlines()
    assert "" == finished.stderr
    assert time.monotonic() - started < 30
