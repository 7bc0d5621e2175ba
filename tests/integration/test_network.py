"""Connections that break, stall and trickle, and processes that are stopped: nothing is lost.

The order of the faults is drawn from a seed, which is printed and can be set
(`PERDURE_STORM_SEED`). Time is what is tested here, so these tests wait for it.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import perdure
from tests.crashpoints.enumeration import check_history
from tests.integration.apps.turbulence import Purse
from tests.integration.apps.witness import seen
from tests.integration.processes import started_coordinator
from tests.integration.proxy import Proxy, Weather, proxied
from tests.integration.telling import say
from tests.integration.watching import stats_of
from tests.integration.workers import WorkerProcess, killed_at_the_end

APP = "tests.integration.apps.turbulence"
SETTINGS = {"lease_ms": 1_000, "resume_ms": 300}
FLOWS = 120
FAULTS = 14
SEED = int(os.environ.get("PERDURE_STORM_SEED", "7"))

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]


async def travel(
    client: perdure.Client, storm: Callable[[], Awaitable[None]], witness: Path, direct: str
) -> dict[str, int]:
    """Start flows and send their events while it storms; everything must come out exactly once.

    Args:
        direct: the coordinator's own endpoint, for what is looked at afterwards.

    Returns:
        figures: bodies that ran again, payments nobody knows of.
    """
    storming = asyncio.ensure_future(storm())

    async def trip(number: int) -> object:
        handle = await client.start("turbulence", "trip", number, id=f"trip-{number}")
        await client.send_event(f"event-{number}", number)
        return await handle.result(timeout=90)

    trips = []
    for number in range(FLOWS):
        trips.append(asyncio.ensure_future(trip(number)))
        await asyncio.sleep(0.1)
    await storming
    results = await asyncio.gather(*trips)
    assert [[2 * n, str(n), True, n] for n in range(FLOWS)] == results
    return await check_effects(witness, direct)


async def check_effects(witness: Path, direct: str) -> dict[str, int]:
    """By the witness, the object and the journals."""
    lines = seen(witness)
    runs = Counter(line.name for line in lines)
    wanted = {f"{what} {n}" for what in ("pack", "book") for n in range(FLOWS)}
    assert wanted <= runs.keys(), f"lost: {sorted(wanted - runs.keys())}"
    assert {f"pay {n}" for n in range(FLOWS)} >= runs.keys() - wanted
    assert len({(line.name, line.key) for line in lines}) == len(runs), "one key for each effect"
    paid = [runs[f"pay {n}"] for n in range(FLOWS)]
    assert max(paid) <= 1, "paid twice"
    async with perdure.connect(direct, ambient=False) as client:
        state = await client.object(Purse, "one").get_state()
        assert [*range(FLOWS)] == sorted(state["given"]), "each gave once"
        async for info in client.list():
            check_history([entry async for entry in client.get(info.id).history()])
    again = sum(count - 1 for name, count in runs.items() if not name.startswith("pay"))
    return {"ran again": again, "not paid": paid.count(0)}


async def blow(proxies: list[Proxy], draw: random.Random) -> None:
    """Every kind of fault, in an order and for times that are drawn; calm in between."""
    kinds = ["cut", "reset", *(weather for weather in Weather if weather is not Weather.CALM)]
    draw.shuffle(kinds)
    for kind in (kinds * 2)[:FAULTS]:
        await asyncio.sleep(draw.uniform(0.1, 0.4))
        proxy = draw.choice(proxies)
        if isinstance(kind, Weather):
            proxy.become(kind)
            await asyncio.sleep(draw.choice([0.2, 0.5, 1.5]))  # within resume, lease, and beyond
            proxy.become(Weather.CALM)
        else:
            proxy.cut(reset=kind == "reset")


async def test_connections_that_break_in_every_way(tmp_path: Path) -> None:
    say(f"network: seed {SEED}")
    witness = tmp_path / "witness"
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        proxied(coordinator.port) as first,
        proxied(coordinator.port) as second,
        proxied(coordinator.port) as clients,
    ):
        workers = [WorkerProcess(proxy.endpoint, APP, witness) for proxy in (first, second)]
        connected = perdure.connect(clients.endpoint, ambient=False)
        async with killed_at_the_end(*workers), connected as client:
            await asyncio.gather(*(worker.start() for worker in workers))
            draw = random.Random(SEED)
            figures = await travel(
                client, lambda: blow([first, second, clients], draw), witness, coordinator.endpoint
            )
        done = first.done + second.done + clients.done
        stats = await stats_of(coordinator.endpoint)
        say(
            f"network: {FLOWS} flows, {dict(done)}; {figures}; "
            f"{stats['adoptions']:.0f} adoptions, {stats['stale_messages']:.0f} stale messages"
        )


async def test_processes_that_are_stopped_and_go_on(tmp_path: Path) -> None:
    """Workers sleep through their leases and wake as zombies; the coordinator sleeps too."""
    say(f"stops: seed {SEED}")
    witness, draw = tmp_path / "witness", random.Random(SEED)
    async with started_coordinator(tmp_path, settings=SETTINGS) as coordinator:
        workers = [WorkerProcess(coordinator.endpoint, APP, witness) for _ in range(3)]
        connected = perdure.connect(coordinator.endpoint, ambient=False)

        async def storm() -> None:
            for turn in range(9):
                await asyncio.sleep(draw.uniform(0.05, 0.3))
                # Each sleeps through its lease and wakes up; the coordinator less often.
                process = coordinator if turn % 4 == 3 else workers[turn % len(workers)]
                process.signal(signal.SIGSTOP)
                await asyncio.sleep(draw.uniform(0.3, 0.8) if process is coordinator else 1.7)
                process.signal(signal.SIGCONT)

        async with killed_at_the_end(*workers), connected as client:
            await asyncio.gather(*(worker.start() for worker in workers))
            figures = await travel(client, storm, witness, coordinator.endpoint)
        stats = await stats_of(coordinator.endpoint)
        say(f"stops: {FLOWS} flows; {figures}; {stats['stale_messages']:.0f} stale messages")
        assert stats["sessions_lost"] > 0
