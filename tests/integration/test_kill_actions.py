"""Actions while worker and coordinator are killed: what is done stays done (AT0.2, AT0.5)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import perdure
from perdure.actions import Actions
from tests.integration.processes import CoordinatorProcess
from tests.integration.workers import WorkerProcess, killed_at_the_end

APP = "tests.integration.apps.images"
IMAGES = ["a.jpg", "b.jpg", "c.jpg"]

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("dies", ["worker", "coordinator too"])
async def test_a_kill_after_two_of_three_images_goes_on_with_the_third(
    tmp_path: Path, dies: str
) -> None:
    witness = tmp_path / "witness"
    coordinator = CoordinatorProcess(tmp_path / "perdure.db", settings={"resume_ms": 200})
    async with killed_at_the_end(coordinator):
        await coordinator.start()
        endpoint = coordinator.endpoint
        hangs = {"PERDURE_TEST_HANG_AT": "c.jpg"}
        first = WorkerProcess(endpoint, APP, witness, environment=hangs)
        second = WorkerProcess(endpoint, APP, witness)
        async with (
            killed_at_the_end(first, second),
            perdure.connect(endpoint, ambient=False) as client,
        ):
            await first.start()
            actions = Actions(client)
            action = await actions.start("images one by one", IMAGES)
            async with asyncio.timeout(30):
                async for seen in actions.watch(action.id):
                    if (seen.status, seen.progress) == ("active", 2):
                        break
            await first.kill()
            if dies == "coordinator too":
                await coordinator.kill()
                await coordinator.start()
            await second.start()
            assert 3 == await actions.result(action.id, 60)
            done = await actions.get(action.id)
            assert done is not None
            assert ("completed", 3, 3, 1) == (done.status, done.progress, done.total, done.attempts)
    assert IMAGES == witness.read_text().split()
