"""Virtual time and randomness in slices; the real ones everywhere else."""

from __future__ import annotations

import asyncio
import os
import pickle
import random
import secrets
import threading
import time
import uuid
from typing import Any

import pytest

from perdure_runtime.core.errors import NotDeterministicError
from perdure_runtime.loop import DeterministicLoop, outside_of_slice, real_monotonic, real_time
from tests.unit.loop_driving import SEED, START, Run, result_of


def draws() -> list[Any]:
    """Everything that differs from one real process to the next."""
    deck = list(range(10))
    random.shuffle(deck)
    return [
        time.time(),
        time.time_ns(),
        time.monotonic(),
        time.perf_counter(),
        random.random(),
        random.randint(1, 10**9),
        random.gauss(0, 1),
        deck,
        random.Random().random(),
        random.SystemRandom().random(),
        os.urandom(8),
        secrets.token_hex(8),
        uuid.uuid1(),
        uuid.uuid4(),
    ]


async def draw_in_tasks() -> list[Any]:
    async def child() -> list[Any]:
        await asyncio.sleep(1)
        return draws()

    return [draws(), *await asyncio.gather(child(), child())]


def test_a_replay_draws_the_same_and_every_lineage_its_own() -> None:
    first, again = result_of(draw_in_tasks), result_of(draw_in_tasks)
    assert first == again
    root, one, two = first
    assert root[0] == START
    assert one[0] == two[0] == START + 1
    for index in range(4, len(root)):
        assert len({str(lineage[index]) for lineage in first}) == 3


def test_another_execution_draws_otherwise() -> None:
    one = Run(draw_in_tasks, seed=b"one").to_end().root.result()
    two = Run(draw_in_tasks, seed=b"two").to_end().root.result()
    assert all(one[0][index] != two[0][index] for index in range(4, len(one[0])))


def test_a_lineage_draws_the_same_whatever_others_draw() -> None:
    def body_with(extra: int) -> Any:
        async def noisy() -> None:
            for _ in range(extra):
                random.random()

        async def quiet() -> float:
            return random.random()

        async def body() -> float:
            _, value = await asyncio.gather(noisy(), quiet())
            return value

        return body

    assert result_of(body_with(1)) == result_of(body_with(5))


def test_uuids_are_valid_and_do_not_repeat_after_random_seed() -> None:
    async def body() -> list[uuid.UUID]:
        random.seed(1)
        first = [uuid.uuid4(), uuid.uuid1()]
        random.seed(1)
        return [*first, uuid.uuid4(), uuid.uuid1()]

    ids = result_of(body)
    assert [item.version for item in ids] == [4, 1, 4, 1]
    assert {item.variant for item in ids} == {uuid.RFC_4122}
    assert len(set(ids)) == 4


def test_the_streams_of_the_context_are_those_of_the_modules() -> None:
    async def by_module() -> list[Any]:
        return [random.random(), uuid.uuid4()]

    async def by_loop() -> list[Any]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, DeterministicLoop)
        return [loop.random().random(), loop.uuid4()]

    assert result_of(by_module) == result_of(by_loop)


def test_other_threads_and_the_outside_stay_real() -> None:
    seen: list[float] = []
    in_slice, looked = threading.Event(), threading.Event()

    def look() -> None:
        in_slice.wait()
        seen.append(time.time())
        looked.set()

    async def body() -> float:
        in_slice.set()
        looked.wait()
        return time.time()

    thread = threading.Thread(target=look)
    thread.start()
    assert result_of(body) == START
    thread.join()
    assert seen[0] > START + 1e6
    assert time.time() > START + 1e6
    assert random.random() != random.random()


def test_a_context_copied_in_a_slice_carries_no_virtual_time() -> None:
    async def body() -> Any:
        import contextvars

        return contextvars.copy_context()

    assert result_of(body).run(time.time) > START + 1e6


def test_machinery_inside_a_slice_can_step_outside() -> None:
    async def body() -> list[float]:
        before = random.random()
        with outside_of_slice():
            random.random()
            real = time.time()
        assert real_time() > START + 1e6
        assert real_monotonic() != START
        return [real > START + 1e6, time.time(), before, random.random()]

    is_real, now, before, after = result_of(body)
    assert is_real
    assert now == START
    stream = DeterministicLoop(seed=SEED, now=START).random()
    assert [before, after] == [stream.random(), stream.random()]


def test_a_loop_without_virtual_time_lives_in_the_real_one() -> None:
    async def body() -> float:
        time.sleep(0)
        return time.time()

    assert Run(body, virtual=False).to_end().root.result() > START + 1e6


def test_time_sleep_says_what_to_write() -> None:
    async def body() -> None:
        time.sleep(1)

    with pytest.raises(NotDeterministicError, match=r"await asyncio\.sleep"):
        result_of(body)


def test_the_replacements_behave_as_the_built_in_functions_do() -> None:
    DeterministicLoop(seed=b"", now=0)

    meter: Any = type("Meter", (), {"clock": time.monotonic, "draw": random.random})()
    assert meter.clock() > 0
    assert 0 <= meter.draw() < 1
    assert pickle.loads(pickle.dumps(time.time)) is time.time
    assert time.time.__name__ == "time"
    assert "virtual in slices" in repr(time.time)


@pytest.mark.skipif(not hasattr(uuid, "uuid7"), reason="uuid7 came with Python 3.14")
def test_uuid7_is_virtual_too() -> None:
    async def body() -> uuid.UUID:
        made: uuid.UUID = uuid.uuid7()  # type: ignore[attr-defined] # the checker's target is 3.11
        return made

    assert result_of(body) == result_of(body)
    assert result_of(body).version == 7
    assert result_of(body).int >> 80 == int(START * 1000)
