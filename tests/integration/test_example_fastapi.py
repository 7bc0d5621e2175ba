"""The FastAPI example under load: two web processes, one worker, one coordinator, kills.

An answer 202 is a promise. Whatever is killed, every order that got one completes exactly once, as
a ledger outside the engine tells.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.integration.processes import CoordinatorProcess, PythonProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.workers import ROOT, WorkerProcess, killed_at_the_end

ORDERS: Final = 400
BUYERS: Final = 16
BACKOFF_S: Final = 0.05

pytestmark = pytest.mark.processes


class WebProcess(PythonProcess):
    """One web process; it keeps the port of its first start."""

    def __init__(self, coordinator: CoordinatorProcess) -> None:
        self.port = 0
        environment = {"PERDURE_ENDPOINT": coordinator.endpoint, "PYTHONPATH": str(ROOT)}
        ready = re.compile(r".*Uvicorn running on http://127\.0\.0\.1:(\d+)")
        super().__init__("uvicorn", (), ready=ready, environment=environment)

    async def start(self) -> None:
        """Start it and wait until it listens."""
        place = ("--port", str(self.port), "--no-use-colors", "--no-access-log")
        self.arguments = ["examples.fastapi_app.app:app", *place]
        await super().start()
        assert self.match is not None
        self.port = int(self.match[1])

    @property
    def url(self) -> str:
        """Where its orders are."""
        return f"http://127.0.0.1:{self.port}/orders"


@dataclass(frozen=True, slots=True)
class Market:
    """Everything that runs."""

    coordinator: CoordinatorProcess
    webs: tuple[WebProcess, WebProcess]
    worker: WorkerProcess
    ledger: Path

    def effects(self) -> list[tuple[str, str, int, str]]:
        """(effect, order, amount, key) of each line."""
        lines = (line.split(" ") for line in self.ledger.read_text().splitlines())
        return [(effect, order, int(amount), key) for effect, order, amount, key in lines]


@asynccontextmanager
async def opened_market(directory: Path) -> AsyncIterator[Market]:
    """Coordinator, worker and two web processes, all ready."""
    ledger = directory / "ledger"
    async with started_coordinator(directory, settings={"resume_ms": 500}) as coordinator:
        worker = WorkerProcess(
            coordinator.endpoint,
            "examples.fastapi_app.service",
            directory / "witness",
            environment={"ORDERS_LEDGER": str(ledger)},
        )
        webs = (WebProcess(coordinator), WebProcess(coordinator))
        async with killed_at_the_end(worker, *webs):
            await asyncio.gather(worker.start(), *(web.start() for web in webs))
            yield Market(coordinator, webs, worker, ledger)


def order_of(number: int) -> dict[str, Any]:
    """An order whose sum is its own."""
    return {"id": f"order-{number}", "item": "tea", "quantity": 1 + number % 3, "price_cents": 100}


def cents_of(order: Mapping[str, Any]) -> int:
    """What it costs."""
    return int(order["quantity"] * order["price_cents"])


@dataclass
class Buyers:
    """A load of real HTTP clients that repeat an order, to either process, until it is accepted."""

    market: Market
    accepted: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, count: int) -> None:
        """Wait until so many orders are accepted."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.accepted) >= count)

    async def ask(self, send: Callable[[str], Awaitable[httpx.Response]]) -> httpx.Response:
        """Ask one web process or the other until one answers."""
        while True:
            try:
                response = await send(random.choice(self.market.webs).url)
            except httpx.TransportError:
                self.repeated += 1
                await asyncio.sleep(BACKOFF_S)
                continue
            self.answers[response.status_code] += 1
            if response.status_code != 503:
                return response

    async def buy(self, http: httpx.AsyncClient, order: dict[str, Any]) -> None:
        """Have one order accepted."""
        response = await self.ask(lambda url: http.post(url, json=order))
        assert 202 == response.status_code, response.text
        assert order["id"] == response.json()["id"]
        async with self.news:
            self.accepted.add(order["id"])
            self.news.notify_all()

    async def receipt(self, http: httpx.AsyncClient, id: str) -> dict[str, Any]:
        """Wait for a receipt."""
        response = await self.ask(lambda url: http.get(f"{url}/{id}/receipt"))
        assert 200 == response.status_code, response.text
        receipt: dict[str, Any] = response.json()
        return receipt

    async def buy_all(self, http: httpx.AsyncClient, orders: list[dict[str, Any]]) -> None:
        """Several at a time."""
        waiting = iter(orders)

        async def one_buyer() -> None:
            for order in waiting:
                await self.buy(http, order)

        async with asyncio.TaskGroup() as group:
            for _ in range(BUYERS):
                group.create_task(one_buyer())


