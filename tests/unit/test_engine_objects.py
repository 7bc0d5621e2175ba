"""Durable objects in a real engine: lanes, states, held chains, restarts (semantics, section 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import ControlOperation, ListRequest
from perdure_runtime.core.entries import AttemptStarted, CallCompleted, ExecutionCreated, Target
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError, ReentrancyError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import (
    Activate,
    Append,
    CoordinatorMessage,
    Entries,
    Finish,
    MethodSpec,
    Mismatch,
)
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.retry import NO_RETRY, Retry
from perdure_runtime.memory import MemoryStore
from tests.unit.engine_world import (
    FLOW,
    Reopened,
    call,
    completions,
    control,
    entries,
    request,
    running,
    until,
)
from tests.unit.scripted_worker import ScriptedWorker

ADD = MethodSpec("orders", "Cart.add", "object", retry=NO_RETRY)
LOOK = MethodSpec("orders", "Cart.look", "object", retry=NO_RETRY, shared=True)
RETRIED = MethodSpec("orders", "Cart.try", "object", retry=Retry(max_retries=1, delay_ms=0))
DONE = Payload(b"1")


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


def cart(id: str = "7", method: str = "add") -> Target:
    return Target("orders", f"Cart.{method}", id)


def state(value: int) -> Payload:
    return Payload(str(value).encode())


async def taken(worker: ScriptedWorker, id: str) -> Activate:
    """The activation of one execution."""
    return await worker.hear(Activate, lambda message: message.key.id == id)


def snapshot(activation: Activate) -> Payload | None:
    """What the open attempt starts from."""
    started = [r.entry for r in activation.entries if isinstance(r.entry, AttemptStarted)]
    return started[-1].object_state


def ended(activation: Activate, new_state: Payload | None = None, **fields: Any) -> Finish:
    """The body ends; it has consumed all that it was handed."""
    if "failure" not in fields:
        fields["result"] = DONE
    last = activation.entries[-1].index
    return Finish(activation.epoch, 0, last, object_state=new_state, **fields)


def activated(worker: ScriptedWorker) -> list[str]:
    """Which executions the worker got and has not been asked about yet."""
    return [told.key.id for told in worker.told if isinstance(told, Activate)]


async def holding(engine: Engine, worker: ScriptedWorker, id: str, on: str) -> Activate:
    """An execution that runs `Cart.add` of an object."""
    await engine.start(request(id, cart(on)))
    return await taken(worker, id)


async def calls(worker: ScriptedWorker, activation: Activate, target: Target, base: int = 0) -> str:
    """Its body calls a method and waits; returns the child's id."""
    issued = call(f"0:{base + 1}", activation.key.id, target=target)
    worker.say(Append(activation.epoch, base, 1, (issued,), idle=True))
    return issued.child_id


async def answer(worker: ScriptedWorker) -> CallCompleted:
    """The next completion that the worker hears of."""

    def that(message: CoordinatorMessage) -> bool:
        return isinstance(message, Entries) and completions(message)

    news = await worker.hear(Entries, that)
    entry = getattr(news.items[-1], "entry", None)
    assert isinstance(entry, CallCompleted)
    return entry


# --- states --------------------------------------------------------------------------------------


