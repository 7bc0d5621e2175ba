"""The engine with a real store and a worker driven by hand."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import (
    ControlOperation,
    ControlRequest,
    IdPolicy,
    Outcome,
    StartRequest,
)
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    ExecutionCreated,
    ExecutionEnded,
    Recorded,
    StartOptions,
    StepCompleted,
    Target,
    TimerFired,
    TimerStarted,
)
from perdure_runtime.core.errors import AlreadyExistsError, NotFoundError
from perdure_runtime.core.ids import ExecutionKey, child_id
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import (
    Ack,
    Activate,
    Adopt,
    Append,
    Cached,
    Entries,
    Evict,
    Finish,
    MethodSpec,
    Mismatch,
)
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.retry import NO_RETRY, Retry
from perdure_runtime.memory import MemoryStore
from tests.unit.scripted_worker import ScriptedWorker

FLOW = MethodSpec("orders", "charge", "flow", retry=NO_RETRY)
HANDLER = MethodSpec("orders", "send_mail", "handler")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    fatal: list[BaseException] = []
    config = Config(resume_ms=50, cancel_grace_ms=60_000)
    engine = await Engine.open(MemoryStore(), config, on_fatal=fatal.append)
    yield engine
    await engine.stop()
    assert fatal == []


def request(id: str = "a", target: Target | None = None, **fields: Any) -> StartRequest:
    body = Payload(b"1", digest=b"d" * 16)
    return StartRequest(
        "default", uuid.uuid4().hex, id, target or Target("orders", "charge"), body, **fields
    )


def step(path: str, value: bytes = b"1") -> StepCompleted:
    return StepCompleted(path, "s", b"d" * 16, b"k" * 16, Payload(value))


def completions(message: Entries) -> bool:
    """Not an acknowledgement."""
    return not isinstance(message.items[0], Ack)


async def entries(engine: Engine, id: str = "a") -> list[Any]:
    return [r.entry async for r in engine.history("default", id)]


async def test_a_start_is_activated_and_its_result_reaches_the_waiter(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    reply = await engine.start(request())
    assert (reply.id, reply.created) == ("a", True)
    waiting = asyncio.ensure_future(engine.wait("default", "a"))
    activation = await worker.activation()
    assert [type(r.entry) for r in activation.entries] == [ExecutionCreated, AttemptStarted]
    worker.say(Append(activation.epoch, 0, 1, (step("0:1"),)))
    news = await worker.hear(Entries)
    assert news.items == (Ack(2, 1, news.items[0].time_ms),)
    worker.say(Finish(activation.epoch, 1, 2, Payload(b"42")))
    outcome: Outcome = await waiting
    assert (outcome.status, outcome.result) == (Status.COMPLETED, Payload(b"42"))
    assert (await worker.hear(Evict)).reason == "ended"
    assert [type(e).__name__ for e in await entries(engine)] == [
        "ExecutionCreated",
        "AttemptStarted",
        "StepCompleted",
        "ExecutionEnded",
    ]


async def test_a_second_start_attaches_or_is_refused(engine: Engine) -> None:
    await engine.start(request())
    assert (await engine.start(request())).created is False
    with pytest.raises(AlreadyExistsError, match="id_policy"):
        await engine.start(request(id_policy=IdPolicy.REJECT))
    with pytest.raises(AlreadyExistsError, match="another input"):
        await engine.start(
            msgspec.structs.replace(request(), input=Payload(b"2", digest=b"e" * 16))
        )
    with pytest.raises(AlreadyExistsError, match="runs orders/charge"):
        await engine.start(request(target=Target("orders", "other")))


async def test_the_same_request_answers_the_same_when_its_answer_was_lost(engine: Engine) -> None:
    first = request(id_policy=IdPolicy.REJECT)
    created = await engine.start(first)
    assert created.created
    assert await engine.start(first) == created


async def test_a_call_makes_a_child_and_its_result_comes_back(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW, HANDLER)
    await engine.start(request())
    parent = await worker.activation()
    child = child_id(ExecutionKey("default", "a"), 1, 1, "0:1")
    call = CallIssued("0:1", Target("orders", "send_mail"), Payload(b'"x"'), b"k" * 16, child)
    worker.say(Append(parent.epoch, 0, 1, (call,), idle=True))
    activation = await worker.hear(Activate)
    created = activation.entries[0].entry
    assert isinstance(created, ExecutionCreated)
    assert (activation.key.id, activation.kind, created.key_base) == (child, "handler", b"k" * 16)
    assert (await engine.describe("default", "a")).status is Status.SUSPENDED
    worker.say(Finish(activation.epoch, 0, 1, Payload(b'"sent"')))
    news = await worker.hear(Entries, completions)
    assert getattr(news.items[0], "entry", None) == CallCompleted("0:1", 1, Payload(b'"sent"'))
    assert (await engine.describe("default", "a")).status is Status.RUNNING


async def test_a_timer_wakes_a_suspended_execution(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request())
    activation = await worker.activation()
    worker.say(Append(activation.epoch, 0, 1, (TimerStarted("0:1", 5),), idle=True))
    fired = await worker.hear(Entries, completions)
    assert getattr(fired.items[0], "entry", None) == TimerFired("0:1", 1)
    started, done = (await entries(engine))[2:4]
    assert started.due_ms > 0
    times = [r.time_ms async for r in engine.history("default", "a")]
    assert times[3] >= started.due_ms, "a timer never fires early"
    assert isinstance(done, TimerFired)


async def test_an_append_with_an_old_epoch_is_rejected_whole_and_counted(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request())
    activation = await worker.activation()
    worker.say(Append(activation.epoch + 1, 0, 1, (step("0:1"), step("0:2"))))
    assert (await worker.hear(Evict)).epoch == activation.epoch + 1
    assert engine.stats.stale_commands == 2
    assert len(await entries(engine)) == 2


async def test_a_lost_worker_is_replaced_and_the_journal_is_handed_on(engine: Engine) -> None:
    first = ScriptedWorker(engine, "w1").hello(FLOW)
    await engine.start(request())
    activation = await first.activation()
    first.say(Append(activation.epoch, 0, 1, (step("0:1"),)))
    await first.hear(Entries)
    second = ScriptedWorker(engine, "w2").hello(FLOW)
    engine.disconnect(first.session_id)
    again = await second.activation()
    assert again.epoch > activation.epoch
    assert [type(r.entry) for r in again.entries] == [
        ExecutionCreated,
        AttemptStarted,
        StepCompleted,
    ]
    assert again.attempt == 1, "a crash is not a retry"


async def test_a_reconnected_worker_keeps_its_execution_and_learns_what_it_missed(
    engine: Engine,
) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request())
    activation = await worker.activation()
    worker.say(Append(activation.epoch, 0, 1, (step("0:1"), step("0:2"))))
    await worker.hear(Entries)
    engine.disconnect(worker.session_id)
    cached = Cached(activation.key, 1, 1, activation.epoch, last_index=2, acknowledged=1)
    back = ScriptedWorker(engine).hello(FLOW, cached=(cached,))
    adopted = await back.hear(Adopt)
    assert adopted.old_epoch == activation.epoch
    assert [(i.index, i.entry) for i in adopted.items if isinstance(i, Recorded)] == [
        (3, step("0:2"))
    ]
    back.say(Append(adopted.epoch, 1, 3, (step("0:2"), step("0:3"))))
    news = await back.hear(Entries)
    assert isinstance(news.items[0], Ack)
    assert (news.items[0].first_index, news.items[0].count) == (4, 1)
    assert engine.stats.adoptions == 1


async def test_a_failed_attempt_is_followed_by_another(engine: Engine) -> None:
    spec = msgspec.structs.replace(FLOW, retry=Retry(1, 1))
    worker = ScriptedWorker(engine).hello(spec)
    await engine.start(request())
    first = await worker.activation()
    failure = Failure("ValueError", "no")
    worker.say(Finish(first.epoch, 0, 1, failure=failure))
    second = await worker.activation()
    assert second.attempt == 2
    assert isinstance(second.entries[2].entry, AttemptEnded)
    worker.say(Finish(second.epoch, 0, 3, failure=failure))
    outcome = await engine.wait("default", "a")
    assert (outcome.status, outcome.failure) == (Status.FAILED, failure)


async def test_cancel_of_a_queued_execution_ends_it_at_once(engine: Engine) -> None:
    await engine.start(request())
    reply = await engine.control(
        ControlRequest("default", "r", ControlOperation.CANCEL, ("a", "b"), "why")
    )
    assert [r.effect for r in reply.results] == [True, False]
    assert reply.results[1].error_code == "NotFoundError"
    outcome = await engine.wait("default", "a")
    assert (outcome.status, outcome.reason) == (Status.CANCELLED, "why")


async def test_an_outcome_made_before_the_cancel_was_seen_wins(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request())
    activation = await worker.activation()
    await engine.control(ControlRequest("default", "r", ControlOperation.CANCEL, ("a",)))
    news = await worker.hear(Entries)
    assert isinstance(getattr(news.items[0], "entry", None), CancelRequested)
    worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
    assert (await engine.wait("default", "a")).status is Status.COMPLETED


async def test_an_execution_timeout_of_a_waiting_call_reaches_the_caller(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request())
    parent = await worker.activation()
    child = child_id(ExecutionKey("default", "a"), 1, 1, "0:1")
    call = CallIssued("0:1", Target("nobody", "m"), Payload(b"1"), b"k" * 16, child, timeout_ms=5)
    worker.say(Append(parent.epoch, 0, 1, (call,), idle=True))
    news = await worker.hear(Entries, completions)
    completed = getattr(news.items[0], "entry", None)
    assert isinstance(completed, CallCompleted)
    assert completed.failure is not None
    assert completed.failure.code is FailureCode.UNAVAILABLE


async def test_pause_takes_the_execution_from_its_worker_and_resume_replays(
    engine: Engine,
) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request())
    first = await worker.activation()
    control = ControlRequest("default", "p", ControlOperation.PAUSE, ("a",))
    await engine.control(control)
    assert (await worker.hear(Evict)).epoch == first.epoch
    assert (await engine.describe("default", "a")).status is Status.PAUSED
    await engine.control(ControlRequest("default", "q", ControlOperation.RESUME, ("a",)))
    assert (await worker.activation()).attempt == 1


async def test_a_scheduled_start_waits_for_its_time(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    later = int(4e12)
    await engine.start(request("later", options=StartOptions(start_at_ms=later)))
    await engine.start(request("now"))
    assert (await worker.activation()).key.id == "now"
    assert (await engine.describe("default", "later")).status is Status.SCHEDULED


async def test_unknown_executions_are_not_found(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await engine.wait("default", "nobody")
    with pytest.raises(NotFoundError):
        await engine.describe("default", "nobody")


async def test_what_is_on_disk_goes_on_after_a_restart() -> None:
    store = MemoryStore()
    first = await Engine.open(store, Config(), on_fatal=lambda error: None)
    worker = ScriptedWorker(first).hello(FLOW)
    await first.start(request())
    activation = await worker.activation()
    worker.say(Append(activation.epoch, 0, 1, (TimerStarted("0:1", 20),), idle=True))
    await worker.hear(Entries)
    await first.flushed()
    second = await Engine.open(store, Config(resume_ms=20), on_fatal=lambda error: None)
    worker = ScriptedWorker(second, "w2").hello(FLOW)
    again = await worker.activation()
    assert isinstance(again.entries[-1].entry, TimerFired)
    worker.say(Finish(again.epoch, 1, again.entries[-1].index, Payload(b"1")))
    assert (await second.wait("default", "a")).status is Status.COMPLETED
    assert isinstance((await entries(second))[-1], ExecutionEnded)
    await second.stop()


async def test_a_blocked_execution_is_tried_once_by_each_new_worker(engine: Engine) -> None:
    worker = ScriptedWorker(engine).hello(FLOW)
    await engine.start(request())
    worker.say(Mismatch((await worker.activation()).epoch, "recorded step 'a', attempted 'b'"))
    assert (await worker.hear(Evict)).reason == "blocked"
    described = await engine.describe("default", "a")
    assert (described.status, described.detail) == (
        Status.BLOCKED,
        "recorded step 'a', attempted 'b'",
    )
    engine.disconnect(worker.session_id)
    fixed = ScriptedWorker(engine, "w2").hello(FLOW)
    again = await fixed.activation()
    assert again.attempt == 1
    fixed.say(Finish(again.epoch, 0, 1, Payload(b"1")))
    assert (await engine.wait("default", "a")).status is Status.COMPLETED