async def kill_on_the_way(buyers: Buyers, kills: list[tuple[int, PythonProcess]]) -> None:
    """Kill each process and start it again when so many orders are accepted."""
    for count, process in kills:
        await buyers.until(count)
        await process.kill()
        await process.start()


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_every_accepted_order_completes_once_through_kills_under_load(tmp_path: Path) -> None:
    orders = [order_of(number) for number in range(ORDERS)]
    async with (
        opened_market(tmp_path) as market,
        httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=BUYERS)) as http,
    ):
        buyers = Buyers(market)
        kills: list[tuple[int, PythonProcess]] = [
            (ORDERS // 5, market.coordinator),
            (2 * ORDERS // 5, market.webs[0]),
            (3 * ORDERS // 5, market.coordinator),
            (4 * ORDERS // 5, market.webs[1]),
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(kill_on_the_way(buyers, kills))
            group.create_task(buyers.buy_all(http, random.sample(orders, ORDERS)))
        await buyers.buy_all(http, orders[: ORDERS // 4])  # once more: the same executions
        receipts = [await buyers.receipt(http, order["id"]) for order in orders]
        effects = market.effects()
    say(f"answers {dict(buyers.answers)}, connections repeated {buyers.repeated}")
    expected = {order["id"]: cents_of(order) for order in orders}
    assert expected == {receipt["order"]: receipt["paid_cents"] for receipt in receipts}
    charges = [(order, amount) for effect, order, amount, _ in effects if effect == "charge"]
    assert sorted(expected.items()) == sorted(charges)
    reservations = {order: key for effect, order, _, key in effects if effect == "reserve"}
    assert reservations == {receipt["order"]: receipt["reservation"] for receipt in receipts}
    assert 2 * ORDERS == len(effects)
    assert {202, 200} == set(buyers.answers), "an error where a promise was to be had"
    assert buyers.repeated > 0, "no kill was felt"


async def test_a_worker_killed_under_load_repeats_effects_only_under_their_keys(
    tmp_path: Path,
) -> None:
    orders = [order_of(number) for number in range(100)]
    async with opened_market(tmp_path) as market, httpx.AsyncClient(timeout=60) as http:
        buyers = Buyers(market)
        async with asyncio.TaskGroup() as group:
            group.create_task(kill_on_the_way(buyers, [(50, market.worker)]))
            group.create_task(buyers.buy_all(http, orders))
        receipts = [await buyers.receipt(http, order["id"]) for order in orders]
        effects = market.effects()
    assert sum(map(cents_of, orders)) == sum(receipt["paid_cents"] for receipt in receipts)
    keys = {(effect, order): key for effect, order, _, key in effects}
    assert 200 == len(keys) == len(set(keys.values())) == len(set(effects))


async def test_what_the_web_side_refuses(tmp_path: Path) -> None:
    async with opened_market(tmp_path) as market, httpx.AsyncClient(timeout=60) as http:
        url = market.webs[0].url
        order = order_of(1)
        assert 202 == (await http.post(url, json=order)).status_code
        await http.get(f"{url}/order-1/receipt")
        there = await http.get(f"{market.webs[1].url}/order-1")
        assert ("completed", 200) == (there.json()["status"], there.json()["receipt"]["paid_cents"])
        changed = await http.post(url, json={**order, "quantity": 9})
        assert (409, "AlreadyExistsError") == (changed.status_code, changed.json()["error"])
        missing = await http.get(f"{url}/nobody")
        assert (404, "NotFoundError") == (missing.status_code, missing.json()["error"])
        engines = await http.post(url, json={**order, "id": "~1"})
        assert (422, "InvalidArgumentError") == (engines.status_code, engines.json()["error"])
        assert 422 == (await http.post(url, json={**order, "quantity": 0})).status_code
