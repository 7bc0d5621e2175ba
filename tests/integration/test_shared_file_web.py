"""`uvicorn --workers 2` on one embedded file, and its host killed under load.

As `test_example_fastapi`, but the web processes are coordinator and workers as well: nothing else
runs.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from perdure_coordinator.store.sqlite.lock import read_holder
from tests.integration.processes import PythonProcess
from tests.integration.workers import killed_at_the_end, worker_environment

ORDERS = 200
BUYERS = 8
READY = re.compile(r".*Uvicorn running on http://127\.0\.0\.1:(\d+)")

pytestmark = pytest.mark.processes


def web(folder: Path) -> PythonProcess:
    """The example's web application with two processes."""
    arguments = ("examples.fastapi_app.app:app", "--port", "0", "--workers", "2")
    return PythonProcess(
        "uvicorn",
        (*arguments, "--no-use-colors", "--no-access-log"),
        ready=READY,
        environment={
            **worker_environment(folder / "witness"),
            "PERDURE_DB": str(folder / "orders.db"),
            "PERDURE_ENDPOINT": "",
            "ORDERS_LEDGER": str(folder / "ledger"),
        },
    )


async def ask(http: httpx.AsyncClient, method: str, url: str, order: object = None) -> object:
    """Ask until one of the processes answers."""
    while True:
        try:
            response = await http.request(method, url, json=order)
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        assert response.status_code in (200, 202), response.text
        return response.json()


async def kill_host(folder: Path, supervisor: int, accepted: asyncio.Event) -> int:
    """SIGKILL for the web process that hosts the file."""
    await accepted.wait()
    holder = read_holder(folder / "orders.db")
    assert holder is not None
    assert holder.pid in {child.pid for child in psutil.Process(supervisor).children()}
    os.kill(holder.pid, signal.SIGKILL)
    return holder.pid


async def end_all(supervisor: PythonProcess) -> None:
    """Have uvicorn and its processes end in peace."""
    supervisor.signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        await supervisor.wait()


async def test_two_web_processes_share_a_file_through_the_death_of_its_host(
    tmp_path: Path,
) -> None:
    server = web(tmp_path)
    accepted = asyncio.Event()
    orders = [
        {"id": f"order-{number}", "item": "tea", "quantity": 1 + number % 3, "price_cents": 100}
        for number in range(ORDERS)
    ]
    waiting = iter(orders)

    async def buy(http: httpx.AsyncClient) -> None:
        for order in waiting:
            await ask(http, "POST", url, order)
            if order["id"] == f"order-{ORDERS // 2}":
                accepted.set()

    async with (
        killed_at_the_end(server),
        httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_keepalive_connections=0)) as http,
    ):
        await server.start()
        assert server.match is not None
        url = f"http://127.0.0.1:{server.match[1]}/orders"
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(kill_host(tmp_path, server.pid, accepted))
            for _ in range(BUYERS):
                group.create_task(buy(http))
        receipts = [await ask(http, "GET", f"{url}/{order['id']}/receipt") for order in orders]
        holder = read_holder(tmp_path / "orders.db")
        assert holder is not None
        assert killing.result() != holder.pid
        await end_all(server)
    paid = {receipt["order"]: receipt["paid_cents"] for receipt in receipts}  # type: ignore[index]
    assert {order["id"]: 100 * int(order["quantity"]) for order in orders} == paid  # type: ignore[call-overload]
    lines = [line.split(" ") for line in (tmp_path / "ledger").read_text().splitlines()]
    effects = {(effect, order): key for effect, order, _, key in lines}
    assert {"reserve": ORDERS, "charge": ORDERS} == Counter(effect for effect, _ in effects)
    assert 2 * ORDERS == len({tuple(line) for line in lines}), "an effect under another key"
