"""Chains of calls over objects of two worker processes: they end, whatever they wait for.

Real processes, real clients; a chain is told by events when to go on, so that the order in which
objects are asked for is the test's, not chance.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import Client, DeadlockError, ExecutionFailed, ReentrancyError, ctx
from tests.integration.apps.chains import East, West
from tests.integration.apps.witness import seen
from tests.integration.blocks import check_gapless
from tests.integration.processes import CoordinatorProcess, started_coordinator
from tests.integration.workers import WorkerProcess, killed_at_the_end

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]
PATIENCE_S = 30.0
A, B, C = "West/a", "East/b", "West/c"


class Chains:
    """A coordinator and a worker process for each class."""

    def __init__(self, client: Client, coordinator: CoordinatorProcess, folder: Path) -> None:
        self.client = client
        self.witness = folder / "witness"
        self.west, self.east = (
            WorkerProcess(
                coordinator.endpoint, f"tests.integration.apps.chains:{name}", self.witness
            )
            for name in ("west", "east")
        )

    async def start(self, chain: str, *way: str) -> Any:
        """Start a chain at the first station of its way."""
        name, _, id = way[0].partition("/")
        first: Any = self.client.object({"West": West, "East": East}[name], id)
        return await self.client.start(first.visit, ctx, chain, [*way[1:]], id=chain)

    async def go(self, chain: str, station: str) -> None:
        """Let a chain go on from where it is."""
        await self.client.send_event(f"{chain} goes on from {station}", None)

    async def at(self, chain: str, station: str) -> None:
        """Wait until a chain has reached a station, and holds it."""
        async with asyncio.timeout(PATIENCE_S):
            while f"{chain} at {station}" not in self.noted():
                await asyncio.sleep(0.02)

    async def blocked(self, station: str) -> str:
        """The id of the call that waits in the lane of a station."""
        service = station.partition("/")[0].lower()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async for item in self.client.list(service=service):
                    told = await self.client.get(item.id).describe()
                    if any(f"object {station} held by" in each for each in told.waiting_for):
                        return item.id
                await asyncio.sleep(0.02)

    def noted(self) -> Counter[str]:
        """How often each step ran."""
        return Counter(line.name for line in seen(self.witness))

    async def visits(self) -> dict[str, list[str]]:
        """What the stations have saved."""
        found = {}
        for station in (A, B, C):
            name, _, id = station.partition("/")
            state = await self.client.transport.read_object_state("default", name, id)
            found[station] = self.client.serializers.decode(state)["visits"]
        return found


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Chains]:
    """Everything up and served."""
    async with AsyncExitStack() as stack:
        settings = {"resume_ms": 200}
        coordinator = await stack.enter_async_context(
            started_coordinator(folder, settings=settings)
        )
        connected = perdure.connect(coordinator.endpoint, ambient=False)
        chains = Chains(await stack.enter_async_context(connected), coordinator, folder)
        await stack.enter_async_context(killed_at_the_end(chains.west, chains.east))
        await asyncio.gather(chains.west.start(), chains.east.start())
        yield chains


async def test_two_chains_over_three_objects_in_two_workers_give_way(tmp_path: Path) -> None:
    """One holds a and b and wants c; two holds c and wants a: its call is the youngest, it fails
    with a DeadlockError, lets go of c when its attempts end, and both chains come to their end."""
    async with opened(tmp_path) as chains:
        one = await chains.start("one", A, B, C)
        two = await chains.start("two", C, A)
        await chains.at("one", A)
        await chains.go("one", A)
        await chains.at("one", B)
        await chains.at("two", C)
        await chains.go("one", B)
        await chains.blocked(C)
        await chains.go("two", C)
        with pytest.raises(ExecutionFailed, match="waits for object") as raised:
            await two.result(PATIENCE_S)
        assert isinstance(raised.value.__cause__, DeadlockError)
        assert "the youngest call of the cycle gives way" in str(raised.value)
        attempts = [e for e in [e async for e in two.history()] if e.kind == "attempt_started"]
        assert 4 == len(attempts), "a DeadlockError is retried as any failure"
        await chains.go("one", C)
        assert [A, B, C] == await one.result(PATIENCE_S)
        assert {A: ["one"], B: ["one"], C: ["one"]} == await chains.visits()
        assert {1} == {*chains.noted().values()}
        again = await chains.start("two again", C, A)
        for station in (C, A):
            await chains.at("two again", station)
            await chains.go("two again", station)
        assert [C, A] == await again.result(PATIENCE_S)


async def test_a_deadlock_is_found_although_a_worker_dies_in_it(tmp_path: Path) -> None:
    """The worker that serves two of the three objects is killed while one chain waits."""
    async with opened(tmp_path) as chains:
        one = await chains.start("one", A, B, C)
        two = await chains.start("two", C, A)
        await chains.at("one", A)
        await chains.go("one", A)
        await chains.at("one", B)
        await chains.at("two", C)
        await chains.go("one", B)
        waits = await chains.blocked(C)
        await chains.west.kill()
        await chains.go("two", C)
        await chains.west.start()
        with pytest.raises(ExecutionFailed, match="the youngest call of the cycle gives way"):
            await two.result(PATIENCE_S)
        await chains.go("one", C)
        assert [A, B, C] == await one.result(PATIENCE_S)
        assert {A: ["one"], B: ["one"], C: ["one"]} == await chains.visits()
        for id in ("one", "two", waits):
            check_gapless([entry async for entry in chains.client.get(id).history()])


async def test_a_chain_that_comes_back_is_refused_at_once(tmp_path: Path) -> None:
    """a calls b in the other worker, b calls a: nobody waits, and nothing is tried again."""
    async with opened(tmp_path) as chains:
        round_trip = await chains.start("round", A, B, A)
        for station in (A, B):
            await chains.at("round", station)
            await chains.go("round", station)
        with pytest.raises(ExecutionFailed, match="it would wait for itself") as raised:
            await round_trip.result(PATIENCE_S)
        assert "West/a -> East/b -> West/a" in str(raised.value)
        assert isinstance(raised.value.__cause__, ReentrancyError)
        assert {"round at West/a": 1, "round at East/b": 1} == chains.noted()
        ended = await chains.start("after", A)
        await chains.at("after", A)
        await chains.go("after", A)
        assert [A] == await ended.result(PATIENCE_S)
