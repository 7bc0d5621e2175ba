"""Executions that wait for others before they begin; remarks on executions of any status."""

from __future__ import annotations

import pytest

import perdure
from perdure import DurableContext, durable, errors
from tests.sdk.backends import PATIENCE_S, Backend

waiting = durable.service("waiting")
SERVICES = [waiting]


@durable.function
async def after_event(ctx: DurableContext, name: str) -> str:
    await ctx.wait_for_event(name)
    return name


@durable.function
async def doubled(ctx: DurableContext, number: int) -> int:
    await ctx.sleep(0)
    return 2 * number


for function in (after_event, doubled):
    waiting.add_function(function)


async def test_a_function_begins_when_others_have_completed(backend: Backend) -> None:
    client = backend.client
    ids = [(await client.start(after_event, name)).id for name in "ab"]
    last = await client.start(doubled, 21, after=ids)
    await client.send_event("a")
    await client.get(ids[0]).result(PATIENCE_S)
    info = await last.describe()
    assert (info.status, info.waiting_for) == ("scheduled", (f"execution {ids[1]}",))
    await client.send_event("b")
    assert await last.result(PATIENCE_S) == 42
    kinds = await backend.kinds(last.id)
    assert kinds[:4] == [
        *("execution_created", "dependency_changed", "dependency_changed", "attempt_started"),
    ]


async def test_a_cancelled_one_fails_or_frees_who_waits(backend: Backend) -> None:
    client = backend.client
    first = await client.start(after_event, "never")
    freed = await client.start(doubled, 1, after=[first.id], on_dependency_cancelled="ignore")
    fallen = await client.start(doubled, 2, after=[first.id], on_dependency_cancelled="cancel")
    await first.cancel()
    assert await freed.result(PATIENCE_S) == 2
    with pytest.raises(perdure.ExecutionCancelledError):
        await fallen.result(PATIENCE_S)


async def test_what_cannot_be_waited_for_is_refused(backend: Backend) -> None:
    with pytest.raises(errors.NotFoundError, match="start it first"):
        await backend.client.start(doubled, 1, after=["nobody"])
    with pytest.raises(errors.InvalidArgumentError, match="a list of ids"):
        await backend.client.start(doubled, 1, after="nobody")
    with pytest.raises(errors.InvalidArgumentError, match="on failure it is"):
        await backend.client.start(doubled, 1, on_dependency_failed="cancel")  # type: ignore[call-overload]


async def test_remarks_disturb_nobody(backend: Backend) -> None:
    client = backend.client
    handle = await client.start(after_event, "go")
    await backend.until(handle.id, "event_awaited")
    await client.annotate(handle.id, "still waiting", "ada")
    await client.annotate(handle.id, "and again")
    await client.send_event("go")
    assert await handle.result(PATIENCE_S) == "go"
    await client.annotate(handle.id, "it went")
    told = [entry.summary async for entry in handle.history() if entry.kind == "task_reported"]
    assert told == ["comment by ada: still waiting", "comment: and again", "comment: it went"]
    with pytest.raises(errors.NotFoundError):
        await client.annotate("nobody", "text")
