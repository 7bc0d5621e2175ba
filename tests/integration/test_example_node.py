"""The Node example against real processes: its client, its worker, and kills in the middle.

The Node programs read nothing but the public .proto files; this test runs them as a user would,
with packages installed by npm from the lock file.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import perdure
from tests.integration.payment_provider import PaymentProvider, payment_provider
from tests.integration.processes import CoordinatorProcess, PythonProcess, started_coordinator
from tests.integration.workers import WorkerProcess, killed_at_the_end

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = ROOT / "examples" / "node"
NODE_MAJOR_MIN: Final = 18
INSTALL_TIMEOUT_S: Final = 110
ITEMS: Final = ["tea", "biscuits"]

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None,
        reason="needs node and npm in the PATH (Debian: apt-get install nodejs npm)",
    ),
]


class NodeProcess(PythonProcess):
    """`node program arguments...`."""

    def command(self) -> list[str]:
        """The program with its arguments."""
        return ["node", self.module, *self.arguments]


@dataclass(frozen=True, slots=True)
class Shop:
    """Everything that runs: coordinator, Python flow, Node handler, payment provider."""

    coordinator: CoordinatorProcess
    flows: WorkerProcess
    payments: NodeProcess
    provider: PaymentProvider
    witness: Path
    programs: Path

    def client(self, id: str) -> NodeProcess:
        """The Node client, not started."""
        arguments = ("--endpoint", self.coordinator.endpoint, "--id", id)
        return NodeProcess(
            str(self.programs / "client.mjs"),
            arguments,
            ready=re.compile(r"(ok|NOT AS EXPECTED)  started"),
            environment=ENVIRONMENT,
        )

    def witnessed(self) -> dict[tuple[str, str], list[str]]:
        """Idempotency keys by (what, order), in order."""
        found: dict[tuple[str, str], list[str]] = {}
        for line in self.witness.read_text().splitlines():
            what, order, key = line.split(" ")
            found.setdefault((what, order), []).append(key)
        return found


ENVIRONMENT: Final = {"PERDURE_PROTO": str(ROOT / "proto")}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its packages installed."""
    directory = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=directory,
        check=True,
        timeout=INSTALL_TIMEOUT_S,
    )
    return directory


@asynccontextmanager
async def opened_shop(directory: Path, programs: Path, *options: str) -> AsyncIterator[Shop]:
    """A shop whose workers are connected; `options` are those of the Node worker."""
    witness = directory / "witness"
    witness.touch()
    async with (
        payment_provider() as provider,
        started_coordinator(directory, settings={"resume_ms": 200}) as coordinator,
    ):
        place = ("--endpoint", coordinator.endpoint)
        flows = WorkerProcess(coordinator.endpoint, str(EXAMPLE / "shop.py"), directory / "python")
        payments = NodeProcess(
            str(programs / "worker.mjs"),
            (*place, "--provider", provider.endpoint, "--witness", str(witness), *options),
            ready=re.compile("registered as "),
            environment=ENVIRONMENT,
        )
        async with killed_at_the_end(flows, payments):
            await flows.start()
            await payments.start()
            yield Shop(coordinator, flows, payments, provider, witness, programs)


async def checkout(client: perdure.Client, order: str) -> perdure.ExecutionHandle[Any]:
    """Start the flow for an order of 12.5."""
    payload = {"order": order, "amount": 12.5, "items": ITEMS}
    return await client.start("shop", "checkout", payload, id=order)


async def check_recorded_once(handle: perdure.ExecutionHandle[Any]) -> None:
    """The call's result and the outcome are in the journal once each, without gaps."""
    entries = [entry async for entry in handle.history()]
    assert list(range(len(entries))) == [entry.index for entry in entries]
    kinds = Counter(entry.kind for entry in entries)
    assert (1, 1, 1) == tuple(
        kinds[kind] for kind in ("call_issued", "call_completed", "execution_ended")
    )


