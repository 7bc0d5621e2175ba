"""Real I/O in a body raises, and says what to write instead."""

from __future__ import annotations

import asyncio
import datetime as clock
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from perdure_runtime.core.errors import NotDeterministicError
from perdure_runtime.loop import DeterministicLoop, find_time_calls
from tests.unit.loop_driving import Run, result_of


def loop() -> Any:
    return asyncio.get_running_loop()


DEEDS: dict[str, Callable[[], Any]] = {
    "to_thread": lambda: asyncio.to_thread(print),
    "run_in_executor": lambda: loop().run_in_executor(None, print),
    "open_connection": lambda: asyncio.open_connection("localhost", 1),
    "start_server": lambda: asyncio.start_server(print, "localhost", 0),
    "create_datagram_endpoint": lambda: loop().create_datagram_endpoint(print),
    "create_subprocess_exec": lambda: asyncio.create_subprocess_exec("true"),
    "create_subprocess_shell": lambda: asyncio.create_subprocess_shell("true"),
    "getaddrinfo": lambda: loop().getaddrinfo("localhost", 1),
    "sock_recv": lambda: loop().sock_recv(None, 1),
    "add_reader": lambda: loop().add_reader(0, print),
    "add_signal_handler": lambda: loop().add_signal_handler(signal.SIGTERM, print),
    "run_until_complete": lambda: loop().run_until_complete(None),
    "socket.connect": lambda: socket.create_connection(("127.0.0.1", 1)),
    "name look-up": lambda: socket.getaddrinfo("localhost", 1),
    "Popen": lambda: subprocess.Popen([sys.executable, "-V"]),
    "os.system": lambda: os.system("true"),
    "os.fork": lambda: os.fork(),
    "thread": lambda: threading.Thread(target=print).start(),
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_a_deed_that_a_replay_cannot_repeat_raises_with_advice(deed: Callable[[], Any]) -> None:
    async def body() -> None:
        await deed()

    with pytest.raises(NotDeterministicError, match=r"durable\.step|slices|signals"):
        result_of(body)


def test_files_may_be_read_for_imports_need_it() -> None:
    async def body() -> bool:
        with open(__file__) as source:
            return bool(source.read())

    assert result_of(body)


def test_outside_of_slices_nothing_is_forbidden() -> None:
    DeterministicLoop(seed=b"", now=0)
    assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def test_another_thread_may_not_wake_a_body() -> None:
    run = Run(lambda: asyncio.sleep(1))
    with pytest.raises(NotDeterministicError, match="another thread"):
        run.loop.call_soon_threadsafe(print)
    run.to_end()


def test_call_soon_threadsafe_works_inside_the_slice() -> None:
    async def body() -> list[str]:
        seen: list[str] = []
        loop().call_soon_threadsafe(seen.append, "ran")
        await asyncio.sleep(0)
        return seen

    assert result_of(body) == ["ran"]


def test_the_bodys_own_exception_handler_is_asked_first() -> None:
    async def body() -> list[str]:
        seen: list[str] = []
        loop().set_exception_handler(lambda _, context: seen.append(str(context["exception"])))
        assert loop().get_exception_handler() is not None
        loop().call_soon(lambda: [].pop())
        await asyncio.sleep(0)
        return seen

    run = Run(body).to_end()
    assert run.root.result() == ["pop from empty list"]
    assert run.unhandled == []


# The bodies below are only read, never run.


async def names_clocks(ctx: Any) -> Any:
    began = clock.datetime.now(clock.UTC)
    today = date.today()  # noqa: DTZ011 - the mistake under test

    def inner() -> Any:
        from datetime import datetime as alias

        return [alias.utcnow() for _ in range(2)]  # noqa: DTZ003 - the mistake under test

    return began, today, inner


async def names_none(ctx: Any) -> Any:
    class Other:
        def now(self) -> int:
            return 1

    return Other().now(), clock.datetime.fromtimestamp(ctx.now(), clock.UTC), clock.timedelta(1)


def test_wall_clocks_named_in_a_body_are_found_with_file_and_line() -> None:
    first = names_clocks.__code__.co_firstlineno
    assert find_time_calls(names_clocks) == [
        ("datetime.now", __file__, first + 1),
        ("date.today", __file__, first + 2),
        ("datetime.utcnow", __file__, first + 7),
    ]
    assert find_time_calls(names_none) == []
    assert find_time_calls(print) == []
