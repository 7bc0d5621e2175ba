"""Spans of real processes, over the real exporter, while one of them is killed: each told once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import perdure
from tests.integration.collector import Collector, collecting
from tests.integration.processes import READY, PythonProcess
from tests.integration.workers import (
    WorkerProcess,
    arm,
    killed_at_the_end,
    started_again,
    worker_environment,
)

pytestmark = [pytest.mark.processes]

SOURCES = ["one", "three"]
STEPS = 3 * len(SOURCES)
# Early: what a coordinator had told its exporter just before its death is lost.
POINTS = {"coordinator": "before-commit:4", "worker": "after-step-report:4"}
# What the killed worker had not exported yet is lost; it had not run the last two.
TOLD = {"coordinator": STEPS, "worker": 2}


@pytest.mark.parametrize("killed", POINTS)
async def test_every_span_is_told_once_whoever_is_killed(tmp_path: Path, killed: str) -> None:
    witness, log = tmp_path / "witness", tmp_path / "fired"
    async with collecting() as collector:
        coordinator = PythonProcess(
            "perdure",
            ("server", "--db", str(tmp_path / "perdure.db"), "--port", "0"),
            ready=READY,
            environment=worker_environment(witness) | collector.environment(),
        )
        async with killed_at_the_end(coordinator):
            if killed == "coordinator":
                arm(coordinator, *_point(killed), log)
            await coordinator.start()
            assert coordinator.match is not None
            port = coordinator.match.group(2)
            coordinator.arguments[coordinator.arguments.index("0")] = port
            endpoint = f"http://127.0.0.1:{port}"
            worker = WorkerProcess(
                endpoint,
                "tests.integration.apps.primitives",
                witness,
                environment=collector.environment(),
            )
            if killed == "worker":
                arm(worker, *_point(killed), log)
            async with (
                killed_at_the_end(worker),
                started_again(coordinator),
                perdure.connect(endpoint) as client,
            ):
                await worker.start()
                async with started_again(worker):
                    handle = await client.start(
                        "primitives", "parallel_data_processing", SOURCES, id="traced"
                    )
                    await handle.result(timeout=60)
                    await collector.until("attempt primitives/", 1)
                    await collector.until("call report_generator/", 1)
                    await collector.until("step ", TOLD[killed])
        assert log.read_text().startswith(POINTS[killed].partition(":")[0])
        check(collector, TOLD[killed])


def check(collector: Collector, told_steps: int) -> None:
    told = Counter(span.span_id for span in collector.spans)
    assert told.most_common(1)[0][1] == 1
    assert len({span.trace_id for span in collector.spans}) == 1
    (attempt,) = collector.named("attempt primitives/")
    steps = collector.named("step ")
    assert told_steps <= len(steps) <= STEPS
    assert {step.parent_id for step in steps} == {attempt.span_id}
    (call,) = collector.named("call ")
    assert call.parent_id == attempt.span_id


def _point(killed: str) -> tuple[str, int]:
    name, _, number = POINTS[killed].partition(":")
    return name, int(number)
