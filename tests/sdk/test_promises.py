"""Promises: `ctx.promise`, and settling them from outside (semantics, sections 2 and 5)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, durable
from perdure.errors import CallError, EventTimeoutError, InvalidArgumentError, NotFoundError
from tests.sdk.backends import Backend

office = durable.service("promises-office")
SERVICES = [office]


class OddError(Exception):
    """Not known where the promise is awaited."""


@durable.function(service="promises-office", max_retries=0)
async def asks(ctx: DurableContext) -> Any:
    promise = ctx.promise("answer")
    ctx.emit(promise.token)
    first = await promise
    return [first, await promise, promise.done()]


@durable.function(service="promises-office", max_retries=0)
async def asks_and_says_why_not(ctx: DurableContext) -> list[str]:
    promise = ctx.promise("answer")
    ctx.emit(promise.token)
    try:
        await promise
    except Exception as error:
        kinds = (ValueError, CallError, EventTimeoutError, TimeoutError)
        return [str(error), *(kind.__name__ for kind in kinds if isinstance(error, kind))]
    return []


@durable.function(service="promises-office", max_retries=0)
async def asks_impatiently(ctx: DurableContext) -> list[Any]:
    promise = ctx.promise("answer")
    ctx.emit(promise.token)
    try:
        async with asyncio.timeout(0.02):
            await promise
    except TimeoutError:
        ctx.emit("gone on")
    return [await promise]


@durable.function(service="promises-office", max_retries=0)
async def asks_with_clocks(
    ctx: DurableContext, timeout: float | None, heartbeat: float | None
) -> str:
    promise = ctx.promise("answer", timeout=timeout, heartbeat_timeout=heartbeat)
    ctx.emit(promise.token)
    try:
        return str(await promise)
    except EventTimeoutError as error:
        return str(error)


@durable.function(service="promises-office", max_retries=2, retry_delay=0.05)
async def asks_over_attempts(ctx: DurableContext) -> list[Any]:
    promise = ctx.promise("answer")
    ctx.emit([ctx.attempt, promise.token])
    if ctx.attempt == 1:
        raise ValueError("before the answer")
    answer = await promise
    if ctx.attempt == 2:
        raise ValueError("after the answer")
    return [ctx.attempt, answer, promise.token]


@durable.function(service="promises-office", max_retries=0)
async def asks_through_a_step(ctx: DurableContext) -> Any:
    promise = ctx.promise("answer")
    handed_out = await ctx.run(hand_out, promise.token)
    assert handed_out == promise.token
    return await promise


@durable.function(service="promises-office", max_retries=0)
async def never_awaits(ctx: DurableContext) -> str:
    return ctx.promise("answer").token


@durable.function(service="promises-office", max_retries=0)
async def two_of_one_name(ctx: DurableContext) -> list[Any]:
    promises = [ctx.promise("answer"), ctx.promise("answer")]
    ctx.emit([promise.token for promise in promises])
    return list(await asyncio.gather(*promises))


async def hand_out(token: str) -> str:
    """Settles at once: the promise is on disk before a step may see its token."""
    from perdure.client.ambient import ambient_client

    client = handed.get("client") or await ambient_client()
    settled.append(await client.complete_promise(token, "through a step"))
    return token


handed: dict[str, Any] = {}
settled: list[bool] = []

for function in (
    asks,
    asks_and_says_why_not,
    asks_impatiently,
    asks_with_clocks,
    asks_over_attempts,
    asks_through_a_step,
    never_awaits,
    two_of_one_name,
):
    office.add_function(function)


async def emitted(backend: Backend, id: str, count: int = 1) -> Any:
    """The last of the first `count` emitted values."""
    last: Any = None
    async with asyncio.timeout(30):
        async for value in backend.client.get(id).stream():
            last, count = value, count - 1
            if not count:
                break
    return last


async def test_a_promise_is_completed_once_by_its_token(backend: Backend) -> None:
    handle = await backend.client.start(asks)
    token = await emitted(backend, handle.id)
    assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()
    assert "promise 'answer'" in (await handle.describe()).waiting_for
    assert await backend.client.complete_promise(token, {"n": 1})
    assert not await backend.client.complete_promise(token, {"n": 2})
    assert not await backend.client.fail_promise(token, "too late")
    assert not await backend.client.heartbeat_promise(token)
    assert await handle.result(30) == [{"n": 1}, {"n": 1}, True]
    assert not await backend.client.complete_promise(token, {"n": 3})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no such order"), ["no such order", "ValueError"]),
        ("no", ["no", "CallError"]),
        (OddError("odd"), ["odd", "CallError"]),
    ],
)
async def test_a_promise_fails_with_what_it_was_given(
    backend: Backend, error: Exception | str, expected: list[str]
) -> None:
    handle = await backend.client.start(asks_and_says_why_not)
    assert await backend.client.fail_promise(await emitted(backend, handle.id), error)
    assert await handle.result(30) == expected


async def test_an_await_that_is_cancelled_leaves_the_promise_as_it_is(backend: Backend) -> None:
    handle = await backend.client.start(asks_impatiently)
    token = await emitted(backend, handle.id)
    assert await emitted(backend, handle.id, 2) == "gone on"
    assert await backend.client.complete_promise(token, "late")
    assert await handle.result(30) == ["late"]


async def test_a_promise_times_out(backend: Backend) -> None:
    handle = await backend.client.start(asks_with_clocks, 0.05, None)
    assert await handle.result(30) == "promise 'answer' was not settled in time"
    assert not await backend.client.complete_promise(await emitted(backend, handle.id), 1)


async def test_a_promise_without_a_heartbeat_times_out(backend: Backend) -> None:
    handle = await backend.client.start(asks_with_clocks, None, 0.05)
    assert await handle.result(30) == "promise 'answer' has had no heartbeat in time"


async def test_heartbeats_keep_a_promise_open(backend: Backend) -> None:
    handle = await backend.client.start(asks_with_clocks, 60, 0.5)
    token = await emitted(backend, handle.id)
    loop = asyncio.get_running_loop()
    end = loop.time() + 1.2
    while loop.time() < end:
        assert await backend.client.heartbeat_promise(token)
        await asyncio.sleep(0.02)
    assert await backend.client.complete_promise(token, "alive")
    assert await handle.result(30) == "alive"


async def test_one_token_over_attempts_and_the_answer_is_reused(backend: Backend) -> None:
    handle = await backend.client.start(asks_over_attempts)
    _, token = await emitted(backend, handle.id)
    assert await backend.client.complete_promise(token, "for all attempts")
    assert await handle.result(30) == [3, "for all attempts", token]
    kinds = await backend.kinds(handle.id)
    assert kinds.count("promise_settled") <= 2


async def test_the_promise_is_on_disk_before_a_step_sees_its_token(backend: Backend) -> None:
    handed["client"] = None
    settled.clear()
    assert await backend.run(asks_through_a_step) == "through a step"
    assert settled[0] is True


async def test_promises_of_one_name_are_different(backend: Backend) -> None:
    handle = await backend.client.start(two_of_one_name)
    first, second = await emitted(backend, handle.id)
    assert await backend.client.complete_promise(second, 2)
    assert await backend.client.complete_promise(first, 1)
    assert await handle.result(30) == [1, 2]


async def test_a_promise_that_nobody_awaited_ends_with_its_execution(backend: Backend) -> None:
    token = await backend.run(never_awaits)
    assert not await backend.client.complete_promise(token, 1)


async def test_tokens_are_checked(backend: Backend) -> None:
    token = await backend.run(never_awaits)
    for bad in ("", "x", "prm1.AAAA", token[:-1], token + "A", token.swapcase(), "é" + token):
        with pytest.raises(InvalidArgumentError, match="token"):
            await backend.client.complete_promise(bad, 1)
    with pytest.raises(InvalidArgumentError, match="exception or a message"):
        await backend.client.fail_promise(token, 5)  # type: ignore[arg-type]
    await backend.client.delete((await anext(backend.client.list(limit=1))).id)
    with pytest.raises(NotFoundError):
        await backend.client.complete_promise(token, 1)


async def test_the_token_of_another_namespace_is_refused(backend: Backend) -> None:
    from perdure_runtime.core.ids import ExecutionKey
    from perdure_runtime.core.tokens import PromiseAddress, promise_token

    foreign = promise_token(PromiseAddress(ExecutionKey(uuid4().hex, "x"), 1, b"k" * 16))
    with pytest.raises(InvalidArgumentError, match="namespace"):
        await backend.client.complete_promise(foreign, 1)
