"""AT3.3: executors in processes of their own on one storage; one of them is killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import perdure
from tests.integration.apps.witness import seen
from tests.integration.blocks import check_journal
from tests.integration.processes import PythonProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.workers import arm, killed_at_the_end, worker_environment

TASKS: Final = 200
FAMILIES: Final = TASKS // 10
EFFECTS: Final = {
    "square": TASKS,
    "family": FAMILIES,
    "negate": 4 * FAMILIES,
    "add": FAMILIES,
}
IN_FLIGHT: Final = 20  # of each executor
SUM: Final = sum(n * n for n in range(TASKS))

pytestmark = pytest.mark.processes


@asynccontextmanager
async def storage(kind: str, folder: Path) -> AsyncIterator[str]:
    if kind == "file":
        yield str(folder / "perdure.db")
        return
    async with started_coordinator(folder, settings={"resume_ms": 300}) as coordinator:
        yield coordinator.endpoint


@asynccontextmanager
async def opened(kind: str, place: str) -> AsyncIterator[perdure.Client]:
    if kind == "file":
        async with perdure.embedded(place, services=[], ambient=False) as runtime:
            yield runtime.client
    else:
        async with perdure.connect(place, ambient=False) as client:
            yield client


def executor(place: str, folder: Path) -> PythonProcess:
    return PythonProcess(
        "tests.integration.apps.executors",
        (place,),
        ready=re.compile(r"open (\d+)"),
        environment=worker_environment(folder / "witness"),
    )


@pytest.mark.parametrize("point", ["after-step-body", "after-step-report"])
@pytest.mark.parametrize("kind", ["file", "coordinator"])
async def test_two_executors_share_the_tasks_and_one_is_killed(
    tmp_path: Path, kind: str, point: str
) -> None:
    async with storage(kind, tmp_path) as place:
        doomed, survivor = executor(place, tmp_path), executor(place, tmp_path)
        arm(doomed, point, 40, tmp_path / "fired")
        async with killed_at_the_end(doomed, survivor):
            await doomed.start()  # alone: of a file, it is the host
            killed = doomed.pid
            await survivor.start()
            done = await survivor.answer(f"start {TASKS}", r"^done (\d+)")
            assert SUM == int(done[1])
            assert -signal.SIGKILL == await doomed.wait()
            survivor.tell("end")
            assert 0 == await survivor.wait(), survivor.told()
        again = check_effects(tmp_path / "witness", killed)
        say(f"{kind}, {point}: {again} bodies ran again")
        assert again <= IN_FLIGHT
        async with opened(kind, place) as client:
            await check_executions(client)


def check_effects(witness: Path, killed: int) -> int:
    """Each effect was witnessed, by both; only those of the killed one may have been repeated."""
    runs = seen(witness)
    effects = {(run.name, run.key) for run in runs}
    assert EFFECTS == Counter(name for name, _ in effects)
    by_process = Counter(run.pid for run in runs)
    assert killed in by_process
    assert 2 == len(by_process), by_process
    survivors = Counter((run.name, run.key) for run in runs if run.pid != killed)
    assert all(times == 1 for times in survivors.values()), survivors.most_common(3)
    return len(runs) - len(effects)


async def check_executions(client: perdure.Client) -> None:
    found: Counter[Any] = Counter()
    ids = []
    async for info in client.list():
        found[info.target, info.status] += 1
        ids.append(info.id)
    assert {status for _, status in found} == {"completed"}
    assert found["executor/square", "completed"] == TASKS
    assert found["executor/family", "completed"] == FAMILIES
    for id in ids[::20]:
        check_journal([entry async for entry in client.get(id).history()])


async def test_a_killed_script_goes_on_when_it_is_run_again(tmp_path: Path) -> None:
    place = str(tmp_path / "perdure.db")
    script = executor(place, tmp_path)
    async with killed_at_the_end(script):
        arm(script, "after-step-body", 50, tmp_path / "fired")
        await script.start()
        killed = script.pid
        script.tell(f"start {TASKS}")
        assert -signal.SIGKILL == await script.wait()
        script.environment = worker_environment(tmp_path / "witness")
        await script.start()
        done = await script.answer(f"start {TASKS}", r"^done (\d+)")
        assert SUM == int(done[1])
        script.tell("end")
        assert 0 == await script.wait(), script.told()
    again = check_effects(tmp_path / "witness", killed)
    say(f"killed script: {again} bodies ran again")
    assert again <= IN_FLIGHT


async def test_run_ends_on_a_signal(tmp_path: Path) -> None:
    """`run()` blocks, and shuts down in order."""
    code = (
        "import asyncio, sys\n"
        "from perdure.executor import DurableExecutor\n"
        "executor = DurableExecutor(sys.argv[1])\n"
        "async def wait(ctx):\n"
        "    print('working', flush=True)\n"
        "    await ctx.shutdown_signal.wait()\n"
        "    print('leaving', flush=True)\n"
        "task = executor.task(id='wait', run=wait)\n"
        "async def main():\n"
        "    await executor.enqueue_task(task)\n"
        "    await executor.run()\n"
        "    print('ended', flush=True)\n"
        "asyncio.run(main())\n"
    )
    (tmp_path / "runner.py").write_text(code)
    process = PythonProcess(
        "runner",
        (str(tmp_path / "perdure.db"),),
        ready=re.compile("working"),
        environment={
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))
            )
        },
    )
    async with killed_at_the_end(process), asyncio.timeout(30):
        await process.start()
        process.signal(signal.SIGTERM)
        assert 0 == await process.wait(), process.told()
    assert ["working", "leaving", "ended"] == [line.strip() for line in process.output]