def test_the_digests_are_those_of_every_implementation(programs: Path) -> None:
    done = subprocess.run(
        ["node", "--test", str(programs / "digest.test.mjs")],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 0 == done.returncode, done.stdout + done.stderr


async def test_a_node_client_starts_a_python_flow_and_gets_typed_errors(
    tmp_path: Path, programs: Path
) -> None:
    async with opened_shop(tmp_path, programs) as shop:
        for _ in range(2):  # the second client attaches to what the first has started
            client = shop.client("order-1")
            async with killed_at_the_end(client):
                await client.start()
                assert 0 == await client.wait(), client.told()
            assert "all as expected" == client.output[-1]
            for name in ("InvalidArgumentError", "NotFoundError", "ProtocolError"):
                assert any(name in line for line in client.output)
    assert ["begin", "end"] == [what for what, _ in shop.witnessed()]
    assert 1 == len(shop.provider.charged)


@pytest.mark.parametrize("kills", [1, 3])
async def test_a_node_worker_killed_in_a_handler_runs_it_again_under_the_same_key(
    tmp_path: Path, programs: Path, kills: int
) -> None:
    async with (
        opened_shop(tmp_path, programs) as shop,
        perdure.connect(shop.coordinator.endpoint) as client,
    ):
        shop.provider.hold()
        handle = await checkout(client, "order-1")
        for kill in range(kills):
            await shop.provider.until_asked(kill + 1)
            await shop.payments.kill()
            await shop.payments.start()
        await shop.provider.until_asked(kills + 1)
        shop.provider.release()
        result = await handle.result(timeout=30)
        await check_recorded_once(handle)
    (key,) = shop.provider.charged
    assert {
        ("begin", "order-1"): [key] * (1 + kills),
        ("end", "order-1"): [key],
    } == shop.witnessed()
    assert {key: 12.5} == shop.provider.charged
    assert f"receipt-{key[:8]}" == result["receipt"]


async def test_a_coordinator_killed_during_a_handler_hands_it_over_again(
    tmp_path: Path, programs: Path
) -> None:
    async with (
        opened_shop(tmp_path, programs) as shop,
        perdure.connect(shop.coordinator.endpoint) as client,
    ):
        shop.provider.hold()
        handle = await checkout(client, "order-1")
        await shop.provider.until_asked(1)
        await shop.coordinator.kill()
        await shop.coordinator.start()
        await shop.provider.until_asked(2)
        shop.provider.release()
        await handle.result(timeout=30)
        await check_recorded_once(handle)
    (key,) = shop.provider.charged
    assert [key] * 2 == shop.witnessed()["begin", "order-1"]


async def test_a_cancel_of_the_flow_stops_the_node_handler(tmp_path: Path, programs: Path) -> None:
    async with (
        opened_shop(tmp_path, programs) as shop,
        perdure.connect(shop.coordinator.endpoint) as client,
    ):
        shop.provider.hold()
        handle = await checkout(client, "order-1")
        await shop.provider.until_asked(1)
        assert await handle.cancel("changed my mind")
        with pytest.raises(perdure.ExecutionCancelledError):
            await handle.result(timeout=30)
        await shop.provider.until_left()
    assert {} == shop.provider.charged
    assert [("begin", "order-1")] == list(shop.witnessed())


async def test_a_handler_cancelled_while_its_worker_was_dead_is_not_started_again(
    tmp_path: Path, programs: Path
) -> None:
    async with (
        opened_shop(tmp_path, programs) as shop,
        perdure.connect(shop.coordinator.endpoint) as client,
    ):
        shop.provider.hold()
        handle = await checkout(client, "order-1")
        await shop.provider.until_asked(1)
        await shop.payments.kill()
        assert await handle.cancel("too late")
        await shop.payments.start()
        (charge,) = [found async for found in client.list(service="payments")]
        with pytest.raises(perdure.ExecutionCancelledError):
            await client.get(charge.id).result(timeout=10)
    assert 1 == len(shop.provider.asked)


async def test_a_node_worker_asked_to_stop_finishes_its_handlers(
    tmp_path: Path, programs: Path
) -> None:
    async with (
        opened_shop(tmp_path, programs) as shop,
        perdure.connect(shop.coordinator.endpoint) as client,
    ):
        shop.provider.hold()
        handle = await checkout(client, "order-1")
        await shop.provider.until_asked(1)
        shop.payments.signal(signal.SIGTERM)
        shop.provider.release()
        assert 0 == await shop.payments.wait()
        await handle.result(timeout=30)
    assert 1 == len(shop.witnessed()["begin", "order-1"])


async def test_a_failed_handler_is_retried_under_the_same_key(
    tmp_path: Path, programs: Path
) -> None:
    async with (
        opened_shop(tmp_path, programs) as shop,
        perdure.connect(shop.coordinator.endpoint) as client,
    ):
        shop.provider.failures_left = 1
        await (await checkout(client, "order-1")).result(timeout=30)
    (key,) = shop.provider.charged
    assert [key, key] == shop.provider.asked


async def test_a_node_worker_runs_as_many_handlers_at_a_time_as_it_has_slots(
    tmp_path: Path, programs: Path
) -> None:
    async with (
        opened_shop(tmp_path, programs, "--slots", "2") as shop,
        perdure.connect(shop.coordinator.endpoint) as client,
    ):
        shop.provider.hold()
        handles = [await checkout(client, f"order-{number}") for number in range(6)]
        await shop.provider.until_asked(2)
        shop.provider.release()
        for handle in handles:
            await handle.result(timeout=30)
    assert 2 == shop.provider.open_max
    assert 6 == len(shop.provider.charged)
