"""One embedded file in several processes: the host is killed anywhere, stopped, or leaves."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import perdure
from perdure import durable
from perdure._compose import sharing as membership
from perdure.errors import DatabaseInUseError
from tests.integration.processes import PythonProcess, started_coordinator
from tests.integration.sharing import SharingProcess, check_orders, expected, sharing
from tests.integration.telling import say
from tests.integration.workers import arm, killed_at_the_end

ORDERS = 200
POINTS = {
    "after-receive": 30,
    "before-commit": 3,
    "in-commit": 5,
    "after-commit-before-ack": 4,
    "timer-fired": 20,
    "after-step-body": 7,
    "after-step-report": 5,
}

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("point", POINTS)
async def test_a_host_killed_under_load_loses_and_doubles_nothing(
    tmp_path: Path, point: str
) -> None:
    host = SharingProcess(tmp_path)
    guests = [SharingProcess(tmp_path) for _ in range(2)]
    async with killed_at_the_end(host, *guests):
        arm(host, point, POINTS[point], tmp_path / "fired")
        await host.start()
        await asyncio.gather(*(guest.start() for guest in guests))
        dead = host.pid
        answers = [guest.answer(f"start {ORDERS}", r"^done (\d+)") for guest in guests]
        done = await asyncio.gather(*answers)
        assert -signal.SIGKILL == await host.wait()
        assert (tmp_path / "fired").read_text().startswith(f"{point} ")
        assert {expected(ORDERS)} == {int(match[1]) for match in done}
        hosts = {await guest.host() for guest in guests}
        assert 1 == len(hosts)
        assert hosts < {guest.pid for guest in guests}
        for guest in guests:
            await guest.end()
    again = await check_orders(tmp_path, ORDERS, {dead})
    say(f"{point}: {again} bodies ran again")


async def test_the_file_outlives_one_host_after_another(tmp_path: Path) -> None:
    async with sharing(tmp_path, 4) as processes:
        last = processes[-1]
        working = asyncio.create_task(last.answer(f"start {ORDERS}", r"^done (\d+)"))
        killed: set[int] = set()
        while len(killed) < 2:
            host = await processes[0 if not killed else 1].host()
            victim = next(process for process in processes if process.pid == host)
            if victim is last:
                break
            killed.add(host)
            await victim.kill()
            processes.remove(victim)
        assert expected(ORDERS) == int((await working)[1])
        for process in processes:
            await process.end()
    await check_orders(tmp_path, ORDERS, killed)


async def test_a_host_that_leaves_in_peace_hands_over(tmp_path: Path) -> None:
    async with sharing(tmp_path, 2) as (host, guest):
        working = asyncio.create_task(guest.answer(f"start {ORDERS}", r"^done (\d+)"))
        assert host.pid == await host.host()
        await host.end()
        assert expected(ORDERS) == int((await working)[1])
        assert guest.pid == await guest.host()
        await guest.end()
    await check_orders(tmp_path, ORDERS, {host.pid})


async def test_a_stopped_host_is_named_and_nothing_is_taken_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "PATIENCE_S", 0.5)
    async with sharing(tmp_path, 1) as (host,):
        host.signal(signal.SIGSTOP)
        with pytest.raises(DatabaseInUseError, match=rf"process {host.pid}, which does not answer"):
            async with perdure.embedded(tmp_path / "perdure.db", services=[]):
                pass
        host.signal(signal.SIGCONT)
        async with perdure.embedded(tmp_path / "perdure.db", services=[]) as runtime:
            assert str(host.pid) == (await runtime.client.health())["host"]
        await host.end()


async def test_an_embedded_runtime_sends_one_to_the_server_that_has_the_file(
    tmp_path: Path,
) -> None:
    async with started_coordinator(tmp_path) as server:
        with pytest.raises(DatabaseInUseError) as error:
            async with perdure.embedded(tmp_path / "perdure.db", services=[]):
                pass
    assert f"process {server.pid}, a server at {server.endpoint}" in str(error.value)


async def test_a_server_is_told_which_process_has_the_file(tmp_path: Path) -> None:
    async with sharing(tmp_path, 1) as (host,):
        place = ("--db", str(tmp_path / "perdure.db"), "--port", "0")
        command = [sys.executable, "-m", "perdure", "server", *place]
        ended = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=30
        )
        assert 1 == ended.returncode
        assert f"in use by process {host.pid}" in ended.stderr
        await host.end()


async def test_two_runtimes_of_one_process_share_a_coordinator(tmp_path: Path) -> None:
    path = tmp_path / "perdure.db"
    async with perdure.embedded(path, services=[]) as one:
        async with perdure.embedded(path, services=[], ambient=False) as other:
            here = str(os.getpid())
            assert here == (await one.client.health())["host"]
            assert here == (await other.client.health())["host"]
        assert [] == [info async for info in one.client.list()]  # the last to leave closes it


CHILD_OF_A_HOST = """
import asyncio, os, sys, time, perdure

