"""Events: `ctx.wait_for_event`, `ctx.send_event`, `client.send_event` (semantics, section 7)."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

import perdure
from perdure import DurableContext, durable
from perdure.errors import CallTimeoutError, EventTimeoutError, LimitExceededError
from tests.sdk.backends import Backend

desk = durable.service("events-desk")
SERVICES = [desk]
runs: Counter[str] = Counter()


@durable.function(service="events-desk", max_retries=0)
async def one(ctx: DurableContext, event_id: str, timeout: float | None = None) -> Any:
    return await ctx.wait_for_event(event_id, timeout=timeout)


@durable.function(service="events-desk", max_retries=0)
async def several(ctx: DurableContext, event_id: str, count: int) -> list[Any]:
    return [await ctx.wait_for_event(event_id) for _ in range(count)]


@durable.function(service="events-desk", max_retries=0)
async def at_once(ctx: DurableContext, event_id: str, count: int) -> list[Any]:
    waits = [ctx.wait_for_event(event_id) for _ in range(count)]
    return list(await asyncio.gather(*reversed(waits)))[::-1]


@durable.function(service="events-desk", max_retries=0)
async def polls(ctx: DurableContext, event_id: str) -> Any:
    try:
        return await ctx.wait_for_event(event_id, 0)
    except TimeoutError as error:
        return str(error)


@durable.function(service="events-desk", max_retries=0)
async def times_out(ctx: DurableContext, event_id: str) -> list[Any]:
    try:
        await ctx.wait_for_event(event_id=event_id, timeout=0.02)
    except TimeoutError as error:
        told = f"no event {event_id!r} came within 0.02 s" in str(error)
        kinds = isinstance(error, EventTimeoutError), isinstance(error, CallTimeoutError)
        return [type(error).__name__, told, *kinds]
    return []


@durable.function(service="events-desk", max_retries=0)
async def gives_up(ctx: DurableContext, event_id: str) -> Any:
    return await ctx.wait_for_event(event_id, timeout=0.01)


@durable.function(service="events-desk", max_retries=0)
async def asks(ctx: DurableContext, event_id: str) -> str:
    try:
        await ctx.call(gives_up, event_id)
    except EventTimeoutError as error:
        return f"the callee said: {error}"
    return ""


@durable.function(service="events-desk", max_retries=0)
async def bad_waits(ctx: DurableContext) -> list[str]:
    told = []
    waits: list[dict[str, Any]] = [
        *({"timeout": timeout} for timeout in (-1, math.nan, True, "1")),
        *({"event_id": event_id} for event_id in ("", "x" * 256)),
        {"since": "monday"},
    ]
    for arguments in waits:
        try:
            await ctx.wait_for_event(**({"event_id": "x"} | arguments))
        except ValueError as error:
            told += [word for word in ("timeout", "event id", "since") if word in str(error)]
    return told


@durable.function(service="events-desk", max_retries=0)
async def only_new(ctx: DurableContext, event_id: str) -> list[Any]:
    new = await ctx.wait_for_event(event_id, since="start")
    return [new, await ctx.wait_for_event(event_id)]


@durable.function(service="events-desk", max_retries=0)
async def gives_up_first(ctx: DurableContext, event_id: str) -> list[Any]:
    given_up = asyncio.ensure_future(ctx.wait_for_event(event_id))
    second = ctx.wait_for_event(event_id)
    await ctx.sleep(0)
    await ctx.run(seen, event_id)
    given_up.cancel()
    return [await second, await ctx.wait_for_event(event_id)]


@durable.function(service="events-desk", max_retries=0)
async def gives_up_late(ctx: DurableContext, event_id: str, go: str) -> list[Any]:
    """The first wait may be cancelled after its event was recorded, and before its delivery."""
    given_up = asyncio.ensure_future(ctx.wait_for_event(event_id))
    await ctx.wait_for_event(go)
    if given_up.cancel():
        return [await ctx.wait_for_event(event_id), await ctx.wait_for_event(event_id)]
    return [await given_up, await ctx.wait_for_event(event_id)]


@durable.function(service="events-desk", max_retries=3, retry_delay=0.01)
async def fails_after(ctx: DurableContext, event_id: str) -> Any:
    first = await ctx.wait_for_event(event_id)
    if ctx.attempt == 1:
        raise ValueError("again")
    return [first, await ctx.wait_for_event(event_id, 0.01, reuse_on_retry=False)]


@durable.function(service="events-desk", max_retries=3, retry_delay=0.01)
async def sends_and_fails(ctx: DurableContext, event_id: str) -> None:
    await ctx.send_event(event_id, {"n": 1})
    await ctx.send_event(event_id, {"n": 1})
    if ctx.attempt == 1:
        raise ValueError("again")


@durable.function(service="events-desk", max_retries=0)
async def sends(ctx: DurableContext, event_id: str, payload: Any, target: str | None) -> str:
    await perdure.ctx.send_event(event_id, payload, execution=target, dedupe_id="once")
    await ctx.send_event(event_id, payload, execution=target, dedupe_id="once")
    return "sent"


@durable.function(service="events-desk", max_retries=0)
async def event_or_sleep(ctx: DurableContext, event_id: str) -> Any:
    return await ctx.race(ctx.wait_for_event(event_id), ctx.sleep(3600))


@durable.function(service="events-desk", max_retries=0)
async def by_runs(ctx: DurableContext, event_id: str, got: list[Any]) -> list[Any]:
    given_up = ctx.wait_for_event(event_id + "-other")
    got = [*got, await ctx.wait_for_event(event_id)]
    given_up.cancel()
    if len(got) < 3:
        ctx.continue_as_new(event_id, got)
    return got


def seen(event_id: str) -> None:
    runs[event_id] += 1


for function in (
    one,
    several,
    at_once,
    polls,
    only_new,
    times_out,
    bad_waits,
    gives_up_first,
    gives_up_late,
    fails_after,
    sends_and_fails,
    sends,
    event_or_sleep,
    by_runs,
):
    desk.add_function(function)
desk.add_function(gives_up)
desk.add_function(asks)


def new_id() -> str:
    return uuid4().hex


async def test_a_waiting_execution_gets_the_event(backend: Backend) -> None:
    id = new_id()
    handle = await backend.client.start(one, id)
    await backend.until(handle.id, "event_awaited")
    await backend.client.send_event(id, {"approved": True})
    assert await handle.result(30) == {"approved": True}
    assert await backend.kinds(handle.id) == [
        "execution_created",
        "attempt_started",
        "event_awaited",
        "event_received",
        "execution_ended",
    ]


async def test_an_early_event_is_kept(backend: Backend) -> None:
    id = new_id()
    await backend.client.send_event(id, "early")
    assert await backend.run(one, id) == "early"


async def test_an_execution_consumes_events_in_the_order_they_were_sent(backend: Backend) -> None:
    id = new_id()
    for n in range(3):
        await backend.client.send_event(id, n)
    assert await backend.run(several, id, 3) == [0, 1, 2]


async def test_every_waiting_execution_gets_it_and_later_ones_too(backend: Backend) -> None:
    id = new_id()
    waiting = [await backend.client.start(one, id) for _ in range(3)]
    for handle in waiting:
        await backend.until(handle.id, "event_awaited")
    await backend.client.send_event(id, "all")
    assert [await handle.result(30) for handle in waiting] == ["all"] * 3
    assert await backend.run(one, id) == "all"


async def test_waits_of_one_run_take_events_in_the_order_of_their_commands(
    backend: Backend,
) -> None:
    id = new_id()
    handle = await backend.client.start(at_once, id, 3)
    await backend.until(handle.id, "event_awaited")
    for n in range(3):
        await backend.client.send_event(id, n)
    assert await handle.result(30) == [0, 1, 2]


async def test_what_a_wait_cancelled_before_the_event_would_get_goes_to_the_next(
    backend: Backend,
) -> None:
    id = new_id()
    handle = await backend.client.start(gives_up_first, id)
    await backend.until(handle.id, "step_completed")
    await backend.client.send_event(id, 1)
    await backend.client.send_event(id, 2)
    assert await handle.result(30) == [1, 2]


async def test_an_event_recorded_for_a_wait_that_is_cancelled_meanwhile_is_not_lost(
    backend: Backend,
) -> None:
    id, go = new_id(), new_id()
    await backend.client.send_event(go, None)
    await backend.client.send_event(id, 1)
    await backend.client.send_event(id, 2)
    assert await backend.run(gives_up_late, id, go) == [1, 2]


async def test_the_same_dedupe_id_again_is_a_no_op(backend: Backend) -> None:
    id = new_id()
    for payload in ("first", "second"):
        await backend.client.send_event(id, payload, dedupe_id="d")
    await backend.client.send_event(id, "third")
    assert await backend.run(several, id, 2) == ["first", "third"]


async def test_an_addressed_event_reaches_that_execution_only(backend: Backend) -> None:
    id, target = new_id(), new_id()
    other = await backend.client.start(one, id)
    await backend.until(other.id, "event_awaited")
    await backend.client.send_event(id, "yours", execution=target)
    assert await backend.run(one, id, id=target) == "yours"
    await backend.client.send_event(id, "everyone's")
    assert await other.result(30) == "everyone's"


async def test_since_start_ignores_what_is_older_than_the_run(backend: Backend) -> None:
    id = new_id()
    await backend.client.send_event(id, "old")
    handle = await backend.client.start(only_new, id)
    await backend.until(handle.id, "event_awaited")
    await backend.client.send_event(id, "new")
    assert await handle.result(30) == ["new", "old"]


async def test_a_timeout_is_a_builtin_timeout_error(backend: Backend) -> None:
    assert await backend.run(times_out, new_id()) == ["EventTimeoutError", True, True, False]


async def test_a_timeout_that_leaves_a_body_is_one_for_its_callers(backend: Backend) -> None:
    event_id = new_id()
    told = f"no event {event_id!r} came within 0.01 s"
    assert await backend.run(asks, event_id) == f"the callee said: {told}"
    failed = await backend.failure(gives_up, event_id)
    assert isinstance(failed.__cause__, EventTimeoutError)
    assert str(failed.__cause__) == told


async def test_a_timeout_of_zero_polls(backend: Backend) -> None:
    id = new_id()
    assert "within 0 s" in await backend.run(polls, id)
    await backend.client.send_event(id, "there")
    assert await backend.run(polls, id) == "there"


async def test_a_bad_wait_is_a_value_error_and_records_nothing(backend: Backend) -> None:
    handle = await backend.client.start(bad_waits)
    assert await handle.result(30) == ["timeout"] * 4 + ["event id"] * 2 + ["since"]
    assert "event_awaited" not in await backend.kinds(handle.id)


async def test_a_wait_that_received_an_event_is_reused(backend: Backend) -> None:
    id = new_id()
    await backend.client.send_event(id, 1)
    await backend.client.send_event(id, 2)
    handle = await backend.client.start(fails_after, id)
    assert await handle.result(30) == [1, 2]
    assert "command_reused" in await backend.kinds(handle.id)


async def test_what_an_execution_sends_is_sent_once_over_attempts(backend: Backend) -> None:
    id = new_id()
    await backend.run(sends_and_fails, id)
    assert await backend.run(several, id, 2) == [{"n": 1}, {"n": 1}]
    handle = await backend.client.start(several, id, 3)
    await backend.until(handle.id, "event_received")
    await backend.client.send_event(id, "last")
    assert (await handle.result(30))[2] == "last"


async def test_executions_send_events_to_each_other(backend: Backend) -> None:
    id, target = new_id(), new_id()
    waiting = await backend.client.start(several, id, 2, id=target)
    assert await backend.run(sends, id, "a", target) == "sent"
    assert await backend.run(sends, id, "b", None) == "sent"
    assert await waiting.result(30) == ["a", "b"]


async def test_the_loser_of_a_race_waits_no_more(backend: Backend) -> None:
    id = new_id()
    await backend.client.send_event(id, "won")
    assert await backend.run(event_or_sleep, id) == "won"


async def test_an_event_while_paused_is_there_on_resume(backend: Backend) -> None:
    id = new_id()
    handle = await backend.client.start(one, id)
    await backend.until(handle.id, "event_awaited")
    await backend.client.pause(handle.id)
    await backend.client.send_event(id, "meanwhile")
    await backend.until(handle.id, "event_received")
    await backend.client.resume(handle.id)
    assert await handle.result(30) == "meanwhile"


async def test_the_cursor_of_consumed_events_goes_on_with_the_next_run(backend: Backend) -> None:
    id = new_id()
    for n in range(3):
        await backend.client.send_event(id, n)
    assert await backend.run(by_runs, id, []) == [0, 1, 2]


async def test_a_fork_has_consumed_what_its_source_had_at_that_command(backend: Backend) -> None:
    id = new_id()
    for n in range(3):
        await backend.client.send_event(id, n)
    handle = await backend.client.start(several, id, 2)
    assert await handle.result(30) == [0, 1]
    waits = [entry.path async for entry in handle.history() if entry.kind == "event_awaited"]
    fork = await backend.client.fork(handle.id, at=waits[1])
    assert await fork.result(30) == [0, 1]


async def test_show_says_what_is_awaited(backend: Backend) -> None:
    id = new_id()
    handle = await backend.client.start(one, id)
    await backend.until(handle.id, "event_awaited")
    assert f"event '{id}'" in (await handle.describe()).waiting_for
    assert await handle.cancel()


async def test_bad_events_are_refused_at_the_edge(backend: Backend) -> None:
    send = backend.client.send_event
    for bad in ("", "x" * 256, "a\n"):
        with pytest.raises(ValueError, match="event id"):
            await send(bad)
        with pytest.raises(ValueError, match="dedupe id"):
            await send("ok", dedupe_id=bad)
        with pytest.raises(ValueError, match="execution id"):
            await send("ok", execution=bad)
    with pytest.raises(LimitExceededError, match="4194304"):
        await send("ok", "x" * 5_000_000)
