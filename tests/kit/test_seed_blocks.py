"""The users' blocks that take hours, in virtual time; each again with a crash at every write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure import RetryPolicy, durable
from perdure.testing import MemoryRuntime
from perdure.testing.crashes import run_with_crashes
from tests.seeds.circuit_breaker import circuit_breaker_service_call
from tests.seeds.custom_retry import resilient_api_integration
from tests.seeds.event_handling import event_driven_workflow

approvals = durable.service("virtual_approvals")
approvals.add_function(event_driven_workflow)
Test = Callable[[MemoryRuntime], Awaitable[None]]

MODES = {"cached": False, "suspended": True}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answered", [True, False])
async def test_the_approval_of_a_day(mode: str, answered: bool) -> None:
    runtime = MemoryRuntime(always_suspend=MODES[mode], auto_advance=False)

    async def run() -> None:
        executed = runtime.stub("processor", execute_approved="executed").execute_approved
        handle = await runtime.client.start("virtual_approvals", "event_driven_workflow", "w")
        await runtime.clock.advance(hours=23, minutes=59)
        assert await handle.read_state() == {"workflow_status": "waiting_for_approval"}
        if answered:
            await runtime.client.send_event("approval_w", {"approved": True})
        await runtime.clock.advance(minutes=1)
        if answered:
            assert await handle.result() == {"success": True, "result": "executed"}
        else:
            assert await handle.result() == {"success": False, "reason": "Approval timeout"}
        assert executed.count == answered

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 4


@pytest.mark.parametrize("mode", MODES)
async def test_the_circuit_opens_for_five_minutes(mode: str) -> None:
    """Attempts a minute apart: five fail, those of the next five minutes do not call at all."""
    runtime = MemoryRuntime(always_suspend=MODES[mode])
    asked: list[timedelta] = []

    async def run() -> None:
        began = runtime.clock.now()
        asked.clear()

        def answer(data: Any) -> dict[str, bool]:
            asked.append(runtime.clock.now() - began)
            if len({*asked}) <= 5:
                raise ConnectionError("down")
            return {"up": True}

        runtime.stub("shop", order=answer)
        call = circuit_breaker_service_call.options(retry=RetryPolicy(30, delay=60, factor=1))
        assert await call("shop", "order", {}) == {"up": True}
        calls = sorted({*asked})  # a crash repeats one of them, at the same virtual time
        assert len(calls) == 6
        assert calls[5] - calls[4] >= timedelta(minutes=5)

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 10


@pytest.mark.parametrize("mode", MODES)
async def test_the_custom_retry_sleeps_longer_each_time(mode: str) -> None:
    runtime = MemoryRuntime(always_suspend=MODES[mode])

    async def run() -> None:
        began = runtime.clock.now()
        runtime.stub("external_api", process=ConnectionError("rate_limit reached"))
        with pytest.raises(perdure.ExecutionFailed, match="rate_limit"):
            await resilient_api_integration({})
        slept = timedelta(minutes=sum(range(1, 12)))
        assert runtime.clock.now() - began >= slept

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 10
