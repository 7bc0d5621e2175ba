"""Command identity: lineage of tasks, owners of callbacks, scopes, stable hashes."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
from typing import Any

import pytest

from perdure_runtime.core.errors import NotDeterministicError
from perdure_runtime.loop import DeterministicLoop
from tests.unit.loop_driving import SEED, START, Run, result_of


def running() -> DeterministicLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, DeterministicLoop)
    return loop


async def path() -> str:
    return running().next_path()


def test_the_nth_child_of_a_task_extends_its_lineage() -> None:
    async def parent() -> list[str]:
        return [await asyncio.create_task(path()), await asyncio.create_task(path())]

    async def body() -> Any:
        return [await path(), await path(), *await asyncio.gather(parent(), parent())]

    assert result_of(body) == ["0:1", "0:2", ["0.1.1:1", "0.1.2:1"], ["0.2.1:1", "0.2.2:1"]]


def test_callbacks_belong_to_who_scheduled_them() -> None:
    async def child(seen: list[str]) -> None:
        loop = running()
        loop.call_soon(lambda: seen.append(loop.owner.lineage))
        loop.call_later(1, lambda: seen.append(loop.owner.lineage))
        future = loop.create_future()
        future.add_done_callback(lambda _: seen.append(loop.owner.lineage))
        loop.call_later(2, future.set_result, None)

    async def body() -> list[str]:
        seen: list[str] = []
        await asyncio.create_task(child(seen))
        await asyncio.sleep(5)
        return seen

    assert result_of(body) == ["0.1", "0.1", "0.1"]


def test_tasks_that_share_a_context_keep_their_own_lineage() -> None:
    async def body() -> list[str]:
        shared = contextvars.copy_context()
        tasks = [asyncio.create_task(path(), context=shared) for _ in range(2)]
        return [*await asyncio.gather(*tasks), await path()]

    assert result_of(body) == ["0.1:1", "0.2:1", "0:1"]


def test_a_scope_is_inherited_by_the_tasks_made_after_it_was_set() -> None:
    async def scope() -> Any:
        await asyncio.sleep(1)
        return running().owner.scope

    async def branch() -> Any:
        running().owner.scope = "branch"
        return await asyncio.create_task(scope())

    async def body() -> Any:
        return await asyncio.gather(scope(), branch())

    assert result_of(body) == [None, "branch"]


def test_the_driver_has_the_root_as_owner_also_inside_a_context_of_another_execution() -> None:
    async def body() -> tuple[str, bool]:
        other = DeterministicLoop(seed=b"other", now=START)
        return other.owner.lineage, other.owner is other.root_node

    async def child() -> Any:
        return await asyncio.create_task(body())

    assert result_of(child) == ("0", True)


def test_there_is_one_root() -> None:
    run = Run(path).to_end()
    again = path()
    with pytest.raises(RuntimeError, match="one root"):
        run.loop.create_root(again)
    again.close()


def test_no_task_factory() -> None:
    async def body() -> None:
        with pytest.raises(NotDeterministicError, match="lineage"):
            running().set_task_factory(lambda loop, coroutine: None)

    result_of(body)


HASHES = f"""
import asyncio
from perdure_runtime.loop import DeterministicLoop

async def nothing():
    pass

async def body():
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(nothing()) for _ in range(40)]
    futures = [loop.create_future() for _ in range(40)]
    gathered = [asyncio.gather(task) for task in tasks[:20]]
    names = {{item: n for n, item in enumerate([*tasks, *futures, *gathered])}}
    print([names[item] for item in set(names)])
    await asyncio.gather(*gathered)

loop = DeterministicLoop(seed={SEED!r}, now={START})
loop.create_root(body())
loop.run_until_quiescent()
"""


def test_sets_of_tasks_and_futures_iterate_alike_in_processes_of_different_hash_seeds() -> None:
    orders = set()
    for hash_seed in ("1", "2", "random"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", HASHES],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        orders.add(done.stdout)
    assert len(orders) == 1
    assert str(list(range(100))) not in orders


def test_the_hash_depends_on_the_execution() -> None:
    async def body() -> None:
        pass

    one, two = Run(body, seed=b"one").to_end(), Run(body, seed=b"two").to_end()
    assert hash(one.root) != hash(two.root)
    assert hash(one.root) == hash(Run(body, seed=b"one").to_end().root)
