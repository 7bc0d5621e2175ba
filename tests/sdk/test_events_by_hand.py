"""Events and promises from the shell, from blocking code, and through the unary calls."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import perdure
from perdure import DurableContext, durable
from perdure_runtime.core.client import SendEventRequest, SettlePromiseRequest
from perdure_runtime.core.payload import Payload
from perdure_runtime.wire.v1 import rpc
from tests.sdk.backends import Backend, opened

hand = durable.service("events-by-hand")


@durable.function(service="events-by-hand", max_retries=0)
async def waits(ctx: DurableContext, id: str) -> Any:
    return await ctx.wait_for_event(id)


@durable.function(service="events-by-hand", max_retries=0)
async def asks(ctx: DurableContext) -> Any:
    promise = ctx.promise("answer")
    ctx.emit(promise.token)
    try:
        return await promise
    except perdure.PerdureError as error:
        return f"failed: {error}"


for function in (waits, asks):
    hand.add_function(function)


@pytest.fixture
async def served(coordinator: str, tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(coordinator, tmp_path, [hand], 10) as backend:
        yield backend


async def perdure_command(coordinator: str, backend: Backend, *arguments: str) -> tuple[int, str]:
    """Run the command as people do; its exit code and what it said."""
    place = ("--endpoint", coordinator, "--namespace", backend.client.namespace)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "perdure",
        *arguments,
        *place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, told.decode()


async def token_of(backend: Backend, id: str) -> str:
    async for token in backend.client.get(id).stream():
        return str(token)
    raise AssertionError("it emitted nothing")


async def test_the_event_command(coordinator: str, served: Backend) -> None:
    id = uuid4().hex
    handle = await served.client.start(waits, id)
    command = ("event", id, '{"n": 1}', "--execution", handle.id, "--dedupe-id", "d", "-o", "json")
    code, told = await perdure_command(coordinator, served, *command)
    assert (code, json.loads(told)) == (0, {"id": id, "sent": True})
    assert await handle.result(30) == {"n": 1}
    code, told = await perdure_command(coordinator, served, "event", id, "{bad")
    assert code == 2
    assert "JSON" in told


async def test_the_promise_commands(coordinator: str, served: Backend) -> None:
    handle = await served.client.start(asks)
    token = await token_of(served, handle.id)
    code, told = await perdure_command(coordinator, served, "promise", "complete", token, '"yes"')
    assert (code, "settled" in told) == (0, True)
    code, told = await perdure_command(coordinator, served, "promise", "fail", token, "no")
    assert (code, "no effect" in told) == (0, True)
    assert await handle.result(30) == "yes"
    other = await served.client.start(asks)
    token = await token_of(served, other.id)
    await perdure_command(coordinator, served, "promise", "fail", token, "out of stock")
    assert await other.result(30) == "failed: out of stock"
    code, told = await perdure_command(coordinator, served, "promise", "complete", "nonsense")
    assert code == 2
    assert "not the token" in told


async def test_blocking_code(coordinator: str, served: Backend) -> None:
    id, namespace = uuid4().hex, served.client.namespace
    handle, asked = await served.client.start(waits, id), await served.client.start(asks)
    token = await token_of(served, asked.id)

    def block() -> list[bool]:
        with perdure.sync.connect(coordinator, namespace=namespace, ambient=False) as client:
            client.send_event(id, 5, dedupe_id="d")
            return [
                client.heartbeat_promise(token),
                client.complete_promise(token, 6),
                client.fail_promise(token, "late"),
            ]

    assert await asyncio.to_thread(block) == [True, True, False]
    assert [await handle.result(30), await asked.result(30)] == [5, 6]


async def test_the_unary_calls(served: Backend) -> None:
    id, namespace = uuid4().hex, served.client.namespace
    handle, asked = await served.client.start(waits, id), await served.client.start(asks)
    token = await token_of(served, asked.id)
    transport: Any = served.client.transport
    await transport._call(
        rpc.SEND_EVENT, SendEventRequest(namespace, uuid4().hex, id, Payload(b'"hi"'))
    )
    request = SettlePromiseRequest(namespace, uuid4().hex, token)
    answers = [await transport._call(rpc.SETTLE_PROMISE, request) for _ in range(2)]
    assert [answer.effect for answer in answers] == [True, True]  # one request, asked twice
    assert [await handle.result(30), await asked.result(30)] == ["hi", None]


async def test_the_history_tells_of_events(served: Backend) -> None:
    id = uuid4().hex
    await served.client.send_event(id, {"n": 1})
    handle = await served.client.start(waits, id)
    await handle.result(30)
    told = [entry async for entry in handle.history() if entry.kind.startswith("event")]
    assert [entry.kind for entry in told] == ["event_awaited", "event_received"]
    assert told[0].summary == f"waits for event {id}"
    assert told[1].value == {"n": 1}
