"""Durable objects on every backend (semantics, section 6)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest

from perdure import (
    DurableContext,
    DurableObject,
    ExecutionFailed,
    NotFoundError,
    ReentrancyError,
    ctx,
    durable,
)
from perdure.errors import SerializationError, SharedMethodError
from tests.sdk.backends import PATIENCE_S, Backend

service = durable.service("objects")
SERVICES = [service]
runs: Counter[str] = Counter()
orders: defaultdict[str, list[str]] = defaultdict(list)


@durable.object(retry_delay=0.001)
class Account(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.balance: int = 0
        self.seen: list[str] = []
        self.opened = datetime(2020, 1, 1, tzinfo=UTC)
        self.limits: dict[str, Decimal] = {}
        self._cache = "fresh"

    async def add(self, amount: int, who: str = "") -> int:
        self.balance += amount
        self.seen.append(who)
        return self.balance

    async def middle(self, first: int, context: DurableContext, *, last: str = "z") -> str:
        await context.sleep(0.001)
        return f"{context.name}:{first}{last}"

    async def slow_add(self, ctx: DurableContext, amount: int) -> int:
        before = self.balance
        await ctx.sleep(0.002)
        await ctx.run(note, self.id)
        self.balance = before + amount
        return self.balance

    async def kinds(self) -> list[str]:
        self.limits["day"] = Decimal("1.5")
        return [type(self.opened).__name__, *(type(each).__name__ for each in self.limits.values())]

    async def use_cache(self) -> str:
        was, self._cache = self._cache, "used"
        return was

    async def raises(self) -> int:
        self.balance += 10
        runs[self.id] += 1
        if runs[self.id] < 3:
            raise ConnectionError("not now")
        return self.balance

    async def breaks_itself(self) -> None:
        self.limits = {"day": object()}  # type: ignore[dict-item]

    async def forgets_its_types(self) -> None:
        self.limits = {"day": "much"}  # type: ignore[dict-item]

    async def calls_itself(self, ctx: DurableContext) -> Any:
        mine = await ctx.get_object(Account, self.id)
        return await mine.add(1)

    async def reads_itself(self, ctx: DurableContext) -> list[int]:
        self.balance += 1
        mine = await ctx.get_object(Account, self.id)
        return [self.balance, await mine.read()]

    async def goes_around(self, other: str) -> int:
        return await (await Account.get_or_create(other)).comes_back(self.id)

    async def comes_back(self, first: str) -> int:
        return await (await Account.get_or_create(first)).add(1)

    def helper(self) -> int:
        return self.balance

    @durable.shared
    async def read(self) -> int:
        return self.helper()

    @durable.shared
    async def writes_though_shared(self) -> None:
        self.balance += 1


@durable.object(on_error="rollback", retry_delay=0.001, max_retries=1)
class Careful(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.count = 0

    async def add(self, fails: bool = False) -> int:
        self.count += 1
        if fails:
            raise ValueError(f"at {self.count}")
        return self.count


def note(tag: str) -> None:
    runs[tag] += 1


@durable.function
async def from_inside(ctx: DurableContext, id: str) -> list[Any]:
    account = await ctx.get_object(Account, id)
    added = await asyncio.gather(*[account.slow_add(ctx, 1) for _ in range(5)])
    return [sorted(added), await account.read(), (await account.get_state())["balance"]]


@durable.function(max_retries=1, retry_delay=0.001)
async def reads_again(ctx: DurableContext, id: str) -> list[Any]:
    account = await Account.get_or_create(id)
    read = [await account.read(), (await account.get_state())["balance"], await account.add(1)]
    if ctx.attempt == 1:
        await account.add(100)
        raise ConnectionError("once more")
    return read


@durable.function
async def state_of_nothing(ctx: DurableContext, id: str) -> str:
    try:
        await (await ctx.get_object(Account, id)).get_state()
    except NotFoundError as error:
        return str(error)
    return ""


@durable.function
async def keeps_its_context(ctx: DurableContext) -> str:
    kept["context"] = ctx
    account = await ctx.get_object(Account, "x")
    try:
        await account.slow_add(kept["other"], 1)
    except ValueError as error:
        return str(error)
    return "no error"


@durable.function
async def other_execution(ctx: DurableContext, id: str) -> None:
    kept["other"] = ctx
    await ctx.sleep(60)


kept: dict[str, DurableContext] = {}


@durable.function
async def adds_many(ctx: DurableContext, id: str, who: str) -> list[int]:
    account = await ctx.get_object(Account, id)
    return [await account.add(1, f"{who}-{number}") for number in range(3)]


@durable.function(max_concurrent_steps=1)
async def with_one_slot(ctx: DurableContext, id: str) -> list[int]:
    account = await ctx.get_object(Account, id)
    first = ctx.run(slow_note, id)
    second = account.add(1)
    return [await second, await first]


async def slow_note(tag: str) -> int:
    account = await Account.get_or_create(tag)
    while await account.read() == 0:  # that call goes on although this step has the only slot
        await asyncio.sleep(0.005)
    return 7


@durable.function
async def sends(ctx: DurableContext, id: str) -> int:
    account = await ctx.get_object(Account, id)
    named = await ctx.call("objects", "Account.add", {"amount": 1}, key=id)
    called = await ctx.call(account.add, 1, "called")
    (spawned,) = await ctx.spawn([(account.add, 1, "spawned")])
    await ctx.send(account.add, 1, "sent")
    assert [1, 2, 3] == [named, called, spawned]
    return await account.add(1)


@durable.step
async def calls_from_a_step(id: str) -> int:
    account = await Account.get_or_create(id)
    return await account.add(5)


@durable.function
async def with_a_step(ctx: DurableContext, id: str) -> int:
    return await calls_from_a_step(id)


service.add_object(Account)
service.add_object(Careful)
for function in (
    from_inside,
    reads_again,
    state_of_nothing,
    keeps_its_context,
    other_execution,
    adds_many,
    with_one_slot,
    sends,
    with_a_step,
):
    service.add_function(function)


def new(backend: Backend, cls: type[Any] = Account) -> Any:
    return backend.client.object(cls, uuid4().hex)


async def test_attributes_are_saved_and_typed_again(backend: Backend) -> None:
    account = new(backend)
    assert [1, 3] == [await account.add(1, "a"), await account.add(2, "b")]
    assert ["datetime", "Decimal"] == await account.kinds()
    state = await account.get_state()
    assert {
        "balance": 3,
        "seen": ["a", "b"],
        "opened": "2020-01-01T00:00:00Z",
        "limits": {"day": Decimal("1.5")},
    } == state


async def test_attributes_with_an_underscore_are_made_anew(backend: Backend) -> None:
    account = new(backend)
    assert ["fresh", "fresh"] == [await account.use_cache(), await account.use_cache()]


async def test_get_or_create_writes_nothing(backend: Backend) -> None:
    account = new(backend)
    with pytest.raises(NotFoundError, match="never saved"):
        await account.get_state()
    assert "never saved" in await backend.run(state_of_nothing, account.id)
    assert [] == [each async for each in backend.client.list(method="Account.add")]


async def test_a_context_is_injected_where_one_is_declared(backend: Backend) -> None:
    account = new(backend)
    assert "Account.middle:1z" == await account.middle(1)
    assert "Account.middle:1y" == await account.middle(1, last="y")
    assert "Account.middle:1y" == await account.middle(1, ctx, last="y")
    assert "Account.middle:2z" == await account.middle(2, None)
    assert "Account.middle:2z" == await account.middle(2, context=None)


async def test_methods_of_one_object_run_one_by_one_from_inside_too(backend: Backend) -> None:
    account = new(backend)
    assert [[1, 2, 3, 4, 5], 5, 5] == await backend.run(from_inside, account.id)
    assert 5 == runs[account.id]


async def test_what_a_method_changed_before_it_raised_is_kept(backend: Backend) -> None:
    account = new(backend)
    assert 30 == await account.raises()
    assert 30 == await account.read()


async def test_rollback_gives_up_what_a_failed_attempt_changed(backend: Backend) -> None:
    careful = new(backend, Careful)
    assert 1 == await careful.add()
    with pytest.raises(ExecutionFailed, match="at 2") as caught:
        await careful.add(fails=True)
    assert isinstance(caught.value.__cause__, ValueError)
    assert {"count": 1} == await careful.get_state()


async def test_a_shared_method_that_changed_attributes_fails(backend: Backend) -> None:
    account = new(backend)
    await account.add(1)
    with pytest.raises(ExecutionFailed, match="shared") as caught:
        await account.writes_though_shared()
    assert isinstance(caught.value.__cause__, SharedMethodError)
    assert 1 == await account.read()


async def test_a_state_that_cannot_be_read_back_is_refused(backend: Backend) -> None:
    account = new(backend)
    await account.add(1)
    for method in (account.breaks_itself, account.forgets_its_types):
        with pytest.raises(ExecutionFailed, match="limits") as caught:
            await method()
        assert SerializationError.__name__ == caught.value.type_name
    assert 2 == await account.add(1)


async def test_reads_are_not_reused_by_a_retry(backend: Backend) -> None:
    account = new(backend)
    await account.add(0)
    assert [101, 101, 1] == await backend.run(reads_again, account.id)


async def test_a_call_of_what_the_caller_holds_is_refused_at_once(backend: Backend) -> None:
    account, other = new(backend), new(backend)
    with pytest.raises(ExecutionFailed, match=account.id) as caught:
        await account.calls_itself()
    assert isinstance(caught.value.__cause__, ReentrancyError)
    with pytest.raises(ExecutionFailed, match=account.id) as caught:
        await account.goes_around(other.id)
    assert "ReentrancyError" == caught.value.type_name
    assert 1 == await account.add(1)


async def test_a_shared_method_of_ones_own_object_reads_the_last_commit(backend: Backend) -> None:
    account = new(backend)
    await account.add(1)
    assert [2, 1] == await account.reads_itself()


async def test_a_context_of_another_execution_is_refused(backend: Backend) -> None:
    other = await backend.client.start(other_execution, "x")
    await backend.until(other.id, "timer_started")
    assert "not the caller's own" in await backend.run(keeps_its_context)
    with pytest.raises(ValueError, match="not the caller's own"):
        await new(backend).slow_add(kept["context"], 1)
    await other.cancel()


async def test_object_calls_take_no_slot(backend: Backend) -> None:
    assert [1, 7] == await backend.run(with_one_slot, new(backend).id)


async def test_methods_are_called_and_sent_like_functions(backend: Backend) -> None:
    account = new(backend)
    assert 5 == await backend.run(sends, account.id)
    assert ["", "called", "spawned", "sent", ""] == (await account.get_state())["seen"]
    handle = await backend.client.start(account.add, 1, "started", id=uuid4().hex)
    assert 6 == await handle.result(PATIENCE_S)


async def test_a_step_calls_an_object_once(backend: Backend) -> None:
    account = new(backend)
    assert 5 == await backend.run(with_a_step, account.id)


async def test_one_hot_object_with_64_callers_loses_nothing(backend: Backend) -> None:
    account = new(backend)

    async def caller(who: str) -> list[int]:
        return [await account.add(1, f"{who}-{number}") for number in range(3)]

    clients = [caller(f"client{number}") for number in range(32)]
    functions = [backend.run(adds_many, account.id, f"function{number}") for number in range(32)]
    async with asyncio.timeout(4 * PATIENCE_S):
        results = await asyncio.gather(*clients, *functions)
    assert list(range(1, 193)) == sorted(chain.from_iterable(results))
    state = await account.get_state()
    assert 192 == state["balance"]
    assert 192 == len(set(state["seen"]))
    for kind in ("client", "function"):
        for number in range(32):
            mine = [each for each in state["seen"] if each.startswith(f"{kind}{number}-")]
            assert [f"{kind}{number}-{each}" for each in range(3)] == mine


async def test_calls_are_served_in_the_order_of_their_starts(backend: Backend) -> None:
    account = new(backend)
    handles = [await backend.client.start(account.add, 1, str(number)) for number in range(20)]
    assert list(range(1, 21)) == [await handle.result(PATIENCE_S) for handle in handles]
    assert list(map(str, range(20))) == (await account.get_state())["seen"]
