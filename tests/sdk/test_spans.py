"""Spans are told once, whatever is replayed; ids are derived; trace context goes everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import opentelemetry.trace
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

import perdure
from perdure import DurableContext, ctx, durable
from perdure_runtime.core.entries import ExecutionCreated
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.trace import attempt_span_id, command_span_id, start_span_id
from tests.sdk.backends import Backend
from tests.sdk.tracing import Told, parent_id, site, span_id, trace_id, traced

SERVICE = durable.service("traced", "1.0.0")
SERVICES = [SERVICE]
FAILURES: dict[str, int] = {}


async def charge(amount: int) -> int:
    with opentelemetry.trace.get_tracer("user").start_as_current_span("post to the bank"):
        return amount * 2


def in_thread(amount: int) -> int:
    with opentelemetry.trace.get_tracer("user").start_as_current_span("read a file"):
        return amount


async def fails_once(name: str) -> str:
    FAILURES[name] = FAILURES.get(name, 0) + 1
    if FAILURES[name] == 1:
        raise ValueError("the bank is closed")
    return name


@durable.function
async def pay(ctx: DurableContext, amount: int) -> int:
    return int(await ctx.run(charge, amount))


@durable.function
async def order(ctx: DurableContext, amount: int) -> int:
    await ctx.run(in_thread, amount)
    paid = await pay(amount)
    await ctx.sleep(0.01)
    return int(await ctx.run("ship", charge, paid))


@durable.function(max_retries=1, retry_delay=0.001)
async def stumbles(ctx: DurableContext, name: str) -> str:
    return str(await ctx.run(fails_once, name))


@durable.function
async def tries_again(ctx: DurableContext, name: str) -> str:
    retry = perdure.RetryPolicy(max_retries=2, delay=0.001)
    return str(await ctx.run(fails_once, name, retry=retry))


@durable.function(max_retries=0)
async def gives_up(ctx: DurableContext) -> None:
    raise ValueError("no")


@durable.function
async def sends(ctx: DurableContext) -> str:
    return await ctx.send(pay, 1)


@durable.function
async def waits(ctx: DurableContext) -> None:
    await ctx.sleep(3600)


@durable.function
async def approval(ctx: DurableContext) -> list[object]:
    event = await ctx.wait_for_event("approval")
    promise = ctx.promise("receipt")
    await ctx.state.set("token", promise.token)
    return [event, await promise]


@durable.function
async def approves(ctx: DurableContext) -> None:
    await ctx.send_event("approval", "by a flow")


@durable.function
async def goes_round(ctx: DurableContext, left: int) -> int:
    await ctx.run(charge, left)
    if left:
        ctx.continue_as_new(left - 1)
    return left


@durable.object
class Account(perdure.DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.total = 0

    async def add(self, amount: int) -> int:
        self.total += await ctx.run(charge, amount)
        return self.total


@durable.step
async def handler(amount: int) -> int:
    return await charge(amount)


for function in (pay, order, stumbles, tries_again, gives_up, sends, waits, handler):
    SERVICE.add_function(function)
SERVICE.add_function(approval)
SERVICE.add_function(approves)
SERVICE.add_function(goes_round)
SERVICE.add_object(Account)


@pytest.fixture
def told() -> Iterator[Told]:
    with traced() as told:
        yield told


@pytest.fixture(params=["embedded", "grpc"])
async def backend(
    request: pytest.FixtureRequest, max_cached: int, tmp_path: Path, told: Told
) -> AsyncIterator[Backend]:
    async with site(request.param, tmp_path, SERVICES, max_cached) as backend:
        yield backend


async def until_told(told: Told, *names: str) -> None:
    """Spans follow the answer that their commit released, soon."""
    async with asyncio.timeout(20):
        while not set(names) <= set(told.names()):
            await asyncio.sleep(0)


async def first_entry(backend: Backend, id: str) -> ExecutionCreated:
    history = backend.client.transport.history(backend.client.namespace, id, 0, False)
    entries = [recorded.entry async for recorded in history]
    assert isinstance(entries[0], ExecutionCreated)
    return entries[0]


def key(backend: Backend, id: str) -> ExecutionKey:
    return ExecutionKey(backend.client.namespace, id)


async def test_every_part_has_one_span_under_its_parent(backend: Backend, told: Told) -> None:
    assert 80 == await backend.run(order, 20, id="o")
    await until_told(told, "attempt traced/order")
    assert told.names() == [
        "attempt traced/order",
        "attempt traced/pay",
        "call traced/pay",
        "post to the bank",
        "post to the bank",
        "read a file",
        "start traced/order",
        "step charge",
        "step in_thread",
        "step ship",
    ]
    start, attempt = told.one("start traced/order"), told.one("attempt traced/order")
    call, callee = told.one("call traced/pay"), told.one("attempt traced/pay")
    assert parent_id(start) == 0
    assert parent_id(attempt) == span_id(start)
    for name in ("step in_thread", "call traced/pay", "step ship"):
        assert parent_id(told.one(name)) == span_id(attempt)
    assert parent_id(callee) == span_id(call)
    assert parent_id(told.one("step charge")) == span_id(callee)
    assert parent_id(told.one("read a file")) == span_id(told.one("step in_thread"))
    posts = {parent_id(span) for span in told.spans("post")}
    assert posts == {span_id(told.one("step charge")), span_id(told.one("step ship"))}
    assert len({trace_id(span) for span in told.spans()}) == 1
    assert (start.kind, attempt.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert (call.kind, told.one("step ship").kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)


async def test_ids_derive_from_execution_run_attempt_and_path(backend: Backend, told: Told) -> None:
    await backend.run(order, 20, id="o")
    await until_told(told, "attempt traced/order")
    made = key(backend, "o")
    assert span_id(told.one("start traced/order")) == int(start_span_id(made, 1), 16)
    assert span_id(told.one("attempt traced/order")) == int(attempt_span_id(made, 1, 1), 16)
    for name in ("step in_thread", "call traced/pay", "step ship"):
        span = told.one(name)
        assert span.attributes is not None
        path = str(span.attributes["perdure.path"])
        assert span_id(span) == int(command_span_id(made, 1, 1, path), 16)
        assert span.attributes["perdure.execution.id"] == "o"
        assert span.attributes["perdure.attempt"] == 1


async def test_the_callers_trace_is_gone_on_with(backend: Backend, told: Told) -> None:
    with opentelemetry.trace.get_tracer("user").start_as_current_span("request") as request:
        await backend.run(pay, 1, id="p")
    await until_told(told, "attempt traced/pay", "request")
    start = told.one("start traced/pay")
    assert parent_id(start) == request.get_span_context().span_id
    assert {trace_id(span) for span in told.spans()} == {request.get_span_context().trace_id}


async def test_a_second_start_that_attaches_tells_nothing(backend: Backend, told: Told) -> None:
    await backend.run(pay, 1, id="p")
    await until_told(told, "attempt traced/pay")
    before = told.ids()
    await backend.run(pay, 1, id="p")
    assert told.ids() == before


async def test_each_attempt_has_a_span_and_an_error(backend: Backend, told: Told) -> None:
    name = uuid4().hex
    assert name == await backend.run(stumbles, name, id="s")
    await until_told(told, "attempt traced/stumbles")
    first, second = told.spans("attempt")
    assert (first.status.status_code, second.status.status_code) == (
        StatusCode.ERROR,
        StatusCode.UNSET,
    )
    assert first.status.description == "ValueError"
    assert [event.name for event in first.events] == ["exception"]
    assert span_id(first) == int(attempt_span_id(key(backend, "s"), 1, 1), 16)
    assert span_id(second) == int(attempt_span_id(key(backend, "s"), 1, 2), 16)
    assert len(told.spans("step fails_once")) == 2
    assert len(told.spans("start")) == 1


async def test_a_step_with_retries_is_one_span_with_its_failures(
    backend: Backend, told: Told
) -> None:
    name = uuid4().hex
    await backend.run(tries_again, name, id="t")
    await until_told(told, "attempt traced/tries_again")
    step = told.one("step fails_once")
    assert step.status.status_code is StatusCode.UNSET
    assert step.attributes is not None
    assert step.attributes["perdure.tries"] == 2


async def test_a_failed_execution_has_a_failed_attempt(backend: Backend, told: Told) -> None:
    await backend.failure(gives_up, id="g")
    await until_told(told, "attempt traced/gives_up")
    attempt = told.one("attempt traced/gives_up")
    assert attempt.status.description == "ValueError"
    assert attempt.attributes is not None
    assert attempt.attributes["perdure.status"] == "failed"


async def test_a_send_is_a_span_and_the_parent_of_what_it_started(
    backend: Backend, told: Told
) -> None:
    child = await backend.run(sends, id="s")
    await backend.client.get(child).result(20)
    await until_told(told, "attempt traced/pay", "attempt traced/sends")
    send = told.one("send traced/pay")
    assert parent_id(send) == span_id(told.one("attempt traced/sends"))
    assert parent_id(told.one("attempt traced/pay")) == span_id(send)


async def test_a_step_of_its_own_runs_under_its_attempt(backend: Backend, told: Told) -> None:
    await backend.run(handler, 2, id="h")
    await until_told(told, "attempt traced/handler")
    assert parent_id(told.one("post to the bank")) == span_id(told.one("attempt traced/handler"))


async def test_a_cancelled_execution_has_spans(backend: Backend, told: Told) -> None:
    handle = await backend.client.start(waits, id="w")
    await backend.until("w", "timer_started")
    await handle.cancel("enough")
    assert isinstance(await backend.failure(waits, id="w"), perdure.ExecutionCancelledError)
    await until_told(told, "attempt traced/waits")
    attempt = told.one("attempt traced/waits")
    assert attempt.attributes is not None
    assert attempt.attributes["perdure.status"] == "cancelled"
    (asked,) = [each for each in attempt.events if each.name == "cancel requested"]
    (entry,) = [each async for each in handle.history() if each.kind == "cancel_requested"]
    assert asked.timestamp == round(entry.time.timestamp() * 1000) * 1_000_000


async def test_who_sent_an_event_or_a_value_or_the_cancel_is_linked(
    backend: Backend, told: Told
) -> None:
    handle = await backend.client.start(approval, id="a")
    tracer = opentelemetry.trace.get_tracer("user")
    with tracer.start_as_current_span("a person approves") as person:
        await backend.client.send_event("approval", "yes")
    await backend.until("a", "promise_created")
    token = (await backend.client.read_state("a"))["token"]
    with tracer.start_as_current_span("a webhook") as webhook:
        await backend.client.complete_promise(token, 7)
    assert await handle.result() == ["yes", 7]
    await until_told(told, "attempt traced/approval")
    senders = [span.get_span_context().span_id for span in (person, webhook)]
    assert senders == linked(told, "attempt traced/approval")
    waiting = await backend.client.start(waits, id="w")
    await backend.until("w", "timer_started")
    with tracer.start_as_current_span("an operator") as operator:
        await waiting.cancel("enough")
    await until_told(told, "attempt traced/waits")
    assert [operator.get_span_context().span_id] == linked(told, "attempt traced/waits")


async def test_an_event_of_a_flow_links_to_the_attempt_that_sent_it(
    backend: Backend, told: Told
) -> None:
    handle = await backend.client.start(approval, id="b")
    await backend.client.start(approves, id="sender")
    await backend.until("b", "promise_created")
    await handle.cancel()
    await until_told(told, "attempt traced/approval", "attempt traced/approves")
    sender = int(attempt_span_id(key(backend, "sender"), 1, 1), 16)
    assert [sender] == linked(told, "attempt traced/approval")


async def test_a_method_of_an_object_has_spans_and_so_do_its_steps(
    backend: Backend, told: Told
) -> None:
    assert await backend.client.object(Account, "a-1").add(2) == 4
    await until_told(told, "object Account.add")
    method = told.one("object Account.add")
    assert method.attributes is not None
    assert method.attributes["perdure.object.id"] == "a-1"
    (step,) = told.spans("step ")
    assert parent_id(step) == span_id(method)


async def test_each_run_has_an_attempt_in_the_trace_of_the_first(
    backend: Backend, told: Told
) -> None:
    handle = await backend.client.start(goes_round, 2, id="round")
    assert await handle.result() == 0
    async with asyncio.timeout(20):
        while len(told.spans("attempt traced/goes_round")) < 3:
            await asyncio.sleep(0)
    attempts = told.spans("attempt traced/goes_round")
    assert [1, 2, 3] == sorted(int(str((a.attributes or {})["perdure.run"])) for a in attempts)
    assert len({trace_id(span) for span in (*attempts, *told.spans("step "))}) == 1
    assert len({span_id(span) for span in attempts}) == 3
    assert [1] == [told.spans().count(span) for span in told.spans("start traced/goes_round")]


async def test_a_fork_tells_of_what_it_does_itself(backend: Backend, told: Told) -> None:
    handle = await backend.client.start(pay, 3, id="source")
    assert await handle.result() == 6
    await until_told(told, "attempt traced/pay")
    steps = len(told.spans("step "))
    fork = await backend.client.fork("source", at="0:1")
    assert await fork.result() == 6
    async with asyncio.timeout(20):
        while len(told.spans("attempt traced/pay")) < 2:
            await asyncio.sleep(0)
    assert len(told.spans("step ")) == steps + 1
    assert len(told.ids()) == len(set(told.ids()))


def linked(told: Told, name: str) -> list[int]:
    return [link.context.span_id for link in told.one(name).links]


async def test_one_cancelled_before_its_first_attempt_has_the_start_alone(
    backend: Backend, told: Told
) -> None:
    handle = await backend.client.start(waits, id="w", delay=3600)
    await handle.cancel()
    await until_told(told, "start traced/waits")
    assert told.names() == ["start traced/waits"]
    assert told.one("start traced/waits").status.status_code is StatusCode.ERROR


async def test_the_first_entry_names_the_span_of_the_start_or_call(
    backend: Backend, told: Told
) -> None:
    """So a worker of another language finds its parent there."""
    await backend.run(order, 1, id="o")
    await until_told(told, "attempt traced/order")
    children = [info async for info in backend.client.list(parent_id="o")]
    for id, name in (("o", "start traced/order"), (children[0].id, "call traced/pay")):
        entry = await first_entry(backend, id)
        made = told.one(name).context
        assert made is not None
        wanted = f"00-{made.trace_id:032x}-{made.span_id:016x}-01"
        assert entry.trace["traceparent"] == wanted


@pytest.mark.parametrize("kind", ["embedded", "grpc"])
async def test_what_is_not_sampled_is_not_told_anywhere(
    kind: str, max_cached: int, tmp_path: Path
) -> None:
    with traced(ALWAYS_OFF) as told:
        async with site(kind, tmp_path, SERVICES, max_cached) as backend:
            await backend.run(order, 1, id="o")
        assert told.names() == []


async def test_without_a_provider_the_callers_trace_is_handed_on_as_it_is(
    max_cached: int, tmp_path: Path
) -> None:
    async with site("embedded", tmp_path, SERVICES, max_cached) as backend:
        await backend.run(order, 1, id="o")
        first = await first_entry(backend, "o")
        assert first.trace == {}


@durable.function
async def halves(ctx: DurableContext) -> int:
    await ctx.run("before", charge, 1)
    await ctx.sleep(0.5)
    return int(await ctx.run("after", charge, 1))


SERVICE.add_function(halves)


@pytest.mark.parametrize("kind", ["embedded", "grpc"])
async def test_spans_go_on_when_all_is_closed_and_opened_again(
    kind: str, max_cached: int, tmp_path: Path, told: Told
) -> None:
    """What was told before the restart is not told again, what follows fits to it."""
    async with site(kind, tmp_path, SERVICES, max_cached) as backend:
        await backend.client.start(halves, id="h")
        await backend.until("h", "timer_started")
        await until_told(told, "step before")
    assert [span.name for span in told.spans("st")] == ["start traced/halves", "step before"]
    async with site(kind, tmp_path, SERVICES, max_cached) as backend:
        await backend.client.get("h").result(20)
        await until_told(told, "attempt traced/halves")
    assert [span.name for span in told.spans("st")] == [
        "start traced/halves",
        "step before",
        "step after",
    ]
    attempt = told.one("attempt traced/halves")
    assert parent_id(told.one("step before")) == span_id(attempt)
    assert parent_id(told.one("step after")) == span_id(attempt)
    assert len({trace_id(span) for span in told.spans()}) == 1
