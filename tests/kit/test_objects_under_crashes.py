"""Objects with a crash before and after every journal write, and the circuit breaker's minutes."""

from __future__ import annotations

import asyncio
from types import FunctionType
from typing import Any

import pytest

from perdure import DurableContext, DurableObject, ExecutionFailed, ctx, durable
from perdure.testing import MemoryRuntime
from perdure.testing.crashes import run_with_crashes
from tests.seeds.circuit_breaker import circuit_breaker_service_call
from tests.seeds.durable_objects import OrderProcessor

plain = circuit_breaker_service_call.definition.function
breaking = FunctionType(plain.__code__, plain.__globals__, "breaking")  # one code, one definition
breaking.__qualname__ = "breaking"
breaker = durable.function(service="breakers", max_retries=0, state_scope="function")(breaking)


@durable.object(service="crashing", retry_delay=1.0)
class Ledger(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.lines: list[str] = []
        self.errors = 0

    async def write(self, ctx: DurableContext, line: str) -> int:
        before = len(self.lines)
        await ctx.sleep(1)
        self.lines.append(line)
        await ctx.call("bank", "book", line)
        assert before + 1 == len(self.lines)
        return len(self.lines)

    async def stumbles(self) -> int:
        self.errors += 1
        if self.errors == 1:
            raise ConnectionError("once")
        return self.errors

    @durable.shared
    async def read(self) -> list[str]:
        return self.lines


@durable.function(service="crashing")
async def writes(ctx: DurableContext, id: str) -> list[Any]:
    ledger = await ctx.get_object(Ledger, id)
    numbers = await asyncio.gather(*[ledger.write(ctx, line) for line in "abc"])
    return [numbers, await ledger.stumbles(), await ledger.read()]


MODES = {"cached": False, "suspended": True}


@pytest.mark.parametrize("mode", MODES)
async def test_object_methods_take_effect_once(mode: str) -> None:
    runtime = MemoryRuntime(always_suspend=MODES[mode])

    async def run() -> None:
        bank = runtime.stub("bank", book=None)
        handle = await runtime.client.start(writes, "x", id="writes")
        assert [[1, 2, 3], 2, ["a", "b", "c"]] == await handle.result()
        assert ["a", "b", "c"] == bank.book.calls
        state = await runtime.client.object(Ledger, "x").get_state()
        assert {"lines": ["a", "b", "c"], "errors": 2} == state

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 10


async def test_an_order_is_paid_once() -> None:
    runtime = MemoryRuntime()

    async def run() -> None:
        runtime.stub("inventory_service", check_availability={"available": True})
        payment = runtime.stub("payment_service", charge={"success": True})
        runtime.stub("fulfillment_service", schedule={"id": "f"})
        order = runtime.client.object(OrderProcessor, "order_123")
        item = {"id": "item_1", "price": 25.0, "quantity": 2}
        added = await runtime.client.start(order.add_item, item, id="add")
        assert 1 == (await added.result())["total_items"]
        processed = await runtime.client.start(order.process_order, ctx, id="process")
        assert (await processed.result())["success"]
        assert [{"order_id": "order_123", "amount": 50.0}] == payment.charge.calls

    assert await run_with_crashes(run, runtime, "every-entry") >= 2 * 6


async def test_the_circuit_of_a_function_closes_after_five_minutes() -> None:
    runtime = MemoryRuntime(auto_advance=False)
    async with runtime.opened():
        failing = True

        def work(data: Any) -> dict[str, str]:
            if failing:
                raise ConnectionError("weak")
            return {"was": "strong"}

        weak = runtime.stub("weak", work=work)

        async def outcome() -> str:
            try:
                result: dict[str, str] = await breaker("weak", "work", {})
            except ExecutionFailed as error:
                return str(error)
            return result["was"]

        assert ["weak"] * 5 == [await outcome() for _ in range(5)]
        failing = False
        is_open = "Circuit breaker open for weak.work"
        assert is_open == await outcome()
        await runtime.clock.advance(minutes=4, seconds=50)
        assert is_open == await outcome()
        assert 5 == weak.work.count
        await runtime.clock.advance(seconds=11)
        assert ["strong", "strong"] == [await outcome(), await outcome()]
