"""The users' blocks over real server and worker processes, each killed at every place.

As in `test_kill_embedded`, but here only one of the two dies: a worker's death must cost no more
than the bodies that it was running, a coordinator's no result at all.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.integration.blocks import BLOCKS, CORRESPONDENCE, PATTERNS, SHARED_CHILD, Block
from tests.integration.kills import (
    COORDINATOR_POINTS,
    SETTINGS,
    WORKER_POINTS,
    kill_coordinators,
    kill_workers,
)
from tests.integration.processes import PythonProcess, started_coordinator
from tests.integration.telling import say
from tests.integration.workers import WorkerProcess, worker_environment

AT_ONCE = 4
REGISTERED = BLOCKS[:2]  # what the block on registering services registers
REGISTERED_AT = re.compile("registered at ")

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(600)]


def whole(endpoint: str, witness: Path, namespace: str, point: str) -> PythonProcess:
    """A worker for all blocks and what they call; it replays all the time if that is the point."""
    options = ("--max-cached", "0") if point == "mid-replay" else ()
    app = "tests.integration.apps.primitives"
    return WorkerProcess(endpoint, app, witness, *options, namespace=namespace)


def shared_child(endpoint: str, witness: Path, namespace: str, point: str) -> PythonProcess:
    """A worker for the flow whose calls share a child."""
    options = ("--max-cached", "0") if point == "mid-replay" else ()
    app = "tests.integration.apps.shared_child"
    return WorkerProcess(endpoint, app, witness, *options, namespace=namespace)


def patterns(endpoint: str, witness: Path, namespace: str, point: str) -> PythonProcess:
    """A worker for the blocks on objects and on performance, and what they call."""
    app = "tests.integration.apps.patterns"
    return WorkerProcess(endpoint, app, witness, namespace=namespace)


def correspondence(endpoint: str, witness: Path, namespace: str, point: str) -> PythonProcess:
    """A worker for the flows that write to each other; its steps reach the coordinator too."""
    options = ("--max-cached", "0") if point == "mid-replay" else ()
    app = "tests.integration.apps.correspondence"
    worker = WorkerProcess(endpoint, app, witness, *options, namespace=namespace)
    worker.environment |= {"PERDURE_ENDPOINT": endpoint, "PERDURE_NAMESPACE": namespace}
    return worker


def callees(endpoint: str, witness: Path, namespace: str, point: str) -> PythonProcess:
    """A worker for what the blocks call."""
    return WorkerProcess(endpoint, "tests.integration.apps.callees", witness, namespace=namespace)


def registration(endpoint: str, witness: Path, namespace: str, point: str) -> PythonProcess:
    """The worker that the users' block on registering services is."""
    environment = worker_environment(witness)
    environment |= {"PERDURE_ENDPOINT": endpoint, "PERDURE_NAMESPACE": namespace}
    app = "tests.integration.apps.registration"
    return PythonProcess(app, (), ready=REGISTERED_AT, environment=environment)


async def fight(
    room: asyncio.Semaphore, block: Block, what: str, kills: Coroutine[Any, Any, tuple[int, int]]
) -> None:
    """Wait for a place among the few that fight at once, then for the kills: there must be some."""
    async with room:
        count, again = await kills
    say(f"{block.name}: {what}: {count} kills, {again} bodies ran again")
    assert count or ("timer-fired" in what and block.name != "process_data")


async def test_a_worker_killed_anywhere_costs_only_what_it_ran(tmp_path: Path) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        for block in BLOCKS:
            for point in WORKER_POINTS:
                folder = tmp_path / f"{block.name}-{point}"
                kills = kill_workers(block, point, folder, coordinator.endpoint, whole)
                group.create_task(fight(room, block, f"worker at {point}", kills))


async def test_a_coordinator_killed_anywhere_loses_nothing(tmp_path: Path) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for block in BLOCKS:
            for point in COORDINATOR_POINTS:
                kills = kill_coordinators(block, point, tmp_path / f"{block.name}-{point}", whole)
                group.create_task(fight(room, block, f"coordinator at {point}", kills))


async def test_calls_that_share_a_child_outlive_kills(tmp_path: Path) -> None:
    """What goes between executions by the outbox arrives once, whoever dies meanwhile."""
    room, block = asyncio.Semaphore(AT_ONCE), SHARED_CHILD
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        for point in WORKER_POINTS:
            folder = tmp_path / point
            kills = kill_workers(block, point, folder, coordinator.endpoint, shared_child)
            group.create_task(fight(room, block, f"worker at {point}", kills))
        for point in COORDINATOR_POINTS:
            kills = kill_coordinators(block, point, tmp_path / point, shared_child)
            group.create_task(fight(room, block, f"coordinator at {point}", kills))


async def test_orders_and_many_items_outlive_kills(tmp_path: Path) -> None:
    """Objects: one hit of four. The block on performance, with two batches: one of a hundred."""
    room = asyncio.Semaphore(AT_ONCE)
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        for block in PATTERNS:
            point = "after-step-body"
            folder = tmp_path / f"{block.name}-{point}"
            kills = kill_workers(block, point, folder, coordinator.endpoint, patterns)
            group.create_task(fight(room, block, f"worker at {point}", kills))
            for point in ("in-commit", "after-commit-before-ack"):
                kills = kill_coordinators(
                    block, point, tmp_path / f"{block.name}-{point}", patterns
                )
                group.create_task(fight(room, block, f"coordinator at {point}", kills))


async def test_events_and_promises_outlive_kills(tmp_path: Path) -> None:
    """What is sent is got once, by whom it is for, whoever dies between the sending and the end."""
    room, block = asyncio.Semaphore(AT_ONCE), CORRESPONDENCE
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        for point in WORKER_POINTS:
            folder = tmp_path / point
            kills = kill_workers(block, point, folder, coordinator.endpoint, correspondence)
            group.create_task(fight(room, block, f"worker at {point}", kills))
        for point in (*COORDINATOR_POINTS, "before-delivery"):
            kills = kill_coordinators(block, point, tmp_path / point, correspondence)
            group.create_task(fight(room, block, f"coordinator at {point}", kills))


async def test_the_block_on_registering_services_outlives_kills(tmp_path: Path) -> None:
    """Its worker, the one with the called services, and the coordinator are killed in turn."""
    room = asyncio.Semaphore(AT_ONCE)
    process_data, data_pipeline = REGISTERED
    async with (
        started_coordinator(tmp_path, settings=SETTINGS) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        place = coordinator.endpoint
        for point in ("after-step-body", "after-step-report"):
            folder = tmp_path / f"own-{point}"
            kills = kill_workers(data_pipeline, point, folder, place, registration, callees)
            group.create_task(fight(room, data_pipeline, f"its worker at {point}", kills))
            folder = tmp_path / f"other-{point}"
            kills = kill_workers(process_data, point, folder, place, callees, registration)
            group.create_task(fight(room, process_data, f"the other worker at {point}", kills))
        for block in REGISTERED:
            point = "after-commit-before-ack"
            folder = tmp_path / f"{block.name}-{point}"
            kills = kill_coordinators(block, point, folder, registration, callees)
            group.create_task(fight(room, block, f"registered, coordinator at {point}", kills))
