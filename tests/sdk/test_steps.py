"""Steps: recorded results, errors, retries, timeouts (semantics, sections 2, 3 and 5)."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from perdure import (
    ApplicationError,
    DurableContext,
    ExecutionFailed,
    NonRetryableError,
    RetryPolicy,
    StepError,
    durable,
)
from tests.sdk.backends import Backend

service = durable.service("steps")
SERVICES = [service]
runs: Counter[str] = Counter()
FAST = RetryPolicy(max_retries=3, delay=0.001)


class Declined(Exception):
    """Not builtin; its constructor takes other arguments than `args` holds."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@durable.step
async def on_the_loop(x: int) -> tuple[int, str]:
    await asyncio.sleep(0)
    return x, threading.current_thread().name


@durable.step
def in_a_thread(x: int) -> tuple[int, str]:
    return x, threading.current_thread().name


@durable.function
async def both_kinds(ctx: DurableContext) -> bool:
    x, here = await on_the_loop(1)
    y, there = await in_a_thread(2)
    return (x, y) == (1, 2) and here != there


@durable.function
async def plain_callables(ctx: DurableContext) -> list[Any]:
    return [
        await ctx.run(len, "four"),
        await ctx.run("named", lambda x: x + 1, 1),
        await ctx.run(lambda x: x + 1, 2, name="also"),
        await ctx.run(functools.partial(pow, 2), 3, name="power"),
        await ctx.run("joined".upper),
        await ctx.run(divmod, 7, 2),
    ]


def attempt_of(tag: str, fails: int, error: Callable[[], Exception]) -> int:
    runs[tag] += 1
    if runs[tag] <= fails:
        raise error()
    return runs[tag]


def value_error() -> Exception:
    return ValueError("not yet")


def declined() -> Exception:
    return Declined(7, "no funds")


def final() -> Exception:
    return NonRetryableError("never", details={"why": "because"})


@durable.flow(max_retries=3, retry_delay=0.001)
async def flow_retries(ctx: DurableContext, tag: str, fails: int) -> int:
    return await ctx.run(attempt_of, tag, fails, value_error)


@durable.function(max_retries=0)
async def function_steps_are_not_retried(ctx: DurableContext, tag: str) -> int:
    return await ctx.run(attempt_of, tag, 1, value_error)


@durable.function(max_retries=0)
async def explicit_retry(ctx: DurableContext, tag: str) -> int:
    return await ctx.run(attempt_of, tag, 2, value_error, retry=FAST)


@durable.flow(max_retries=5, retry_delay=0.001)
async def step_policy_beats_the_flows(ctx: DurableContext, tag: str) -> int:
    return await ctx.run(attempt_of, tag, 3, value_error, retry=1)


@durable.flow(retry_delay=0.001)
async def non_retryable(ctx: DurableContext, tag: str) -> int:
    return await ctx.run(attempt_of, tag, 5, final)


@durable.flow
async def retry_on(ctx: DurableContext, tag: str) -> int:
    policy = RetryPolicy(delay=0.001, retry_on=(KeyError,))
    return await ctx.run(attempt_of, tag, 5, value_error, retry=policy)


@durable.function(max_retries=0)
async def seen_errors(ctx: DurableContext, tag: str) -> list[str]:
    seen = []
    try:
        await ctx.run(attempt_of, tag, 9, declined)
    except Declined as error:
        seen += [f"{error.code} {error.reason}", str(error), type(error.__cause__).__name__]
    try:
        await ctx.run(attempt_of, tag, 9, lambda: ZeroDivisionError("zero"), name="zero")
    except ZeroDivisionError as error:
        seen.append(str(error))
    try:
        await ctx.run("local", raise_local)
    except StepError as error:
        seen += [error.type_name, str(error)]
    try:
        await ctx.run(attempt_of, tag, 9, final)
    except ApplicationError as error:
        seen += [type(error).__name__, error.details["why"]]
    return seen


def raise_local() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("of a function")


async def never(started: str) -> None:
    runs[started] += 1
    await asyncio.Event().wait()


@durable.function(max_retries=0)
async def step_timeouts(ctx: DurableContext, tag: str) -> list[str]:
    seen = []
    release = threading.Event()
    for wait in (functools.partial(never, tag), release.wait):
        try:
            await ctx.run("slow", wait, timeout=0.03)
        except TimeoutError as error:
            seen.append(str(error))
    release.set()
    return seen


@durable.flow(timeout=0.03, max_retries=1, retry_delay=0.001)
async def flow_timeout(ctx: DurableContext, tag: str) -> str:
    try:
        await ctx.run(never, tag)
    except TimeoutError:
        return "timed out"
    return "ended"


@durable.function(max_retries=0)
async def misuse(ctx: DurableContext) -> list[str]:
    problems = []
    for make in (
        lambda: ctx.run(lambda: 1),
        lambda: ctx.run(both_kinds),
        lambda: ctx.run(on_the_loop),
        lambda: ctx.run(len, "a", retry=-1),
        lambda: ctx.run("only a name"),  # type: ignore[call-overload] # what is tested
    ):
        try:
            make()
        except (TypeError, ValueError) as error:
            problems.append(type(error).__name__)
    return problems


