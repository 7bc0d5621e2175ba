"""A step that runs at most once, in a process that dies at every place around it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.apps.witness import WITNESS, seen
from tests.proof.counting import tried

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.processes, pytest.mark.slow]


async def run(folder: Path, failpoint: str) -> tuple[int, str]:
    """The process: its exit code and what it printed."""
    environment = {**os.environ, WITNESS: str(folder / "witness"), "PYTHONPATH": str(ROOT)}
    if failpoint:
        environment["PERDURE_FAILPOINT"] = failpoint
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.apps.pays_once", str(folder / "perdure.db")),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode().strip()


@pytest.mark.parametrize(
    "point", ["before-commit", "after-commit-before-ack", "after-step-body", "after-step-report"]
)
async def test_a_killed_payment_is_never_made_twice(tmp_path: Path, point: str) -> None:
    outcomes = set()
    for n in range(1, 6):
        folder = tmp_path / str(n)
        folder.mkdir()
        code, answer = await run(folder, f"{point}:{n}")
        killed = code != 0
        if killed:
            assert -signal.SIGKILL == code
            tried(faults=1)
            code, answer = await run(folder, "")
        assert 0 == code
        paid = [line for line in seen(folder / "witness") if line.name == "pay"]
        assert len(paid) <= 1
        assert answer == "found" or len(paid) == 1
        outcomes.add(answer)
        if not killed:
            break
    expected = {"found", "paid"} if point == "after-step-body" else {"paid"}
    assert outcomes >= expected