def child():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)[1]

async def main(path):
    async with perdure.embedded(path, services=[]) as runtime:
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.readline)  # until there is a guest
        if len(sys.argv) > 2:
            ended = {await asyncio.to_thread(child) for _ in range(int(sys.argv[2]))}
            print("children ended with", ended, flush=True)
        elif os.fork() == 0:
            try:
                runtime.client.list().__anext__().send(None)
            except BaseException as error:
                print(f"child {os.getpid()}: {error}", flush=True)
            time.sleep(60)  # it outlives its parent
        await asyncio.sleep(60)

asyncio.run(main(sys.argv[1]))
"""


class Forking(PythonProcess):
    """A host with a forked child."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", CHILD_OF_A_HOST, *self.arguments]


async def test_a_forked_child_may_not_use_the_runtime_and_does_not_keep_its_host_alive(
    tmp_path: Path,
) -> None:
    path = tmp_path / "perdure.db"
    host = Forking("", [str(path)], ready=re.compile(r"open"))
    await host.start()
    child, dead = 0, host.pid
    try:
        async with perdure.embedded(path, services=[]) as guest:
            assert str(dead) == (await guest.client.health())["host"]
            said = await host.answer("fork", r"child (\d+): (.*)")
            child = int(said[1])
            assert f"opened by process {dead} before it forked" in said[2]
            assert "open perdure.embedded(path) again in the child" in said[2]
            host.signal(signal.SIGKILL)
            while str(dead) == (await guest.client.health())["host"]:
                await asyncio.sleep(0)
            assert str(os.getpid()) == (await guest.client.health())["host"]
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
        await host.kill()


async def test_a_child_is_not_hurt_by_grpc_in_its_parent(tmp_path: Path) -> None:
    """gRPC's own fork handlers ended one child in six with SIGSEGV while a guest was busy."""
    host = Forking("", [str(tmp_path / "perdure.db"), "30"], ready=re.compile(r"open"))
    await host.start()
    try:
        async with perdure.embedded(tmp_path / "perdure.db", services=[]) as guest:
            asking = asyncio.create_task(keep_asking(guest.client))
            said = await host.answer("fork", r"children ended with (.*)")
            asking.cancel()
        assert "{0}" == said[1]
    finally:
        await host.kill()


async def keep_asking(client: perdure.client.client.Client) -> None:
    while True:
        await client.health()


async def test_who_is_alone_loads_no_grpc(tmp_path: Path) -> None:
    program = """
import asyncio, sys, perdure

@perdure.durable.function
async def one(ctx):
    return await ctx.run("one", lambda: 1)

async def main(path):
    async with perdure.embedded(path):
        print(await one())

asyncio.run(main(sys.argv[1]))
print("grpc" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "perdure.db")]
    ended = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=30
    )
    assert "1\nFalse\n" == ended.stdout, ended.stderr


async def test_finished_executions_are_kept_as_long_as_was_asked(tmp_path: Path) -> None:
    service = durable.service("kept")
    service.handler(echo)
    path = tmp_path / "perdure.db"
    for retention, left in ((0, ["a"]), (0.001, [])):
        async with perdure.embedded(
            path, services=[service], ambient=False, retention=retention
        ) as runtime:
            if retention == 0:
                handle = await runtime.client.start("kept", "echo", 1, id="a")
                assert await handle.result() == 1
            else:
                async with asyncio.timeout(20):
                    while [each async for each in runtime.client.list()]:
                        await asyncio.sleep(0.01)
            assert left == [each.id async for each in runtime.client.list()]
    with pytest.raises(perdure.errors.InvalidArgumentError, match="retention"):
        async with perdure.embedded(path, services=[], retention=-1):
            pass


def echo(payload: int) -> int:
    return payload
