"""Run them with `pytest examples/tested_shop`. Installing Perdure brings the plugin."""

from __future__ import annotations

import pytest

import perdure
from examples.tested_shop.shop import order
from perdure.testing import MemoryRuntime, Stub, VirtualClock


@pytest.fixture
def payment(runtime: MemoryRuntime) -> Stub:
    runtime.stub("inventory", reserve=lambda items: {"available": True, "price": 5 * len(items)})
    runtime.stub("shipping", send="parcel-1")
    return runtime.stub("payment", charge={"id": "payment-1"})


async def test_the_parcel_leaves_after_a_day(payment: Stub, clock: VirtualClock) -> None:
    handle = await order.start(["book", "pen"])
    await clock.advance(hours=23)
    assert (await handle.describe()).status == "suspended"
    await clock.advance(hours=1)
    assert await handle.result() == {"status": "sent", "payment": "payment-1", "parcel": "parcel-1"}
    assert payment.charge.calls == [{"amount": 10}]


async def test_what_is_sold_out_costs_nothing(payment: Stub, runtime: MemoryRuntime) -> None:
    runtime.stub("inventory", reserve={"available": False})
    assert await order(["book"]) == {"status": "sold out"}  # direct calls use the runtime
    assert payment.charge.count == 0


async def test_a_broken_payment_is_tried_again(payment: Stub, runtime: MemoryRuntime) -> None:
    runtime.stub("payment", charge=ConnectionError("no line"))
    with pytest.raises(perdure.ExecutionFailed):
        await order(["book"])  # nobody takes the clock: time jumps over the back-offs
    assert payment.charge.count == 3


@pytest.mark.perdure(crash="every-entry")
async def test_no_crash_charges_twice(payment: Stub) -> None:
    assert (await order(["book"]))["status"] == "sent"
    assert payment.charge.count == 1


@pytest.mark.perdure(always_suspend=True)
async def test_the_order_survives_a_replay_at_every_await(payment: Stub) -> None:
    assert (await order(["book"]))["status"] == "sent"
