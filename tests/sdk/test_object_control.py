"""Cancels and timeouts of methods: those that run and those that wait; the lane goes on after."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from perdure import (
    CallTimeoutError,
    DurableContext,
    DurableObject,
    ExecutionCancelledError,
    ExecutionTimedOut,
    ctx,
    durable,
)
from tests.sdk.backends import PATIENCE_S, Backend

service = durable.service("lanes")
SERVICES = [service]
SOON_S = 0.15


@durable.object(max_retries=0, retry_delay=0.001)
class Gate(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.passed: list[str] = []

    async def hold(self, ctx: DurableContext, who: str) -> str:
        """Stays until it is let go, and notes how it left."""
        try:
            await ctx.wait_for_event(f"go-{self.id}")
        except BaseException:
            self.passed.append(f"{who} was thrown out")
            raise
        self.passed.append(who)
        return who

    async def pass_through(self, who: str) -> int:
        self.passed.append(who)
        return len(self.passed)


@durable.object(timeout=SOON_S, max_retries=1, retry_delay=0.001)
class Slow(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.tries = 0

    async def hold(self, ctx: DurableContext) -> int:
        self.tries += 1
        if self.tries == 1:
            await ctx.wait_for_event("never")
        return self.tries

    async def count(self) -> int:
        return self.tries


@durable.function(max_retries=0)
async def calls_with_a_timeout(ctx: DurableContext, id: str, method: str) -> str:
    """Of a call that runs, or waits in the lane."""
    try:
        await ctx.call("lanes", f"Gate.{method}", "late", key=id, timeout=SOON_S)
    except CallTimeoutError as error:
        return "timed out" if "Gate" in str(error) else str(error)
    return "in time"


for cls in (Gate, Slow):
    service.add_object(cls)
service.add_function(calls_with_a_timeout)


class Lane:
    """A gate that somebody holds, and those who wait for it."""

    def __init__(self, backend: Backend) -> None:
        self.id = uuid4().hex
        self.backend = backend
        self.gate: Any = backend.client.object(Gate, self.id)

    async def held(self, **options: Any) -> Any:
        """Have it held; the handle of the one who does."""
        handle = await self.backend.client.start(self.gate.hold, ctx, "holder", **options)
        await self.backend.until(handle.id, "event_awaited")
        return handle

    async def queued(self, who: str, **options: Any) -> Any:
        """One more who waits."""
        handle = await self.backend.client.start(self.gate.pass_through, who, **options)
        told = str((await handle.describe()).waiting_for)
        assert f"object Gate/{self.id} held by execution" in told
        return handle

    async def let_go(self) -> None:
        """Open the gate."""
        await self.backend.client.send_event(f"go-{self.id}", None)

    async def passed(self) -> list[str]:
        """Who has passed, in order."""
        passed: list[str] = (await self.gate.get_state())["passed"]
        return passed


@pytest.fixture
def lane(backend: Backend) -> Lane:
    return Lane(backend)


async def test_a_call_that_waits_is_cancelled_at_once(lane: Lane) -> None:
    holder = await lane.held()
    first, second = await lane.queued("first"), await lane.queued("second")
    assert await first.cancel()
    with pytest.raises(ExecutionCancelledError):
        await first.result(PATIENCE_S)
    assert "suspended" == str((await holder.describe()).status)
    await lane.let_go()
    assert "holder" == await holder.result(PATIENCE_S)
    assert 2 == await second.result(PATIENCE_S)
    assert ["holder", "second"] == await lane.passed()


async def test_a_call_that_runs_is_cancelled_and_the_next_one_goes(lane: Lane) -> None:
    holder = await lane.held()
    first, second = await lane.queued("first"), await lane.queued("second")
    assert await holder.cancel()
    with pytest.raises(ExecutionCancelledError):
        await holder.result(PATIENCE_S)
    assert [2, 3] == [await first.result(PATIENCE_S), await second.result(PATIENCE_S)]
    assert ["holder was thrown out", "first", "second"] == await lane.passed()


async def test_a_call_that_waits_times_out_in_the_lane(lane: Lane) -> None:
    holder = await lane.held()
    first, second = await lane.queued("first", timeout=SOON_S), await lane.queued("second")
    with pytest.raises(ExecutionTimedOut, match=f"waited for object .* held by .* {holder.id}"):
        await first.result(PATIENCE_S)
    await lane.let_go()
    assert "holder" == await holder.result(PATIENCE_S)
    assert 2 == await second.result(PATIENCE_S)
    assert ["holder", "second"] == await lane.passed()


async def test_a_call_that_runs_times_out_and_the_next_one_goes(lane: Lane) -> None:
    holder = await lane.held(timeout=2 * SOON_S)
    first = await lane.queued("first")
    with pytest.raises(ExecutionTimedOut):
        await holder.result(PATIENCE_S)
    assert 2 == await first.result(PATIENCE_S)
    assert ["holder was thrown out", "first"] == await lane.passed()


@pytest.mark.parametrize("method", ["pass_through", "hold"])
async def test_the_timeout_of_a_call_counts_the_time_in_the_lane(lane: Lane, method: str) -> None:
    holder = await lane.held()
    caller = await lane.backend.client.start(calls_with_a_timeout, lane.id, method)
    assert "timed out" == await caller.result(PATIENCE_S)
    await lane.let_go()
    assert "holder" == await holder.result(PATIENCE_S)
    assert 2 == await (await lane.backend.client.start(lane.gate.pass_through, "last")).result()
    assert ["holder", "last"] == await lane.passed()


async def test_the_timeout_of_a_call_ends_what_runs(lane: Lane) -> None:
    caller = await lane.backend.client.start(calls_with_a_timeout, lane.id, "hold")
    assert "timed out" == await caller.result(PATIENCE_S)
    assert 2 == await (await lane.backend.client.start(lane.gate.pass_through, "next")).result()
    assert ["late was thrown out", "next"] == await lane.passed()


async def test_an_attempt_that_times_out_keeps_the_lane_for_its_retry(backend: Backend) -> None:
    slow = backend.client.object(Slow, uuid4().hex)
    holder = await backend.client.start(slow.hold, ctx)
    await backend.until(holder.id, "event_awaited")
    behind = await backend.client.start(slow.count)
    assert [2, 2] == [await holder.result(PATIENCE_S), await behind.result(PATIENCE_S)]


async def test_a_cancelled_caller_takes_its_calls_out_of_the_lane(lane: Lane) -> None:
    holder = await lane.held()
    caller = await lane.backend.client.start(
        calls_with_a_timeout, lane.id, "pass_through", timeout=PATIENCE_S
    )
    await lane.backend.until(caller.id, "call_issued")
    assert await caller.cancel()
    with pytest.raises(ExecutionCancelledError):
        await caller.result(PATIENCE_S)
    await lane.let_go()
    assert "holder" == await holder.result(PATIENCE_S)
    assert ["holder"] == await lane.passed()
