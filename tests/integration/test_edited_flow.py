"""A flow is edited while a hundred executions of it are in flight, on real processes.

Half of them wait before the place that changes, half behind it. The first go on with the new code;
the others are blocked with a diff that names the line, and finish after a fix. None fails, and the
witness sees every effect of every execution once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from textwrap import indent

import pytest

import perdure
from perdure import Client
from tests.integration.apps.witness import seen
from tests.integration.processes import started_coordinator
from tests.integration.watching import until, witnessed
from tests.integration.workers import WorkerProcess, killed_at_the_end

pytestmark = pytest.mark.processes

HALF = 50
EARLY = [f"early-{number}" for number in range(HALF)]  # they wait for their payment
LATE = [f"late-{number}" for number in range(HALF)]  # they have paid and wait for the packing

APP = """
from perdure import DurableContext, durable
from tests.integration.apps.witness import witness

@durable.flow(service="edited")
async def order(ctx: DurableContext, id: str) -> str:
    await ctx.run("reserve", witness, "reserve")
    await ctx.wait_for_event(f"paid-{id}")
%s
    await ctx.wait_for_event(f"packed-{id}")
    await ctx.run("ship", witness, "ship")
    return "sent"
"""
CHARGE = 'await ctx.run("charge", witness, "charge")'
LABEL = 'await ctx.run("label", witness, "label")'
PATCHED = f'if ctx.patched("label"):\n    {LABEL}\n{CHARGE}'
CHANGED_LINE = 9
"""Of the file, where the edits are."""

EDITS = {
    "inserted": (f"{LABEL}\n{CHARGE}", PATCHED, {"label", "charge"}),
    "removed": ("pass", CHARGE, set()),
}
"""The edit, its fix, and what is done between payment and packing under the edited code."""


def write_app(folder: Path, middle: str) -> str:
    """The application with these lines between its two waits."""
    file = folder / "edited_app.py"
    file.write_text(APP % indent(middle, "    "))
    return str(file)


async def pay_and_pack(client: Client, ids: list[str], *events: str) -> None:
    await asyncio.gather(*(client.send_event(f"{event}-{id}") for id in ids for event in events))


async def put_in_flight(client: Client, witness: Path) -> None:
    """Start all, and bring the late ones behind their payment."""
    for id in [*EARLY, *LATE]:
        await client.start("edited", "order", id, id=id)
    await pay_and_pack(client, LATE, "paid")
    await witnessed(witness, "charge", HALF)
    await until_status(client, "suspended", 2 * HALF)


async def until_status(client: Client, status: str, count: int) -> None:
    async def reached() -> bool:
        return len([info async for info in client.list(status=status)]) == count

    await until(reached, 60.0)


async def check_all_sent(client: Client, ids: list[str]) -> None:
    for id in ids:
        assert "sent" == await client.get(id).result(60)


def effects(witness: Path, ids: list[str]) -> dict[str, Counter[str]]:
    """What was done for each of these, how often."""
    found: dict[str, Counter[str]] = {id: Counter() for id in ids}
    for line in seen(witness):
        if line.execution in found:
            found[line.execution][line.name] += 1
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize("edit", EDITS)
async def test_what_fits_goes_on_and_the_rest_is_blocked_until_the_fix(
    tmp_path: Path, edit: str
) -> None:
    edited, fixed, between = EDITS[edit]
    witness = tmp_path / "witness"
    async with (
        started_coordinator(tmp_path, settings={"resume_ms": 300}) as coordinator,
        perdure.connect(coordinator.endpoint, ambient=False) as client,
    ):
        app = write_app(tmp_path, CHARGE)
        worker = WorkerProcess(coordinator.endpoint, app, witness)
        async with killed_at_the_end(worker):
            await worker.start()
            await put_in_flight(client, witness)
            await worker.stop()

            write_app(tmp_path, edited)
            await worker.start()
            await pay_and_pack(client, EARLY, "paid", "packed")
            await pay_and_pack(client, LATE, "packed")
            await check_all_sent(client, EARLY)
            await until_status(client, "blocked", HALF)
            for id in LATE:
                diff = (await client.get(id).describe()).detail
                assert "recorded:  step 'charge'" in diff
                assert f"edited_app.py:{CHANGED_LINE + (edit == 'removed')}, in order" in diff
            await worker.stop()

            write_app(tmp_path, fixed)
            await worker.start()
            await check_all_sent(client, LATE)
            assert [] == [info async for info in client.list(status="failed")]
            once = Counter({"reserve": 1, "ship": 1})
            assert {id: once + Counter(between) for id in EARLY} == effects(witness, EARLY)
            assert {id: once + Counter(["charge"]) for id in LATE} == effects(witness, LATE)


@pytest.mark.timeout(180)
async def test_a_branch_behind_patched_blocks_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    async with (
        started_coordinator(tmp_path, settings={"resume_ms": 300}) as coordinator,
        perdure.connect(coordinator.endpoint, ambient=False) as client,
    ):
        app = write_app(tmp_path, CHARGE)
        worker = WorkerProcess(coordinator.endpoint, app, witness)
        async with killed_at_the_end(worker):
            await worker.start()
            await put_in_flight(client, witness)
            await worker.stop()

            write_app(tmp_path, PATCHED)
            await worker.start()
            await pay_and_pack(client, EARLY, "paid", "packed")
            await pay_and_pack(client, LATE, "packed")
            await check_all_sent(client, [*EARLY, *LATE])
            once = Counter(["reserve", "charge", "ship"])
            assert {id: once + Counter(["label"]) for id in EARLY} == effects(witness, EARLY)
            assert dict.fromkeys(LATE, once) == effects(witness, LATE)
