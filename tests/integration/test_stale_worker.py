"""A worker that slept through its lease wakes up and appends: the append is rejected, whole."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import perdure
from tests.integration.apps.gated import gate, through_the_gate
from tests.integration.apps.witness import seen
from tests.integration.blocks import check_journal
from tests.integration.processes import started_coordinator
from tests.integration.telling import say
from tests.integration.watching import stats_of, until, witnessed
from tests.integration.workers import WorkerProcess, killed_at_the_end

APP = "tests.integration.apps.gated"
SETTINGS = {"lease_ms": 1_000, "resume_ms": 300}

pytestmark = pytest.mark.processes


async def test_a_worker_stopped_past_its_lease_cannot_write(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        perdure.connect(coordinator.endpoint, ambient=False) as client,
    ):
        stale = WorkerProcess(coordinator.endpoint, APP, witness)
        heir = WorkerProcess(coordinator.endpoint, APP, witness)
        async with killed_at_the_end(stale, heir):
            await stale.start()
            handle = await client.start(through_the_gate, "a", id="stale")
            (begun,) = await witnessed(witness, "pass_gate a")
            assert stale.pid == begun.pid
            stale.signal(signal.SIGSTOP)
            await heir.start()
            gate(witness, heir.pid).touch()
            assert heir.pid == await handle.result(timeout=30)
            assert 0 == (await stats_of(coordinator.endpoint))["stale_commands"]

            gate(witness, stale.pid).touch()
            stale.signal(signal.SIGCONT)
            await witnessed(witness, "passed a", 2)

            async def rejected() -> bool:
                return (await stats_of(coordinator.endpoint))["stale_commands"] > 0

            await until(rejected)
            stats = await stats_of(coordinator.endpoint)
            say(f"rejected: {stats['stale_messages']:.0f} messages, {stats['stale_commands']:.0f}")
            assert heir.pid == await handle.result()
            check_journal([entry async for entry in handle.history()])

            runs = [line for line in seen(witness) if line.name == "pass_gate a"]
            assert [stale.pid, heir.pid] == [line.pid for line in runs]
            assert 1 == len({line.key for line in runs})

            await heir.kill()  # the stale one has connected again and works
            assert 8 == await (await client.start("gated", "quick", 7)).result(timeout=30)
