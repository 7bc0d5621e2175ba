"""The order example in processes of its own, driven by the command line and killed on the way."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import perdure
from examples.orders.shop import OrderProcessor, place_order
from tests.integration.processes import CoordinatorProcess, started_coordinator
from tests.integration.workers import WorkerProcess, killed_at_the_end

SERVICES: Final = ("shop", "inventory", "payment", "fulfillment")
TEA: Final = {"id": "tea", "price": 4.5, "quantity": 2}
SILVER: Final = {"id": "tea", "price": 450, "quantity": 2}

pytestmark = pytest.mark.processes


@dataclass(frozen=True, slots=True)
class Company:
    """Everything that runs."""

    coordinator: CoordinatorProcess
    workers: dict[str, WorkerProcess]
    directory: Path

    def effects(self) -> list[tuple[str, str, str]]:
        """(effect, order, key) of each line of the ledger."""
        ledger = self.directory / "ledger"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        return [(effect, order, key) for effect, order, key in map(str.split, lines)]

    async def perdure(self, *arguments: str) -> Any:
        """A command as a user would type it; its JSON."""
        place = ("--endpoint", self.coordinator.endpoint, "-o", "json")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "perdure", *arguments, *place),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output
        return json.loads(output)

    async def start(self, order_id: str, *items: dict[str, Any]) -> None:
        """`perdure start`."""
        order = json.dumps({"order_id": order_id, "items": items})
        await self.perdure("start", "shop", "place_order", order, "--id", order_id)


@asynccontextmanager
async def opened_company(directory: Path) -> AsyncIterator[Company]:
    """Coordinator and four workers, all ready."""
    environment = {"ORDERS_LEDGER": str(directory / "ledger")}
    async with started_coordinator(directory, settings={"resume_ms": 500}) as coordinator:
        workers = {
            name: WorkerProcess(
                coordinator.endpoint,
                f"examples.orders.{name}",
                directory / "witness",
                environment=dict(environment),
            )
            for name in SERVICES
        }
        async with killed_at_the_end(*workers.values()):
            await asyncio.gather(*(worker.start() for worker in workers.values()))
            yield Company(coordinator, workers, directory)


async def test_what_is_expensive_waits_for_a_person(tmp_path: Path) -> None:
    async with opened_company(tmp_path) as company:
        await company.start("o-1", TEA)
        await company.start("o-2", SILVER)
        await company.start("o-3", SILVER)
        await company.perdure("event", "approval_o-2", '{"approved": true}')
        await company.perdure("event", "approval_o-3", '{"approved": false, "reason": "no"}')
        async with perdure.connect(company.coordinator.endpoint, ambient=False) as client:
            results = [await client.get(id).result() for id in ("o-1", "o-2", "o-3")]
            summaries = [
                await client.object(OrderProcessor, id).summary() for id in ("o-1", "o-2", "o-3")
            ]
    assert [result["success"] for result in results] == [True, True, False]
    assert [summary["status"] for summary in summaries] == ["fulfilled", "fulfilled", "rejected"]
    assert summaries[1]["steps"] == ["added tea", "paid", "sent"]
    assert sorted(effect[:2] for effect in company.effects()) == [
        ("charge", "o-1"),
        ("charge", "o-2"),
        ("ship", "o-1"),
        ("ship", "o-2"),
    ]


async def test_what_is_not_there_is_neither_paid_nor_sent(tmp_path: Path) -> None:
    async with opened_company(tmp_path) as company:
        async with perdure.connect(company.coordinator.endpoint, ambient=False) as client:
            dust = {"id": "moon dust", "price": 1, "quantity": 1}
            handle = await client.start(place_order, "o-1", [dust])
            assert await handle.result() == {"success": False, "missing": ["moon dust"]}
        assert company.effects() == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("victim", ["coordinator", *SERVICES])
async def test_a_kill_on_the_way_neither_loses_nor_doubles_an_order(
    tmp_path: Path, victim: str
) -> None:
    """One process dies while twenty orders are under way; all are fulfilled, each paid once."""
    ids = [f"o-{number}" for number in range(20)]
    async with opened_company(tmp_path) as company:
        process = company.coordinator if victim == "coordinator" else company.workers[victim]
        async with perdure.connect(company.coordinator.endpoint, ambient=False) as client:
            handles = [await client.start(place_order, id, [TEA], id=id) for id in ids]
            await handles[0].result()
            await process.kill()
            await process.start()
            results = [await handle.result() for handle in handles]
    assert all(result["success"] for result in results)
    effects = company.effects()
    for effect in ("charge", "ship"):
        keys = {order: key for kind, order, key in effects if kind == effect}
        assert sorted(keys) == sorted(ids)
        repeated = [line for line in effects if line[0] == effect]
        assert {(order, key) for _, order, key in repeated} == set(keys.items())
        if victim not in ("payment", "fulfillment"):
            assert len(repeated) == len(ids), "no worker died in the middle of one"