async def test_each_method_starts_from_what_the_last_one_left(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        with pytest.raises(NotFoundError, match=r"Cart/7.*never saved"):
            await engine.read_object_state("default", "Cart", "7")
        first = await holding(engine, worker, "a", "7")
        assert snapshot(first) is None
        worker.say(ended(first, state(1)))
        second = await holding(engine, worker, "b", "7")
        assert snapshot(second) == state(1)
        worker.say(ended(second))  # changes nothing
        assert snapshot(await holding(engine, worker, "c", "7")) == state(1)
        assert await engine.read_object_state("default", "Cart", "7") == state(1)
        with pytest.raises(NotFoundError):
            await engine.read_object_state("default", "Cart", "8")


async def test_the_state_survives_a_restart_and_the_executions_that_made_it(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        worker.say(ended(await holding(engine, worker, "a", "7"), state(1)))
        await engine.wait("default", "a")
        assert (await control(engine, ControlOperation.DELETE)).effect
    async with running(await database.store()) as engine:
        assert await engine.read_object_state("default", "Cart", "7") == state(1)
        worker = ScriptedWorker(engine).hello(ADD)
        assert snapshot(await holding(engine, worker, "b", "7")) == state(1)


async def test_a_failing_method_keeps_its_changes_for_its_retry(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(RETRIED)
        await engine.start(request("a", cart(method="try")))
        first = await worker.activation()
        failure = Failure("ValueError", "no")
        worker.say(ended(first, state(1), failure=failure))
        second = await worker.activation()
        assert snapshot(second) == state(1)
        worker.say(ended(second, state(2), failure=failure))
        assert (await engine.wait("default", "a")).status is Status.FAILED
        assert await engine.read_object_state("default", "Cart", "7") == state(2)


async def test_a_crash_replays_from_the_snapshot_of_the_attempt(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        worker.say(ended(await holding(engine, worker, "a", "7"), state(1)))
        await holding(engine, worker, "b", "7")
        engine.disconnect(worker.session_id)
        again = await taken(ScriptedWorker(engine, "w2").hello(ADD), "b")
        assert (again.attempt, snapshot(again)) == (1, state(1))


async def test_a_shared_method_reads_the_last_committed_state_while_one_runs(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD, LOOK)
        worker.say(ended(await holding(engine, worker, "a", "7"), state(1)))
        holder = await holding(engine, worker, "b", "7")
        for id in ("r1", "r2"):
            await engine.start(request(id, cart(method="look")))
            assert snapshot(await taken(worker, id)) == state(1)
        worker.say(ended(holder, state(2)))
        await engine.wait("default", "b")
        await engine.start(request("r3", cart(method="look")))
        assert snapshot(await taken(worker, "r3")) == state(2)


async def test_a_shared_method_that_sends_a_state_is_taken_from_its_worker(
    database: Reopened,
) -> None:
    async with running(await database.store(), max_crashes=1) as engine:
        worker = ScriptedWorker(engine).hello(LOOK)
        await engine.start(request("r", cart(method="look")))
        worker.say(ended(await worker.activation(), state(9)))
        description = await engine.describe("default", "r")
        assert description.status is Status.PAUSED
        with pytest.raises(NotFoundError):
            await engine.read_object_state("default", "Cart", "7")


# --- lanes ---------------------------------------------------------------------------------------


async def test_a_hot_object_serves_64_callers_in_their_order(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD, slots=100)
        ids = [f"m{n:02}" for n in range(64)]
        await engine.start_batch([request(id, cart()) for id in ids])
        for n, id in enumerate(ids):
            activation = await worker.activation()
            assert activation.key.id == id
            assert activated(worker) == []  # one at a time, though 99 slots are free
            assert snapshot(activation) == (state(n) if n else None)
            worker.say(ended(activation, state(n + 1)))
        await engine.wait("default", ids[-1])
        assert await engine.read_object_state("default", "Cart", "7") == state(64)


async def test_different_objects_go_in_parallel(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD, slots=100)
        for n in range(20):
            await holding(engine, worker, f"m{n}", str(n))


async def test_who_waits_says_for_which_object_and_who_has_it(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        await holding(engine, worker, "a", "7")
        await engine.start(request("b", cart()))
        waiting_for = ("object Cart/7 held by execution a",)
        assert (await engine.describe("default", "b")).waiting_for == waiting_for
        listed = {item.id: item for item in (await engine.list(ListRequest("default"))).items}
        assert listed["b"].waiting_for == waiting_for
        assert listed["a"].waiting_for == ()


async def test_the_order_survives_a_restart(database: Reopened) -> None:
    ids = ["z", "m", "a", "k", "b"]  # not the order of their keys
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        await holding(engine, worker, ids[0], "7")
        await engine.start_batch([request(id, cart()) for id in ids[1:]])
    async with running(await database.store()) as engine:
        await engine.start(request("0", cart()))
        worker = ScriptedWorker(engine, "w2").hello(ADD)
        for id in [*ids, "0"]:
            activation = await worker.activation()
            assert activation.key.id == id
            assert activated(worker) == []
            worker.say(ended(activation))


@pytest.mark.parametrize("how", ["blocked", "paused"])
async def test_a_parked_method_keeps_its_object_until_it_is_cancelled(
    database: Reopened, how: str
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        first = await holding(engine, worker, "a", "7")
        await engine.start(request("b", cart()))
        if how == "blocked":
            worker.say(Mismatch(first.epoch, "differs"))
        else:
            await control(engine, ControlOperation.PAUSE)
        assert (await engine.describe("default", "a")).status.value == how
        assert (await engine.describe("default", "b")).waiting_for
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "w1").hello(ADD)
        if how == "blocked":  # a new coordinator knows no worker: it replays once more
            again = await taken(worker, "a")
            worker.say(Mismatch(again.epoch, "differs"))
        await control(engine, ControlOperation.CANCEL)
        await taken(worker, "b")
        assert (await engine.describe("default", "a")).status is Status.CANCELLED


async def test_a_method_in_its_back_off_keeps_its_object(database: Reopened) -> None:
    slow = MethodSpec("orders", "Cart.try", "object", retry=Retry(3, delay_ms=3_600_000))
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(slow, ADD)
        await engine.start(request("a", cart(method="try")))
        first = await worker.activation()
        worker.say(ended(first, state(1), failure=Failure("ValueError", "no")))
        await engine.start(request("b", cart()))
        assert (await engine.describe("default", "a")).status is Status.SCHEDULED
        assert (await engine.describe("default", "b")).waiting_for
        assert activated(worker) == []
        await control(engine, ControlOperation.CANCEL)
        assert snapshot(await taken(worker, "b")) == state(1)


async def test_cancelling_one_that_waits_lets_the_others_keep_their_order(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        first = await holding(engine, worker, "a", "7")
        await engine.start_batch([request(id, cart()) for id in ("b", "c", "d")])
        await control(engine, ControlOperation.CANCEL, "c")
        worker.say(ended(first))
        worker.say(ended(await taken(worker, "b")))
        await taken(worker, "d")
        assert [type(entry) for entry in await entries(engine, "c")][-1:] != [AttemptStarted]


async def test_one_that_is_paused_before_it_began_lets_those_behind_it_go(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        await engine.start_batch([request(id, cart()) for id in ("a", "b")])
        await control(engine, ControlOperation.PAUSE, "a")
        worker = ScriptedWorker(engine).hello(ADD)
        first = await taken(worker, "b")
        await control(engine, ControlOperation.RESUME, "a")
        assert activated(worker) == []
        worker.say(ended(first))
        await taken(worker, "a")


async def test_a_retried_method_stands_at_the_end_of_its_lane(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        first = await holding(engine, worker, "a", "7")
        await engine.start(request("b", cart()))
        worker.say(ended(first, failure=Failure("ValueError", "no")))
        second = await taken(worker, "b")
        await control(engine, ControlOperation.RETRY, "a")
        assert (await engine.describe("default", "a")).waiting_for
        worker.say(ended(second))
        assert (await taken(worker, "a")).attempt == 2


async def test_starts_before_any_worker_was_seen_keep_their_order(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        for id, method in (("a", "add"), ("r", "look"), ("b", "add")):
            await engine.start(request(id, cart(method=method)))
        worker = ScriptedWorker(engine).hello(ADD, LOOK)
        first = await worker.activation()
        assert first.key.id == "a"
        worker.say(ended(first, state(1)))
        both = {(await worker.activation()).key.id for _ in range(2)}
        assert both == {"r", "b"}  # the reader gives its place up as soon as it is known for one


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_idle_objects_take_no_memory(count: int) -> None:
    async with running(MemoryStore(), max_finished=100) as engine:
        worker = ScriptedWorker(engine).hello(ADD, slots=1_000)
        objects = engine._shard.objects
        for first in range(0, count, 2_000):
            ids = range(first, first + 2_000)
            await engine.start_batch([request(f"m{n}", cart(str(n))) for n in ids])
            for _ in ids:
                worker.say(ended(await worker.activation(), state(1)))
            worker.told.clear()
        await until(lambda: len(objects.lanes) == 0)
        await engine.flushed()
        assert len(objects.states) <= 2_000
        assert await engine.read_object_state("default", "Cart", str(count - 1)) == state(1)


# --- chains --------------------------------------------------------------------------------------


async def test_a_call_back_to_a_held_object_fails_at_once(database: Reopened) -> None:
    """A -> function -> A: through what is in between, too."""
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD, FLOW)
        holder = await holding(engine, worker, "a", "7")
        between = await taken(worker, await calls(worker, holder, Target("orders", "charge")))
        created = between.entries[0].entry
        assert isinstance(created, ExecutionCreated)
        assert created.held == ("Cart/7",)
        back = await calls(worker, between, cart())
        completed = await answer(worker)
        assert completed.failure is not None
        assert completed.failure.code is FailureCode.REENTRANCY
        with pytest.raises(NotFoundError):
            await engine.describe("default", back)


async def test_a_method_may_call_others_of_the_class_and_shared_ones_of_its_object(
    database: Reopened,
) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD, LOOK)
        holder = await holding(engine, worker, "a", "7")
        await taken(worker, await calls(worker, holder, cart("8")))
        await taken(worker, await calls(worker, holder, cart("7", "look"), base=1))


async def test_a_send_to_the_own_object_waits_its_turn(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        holder = await holding(engine, worker, "a", "7")
        sent = call("0:1", target=cart(), detached=True)
        worker.say(Append(holder.epoch, 0, 1, (sent,)))
        assert (await engine.describe("default", sent.child_id)).waiting_for
        worker.say(Finish(holder.epoch, 1, 1, DONE))
        await taken(worker, sent.child_id)


async def test_a_start_says_what_its_starter_holds(database: Reopened) -> None:
    """A step that starts something hands on what its execution holds."""
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        await holding(engine, worker, "a", "7")
        with pytest.raises(ReentrancyError, match="Cart/7"):
            await engine.start(request("b", cart(), held=("Cart/7",)))
        await engine.start(request("c", cart("8"), held=("Cart/7",)))
        await taken(worker, "c")
        with pytest.raises(InvalidArgumentError, match="Class/id"):
            await engine.start(request("d", cart(), held=("nonsense",)))


async def test_what_a_starter_held_may_be_called_when_it_has_given_it_back(
    database: Reopened,
) -> None:
    """A step may start something and not wait for it: then its method ends, and holds nothing."""
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD, FLOW)
        holder = await holding(engine, worker, "a", "7")
        await engine.start(request("b", held=("Cart/7",)))
        started = await taken(worker, "b")
        await calls(worker, started, cart())
        failure = (await answer(worker)).failure
        assert failure is not None
        assert failure.code is FailureCode.REENTRANCY
        worker.say(ended(holder, state(1)))
        await engine.wait("default", "a")
        issued = call("0:2", "b", target=cart())
        worker.say(Append(started.epoch, 1, 2, (issued,), idle=True))
        assert state(1) == snapshot(await taken(worker, issued.child_id))


async def test_two_chains_over_three_objects_do_not_wait_for_ever(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        one = await holding(engine, worker, "one", "A")
        two = await taken(worker, await calls(worker, one, cart("B")))  # one holds A and B
        three = await holding(engine, worker, "three", "C")
        waits = await calls(worker, two, cart("C"))
        assert (await engine.describe("default", waits)).waiting_for
        youngest = await calls(worker, three, cart("A"))
        failure = (await answer(worker)).failure
        assert failure is not None
        assert (failure.code, failure.retryable) == (FailureCode.DEADLOCK, True)
        assert (await engine.describe("default", youngest)).status is Status.FAILED
        kinds = [type(entry) for entry in await entries(engine, youngest)]
        assert AttemptStarted not in kinds  # it never ran
        worker.say(Finish(three.epoch, 1, 3, DONE))
        await taken(worker, waits)  # and the other chain goes on


async def test_a_deadlock_is_found_after_a_restart(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(ADD)
        one, two = [await holding(engine, worker, id, id) for id in ("A", "B")]
        waits = await calls(worker, one, cart("B"))
        await engine.flushed()
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine, "w2").hello(ADD)
        assert (await engine.describe("default", waits)).waiting_for
        two = await taken(worker, "B")
        youngest = await calls(worker, two, cart("A"))
        await until(lambda: not engine._shard.objects._entered)
        assert (await engine.wait("default", youngest)).status is Status.FAILED


# --- registration and names ----------------------------------------------------------------------


async def test_a_class_belongs_to_one_service(database: Reopened) -> None:
    other = MethodSpec("billing", "Cart.pay", "object")
    async with running(await database.store()) as engine:
        ScriptedWorker(engine).hello(ADD)
        with pytest.raises(InvalidArgumentError, match=r"'Cart' belongs to service 'orders'"):
            ScriptedWorker(engine, "w2").hello(other)
        await engine.flushed()
    async with running(await database.store()) as engine:
        with pytest.raises(InvalidArgumentError, match="belongs to service"):
            ScriptedWorker(engine, "w2").hello(other)


async def test_an_object_method_needs_an_id(database: Reopened) -> None:
    nameless = Target("orders", "Cart.add")
    async with running(await database.store()) as engine:
        await engine.start(request("early", nameless))  # nobody knows yet what it is
        worker = ScriptedWorker(engine).hello(ADD, FLOW)
        assert (await engine.wait("default", "early")).status is Status.FAILED
        with pytest.raises(InvalidArgumentError, match="durable object"):
            await engine.start(request("a", nameless))
        await engine.start(request("b"))
        await calls(worker, await taken(worker, "b"), nameless)
        failure = (await answer(worker)).failure
        assert failure is not None
        assert failure.type_name == "InvalidArgumentError"


async def test_a_key_on_a_plain_function_makes_no_lane(database: Reopened) -> None:
    plain = MethodSpec("orders", "mail.send", "handler")
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(plain)
        for id in ("a", "b"):
            await engine.start(request(id, Target("orders", "mail.send", "same")))
            await taken(worker, id)


async def test_a_method_known_as_shared_is_exclusive_where_a_worker_says_so(
    database: Reopened,
) -> None:
    """A deploy made it exclusive: what counts is the worker that gets it."""
    async with running(await database.store()) as engine:
        old = ScriptedWorker(engine, "old").hello(LOOK)
        engine.disconnect(old.session_id)
        await engine.start_batch([request(id, cart(method="look")) for id in ("a", "b")])
        now = MethodSpec("orders", "Cart.look", "object", retry=NO_RETRY)
        worker = ScriptedWorker(engine, "new").hello(now)
        first = await worker.activation()
        other = "b" if first.key.id == "a" else "a"
        assert (await engine.describe("default", other)).status is Status.QUEUED
        assert activated(worker) == []
        worker.say(ended(first, state(1)))
        assert snapshot(await taken(worker, other)) == state(1)