@durable.function(max_retries=0)
async def unencodable_result(ctx: DurableContext) -> str:
    try:
        await ctx.run("opens", object)
    except Exception as error:
        return type(error).__name__
    return ""


@durable.flow(max_retries=0)
async def bounded(ctx: DurableContext, tag: str) -> int:
    await asyncio.gather(*(ctx.run(overlap, tag, n) for n in range(12)))
    return runs[tag + "-most"]


async def overlap(tag: str, n: int) -> None:
    runs[tag] += 1
    runs[tag + "-most"] = max(runs[tag + "-most"], runs[tag])
    await asyncio.sleep(0.001)
    runs[tag] -= 1


@durable.flow(max_retries=0, max_concurrent_steps=3)
async def bounded_by_three(ctx: DurableContext, tag: str) -> int:
    await asyncio.gather(*(ctx.run(overlap, tag, n) for n in range(9)))
    return runs[tag + "-most"]


for function in (
    *(both_kinds, plain_callables, flow_retries, function_steps_are_not_retried, explicit_retry),
    *(step_policy_beats_the_flows, non_retryable, retry_on, seen_errors, step_timeouts),
    *(flow_timeout, misuse, unencodable_result, bounded, bounded_by_three),
):
    service.add_function(function)


def tag() -> str:
    return uuid4().hex


async def test_async_steps_run_on_the_loop_and_sync_ones_in_threads(backend: Backend) -> None:
    assert await backend.run(both_kinds)


async def test_plain_callables_are_steps(backend: Backend) -> None:
    assert [4, 2, 3, 8, "JOINED", [3, 1]] == await backend.run(plain_callables)


async def test_each_result_is_recorded_once(backend: Backend) -> None:
    handle = await backend.client.start(both_kinds)
    await handle.result(20)
    kinds = await backend.kinds(handle.id)
    assert 2 == kinds.count("step_completed")


async def test_a_flow_retries_its_steps(backend: Backend) -> None:
    mark = tag()
    assert 3 == await backend.run(flow_retries, mark, 2)
    assert 3 == runs[mark]


async def test_a_flow_fails_when_its_retries_are_used_up(backend: Backend) -> None:
    mark = tag()
    error = await backend.failure(flow_retries, mark, 99)
    assert isinstance(error, ExecutionFailed)
    assert ("not yet", "ValueError", 4) == (str(error), error.type_name, runs[mark])
    assert isinstance(error.__cause__, ValueError)


async def test_steps_of_a_function_are_not_retried(backend: Backend) -> None:
    mark = tag()
    assert isinstance(await backend.failure(function_steps_are_not_retried, mark), ExecutionFailed)
    assert 1 == runs[mark]


async def test_retry_may_be_given_at_the_call(backend: Backend) -> None:
    assert 3 == await backend.run(explicit_retry, tag())


async def test_a_steps_policy_beats_its_flows(backend: Backend) -> None:
    mark = tag()
    await backend.failure(step_policy_beats_the_flows, mark)
    assert 2 == runs[mark]


async def test_non_retryable_errors_are_not_retried(backend: Backend) -> None:
    mark = tag()
    await backend.failure(non_retryable, mark)
    assert 1 == runs[mark]


async def test_retry_on_names_what_is_retried(backend: Backend) -> None:
    mark = tag()
    await backend.failure(retry_on, mark)
    assert 1 == runs[mark]


async def test_errors_come_back_as_their_own_classes(backend: Backend) -> None:
    expected = ["7 no funds", "7: no funds", "StepError", "zero", "LocalError", "of a function"]
    assert [*expected, "NonRetryableError", "because"] == await backend.run(seen_errors, tag())


async def test_a_step_that_takes_too_long_is_a_timeout_error(backend: Backend) -> None:
    assert ["slow ran longer than 0.03 s"] * 2 == await backend.run(step_timeouts, tag())


async def test_a_flows_timeout_is_per_step_and_retried(backend: Backend) -> None:
    mark = tag()
    assert "timed out" == await backend.run(flow_timeout, mark)
    assert 2 == runs[mark]


async def test_misuse_is_told_at_the_call(backend: Backend) -> None:
    expected = ["ValueError", "TypeError", "TypeError", "InvalidArgumentError", "TypeError"]
    assert expected == await backend.run(misuse)


async def test_an_unencodable_result_fails_the_step(backend: Backend) -> None:
    assert "SerializationError" == await backend.run(unencodable_result)


async def test_a_flow_runs_ten_steps_at_a_time(backend: Backend) -> None:
    assert 10 == await backend.run(bounded, tag())


async def test_max_concurrent_steps_bounds_steps(backend: Backend) -> None:
    assert 3 == await backend.run(bounded_by_three, tag())
