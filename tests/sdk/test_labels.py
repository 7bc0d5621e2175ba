"""Labels: what executions are found and steered by, given at their start and never changed."""

from __future__ import annotations

import pytest

from perdure import DurableContext, durable
from perdure.errors import InvalidArgumentError, LimitExceededError
from perdure_runtime.core.client import ListRequest, StartRequest
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.payload import NULL
from tests.sdk.backends import Backend


@durable.function
async def waits(ctx: DurableContext) -> str:
    return str(await ctx.wait_for_event(f"go-{ctx.execution_id}"))


service = durable.service("labels")
service.add_function(waits)
SERVICES = [service]


async def ids(backend: Backend, **filter: object) -> list[str]:
    return [info.id async for info in backend.client.list(**filter)]  # type: ignore[arg-type] # any


async def test_executions_are_found_by_all_of_the_labels(backend: Backend) -> None:
    client = backend.client
    for id, labels in (
        ("a", {"team": "red", "tier": "1"}),
        ("b", {"team": "red"}),
        ("c", {"team": "blue", "tier": "1"}),
        ("d", {}),
    ):
        await client.start(waits, id=id, labels=labels)
    await waits.options(id="e", labels={"team": "red"}).start()
    assert ["e", "b", "a"] == await ids(backend, labels={"team": "red"})
    assert ["a"] == await ids(backend, labels={"tier": "1", "team": "red"})
    assert ["e"] == await ids(backend, labels={"team": "red"}, limit=1)
    assert [] == await ids(backend, labels={"team": "RED"})
    assert {"team": "red", "tier": "1"} == (await client.get("a").describe()).labels
    assert {} == (await client.get("d").describe()).labels


async def test_labels_stay_through_the_life_of_an_execution_and_go_with_it(
    backend: Backend,
) -> None:
    client = backend.client
    handle = await client.start(waits, id="x", labels={"team": "red"})
    attached = await client.start(waits, id="x", labels={"team": "blue"})
    assert not attached.created
    assert [] == await ids(backend, labels={"team": "blue"})
    await client.send_event("go-x", "now")
    assert "now" == await handle.result(30)
    assert ["x"] == await ids(backend, labels={"team": "red"}, status="completed")
    paths = [entry.path async for entry in handle.history() if entry.path]
    fork = await client.fork("x", at=paths[0], new_id="y")
    await client.send_event("go-y", "too")
    await fork.result(30)
    assert ["y", "x"] == await ids(backend, labels={"team": "red"})
    assert await client.delete("x")
    assert ["y"] == await ids(backend, labels={"team": "red"})


async def test_many_are_steered_by_label(backend: Backend) -> None:
    client = backend.client
    for id in ("a", "b", "c"):
        await client.start(waits, id=id, labels={"batch": "1" if id != "c" else "2"})
    results = await client.control("cancel", labels={"batch": "1"})
    assert ["b", "a"] == [result.id for result in results]
    with pytest.raises(InvalidArgumentError, match="say which"):
        await client.control("cancel", ids=["a"], labels={"batch": "1"})


async def test_a_coordinator_refuses_labels_beyond_the_limits(backend: Backend) -> None:
    transport, namespace = backend.client.transport, backend.client.namespace
    for labels, error in (
        ({"": "x"}, InvalidArgumentError),
        ({"x": ""}, InvalidArgumentError),
        ({"x": "a\nb"}, InvalidArgumentError),
        ({"x": "y" * 256}, LimitExceededError),
        ({str(number): "x" for number in range(33)}, LimitExceededError),
    ):
        options = StartOptions(labels=labels)
        request = StartRequest(namespace, "r", "id", Target("labels", "waits"), NULL, options)
        with pytest.raises(error):
            await transport.start(request)
        with pytest.raises(error):
            await transport.list(ListRequest(namespace, labels=labels))
