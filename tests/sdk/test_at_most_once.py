"""Steps that run at most once, patches and forgotten commands, on every backend."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

from perdure import DurableContext, StepInterrupted, durable
from tests.sdk.backends import Backend

service = durable.service("at_most_once")
SERVICES = [service]
runs: Counter[str] = Counter()


def pay(tag: str) -> str:
    runs[tag] += 1
    return "paid"


@durable.step(at_most_once=True, retry=2)
async def pay_after_failing(tag: str, times: int) -> int:
    runs[tag] += 1
    if runs[tag] <= times:
        raise ConnectionError("not yet")
    return runs[tag]


@durable.function(max_retries=0)
async def pays(ctx: DurableContext, tag: str) -> list[object]:
    await ctx.state.set("paying", True)
    first = await ctx.run(pay, tag, at_most_once=True)
    second = await pay_after_failing(f"{tag}-failing", 1)
    both = await asyncio.gather(
        ctx.run(pay, f"{tag}-a", at_most_once=True), ctx.run(pay, f"{tag}-b", at_most_once=True)
    )
    return [first, second, *both]


async def never_ends(tag: str) -> None:
    runs[tag] += 1
    await asyncio.Event().wait()


@durable.function(max_retries=1, retry_delay=0.001)
async def gives_up(ctx: DurableContext, tag: str) -> str:
    step = ctx.run(never_ends, tag, at_most_once=True)
    if ctx.attempt == 1:
        await ctx.wait_until(lambda: runs[tag] > 0, every=0.001)
        raise ConnectionError("again")
    try:
        await step
    except StepInterrupted as error:
        return str(error)
    return "it ran twice"


@durable.function(max_retries=1, retry_delay=0.001)
async def patched(ctx: DurableContext, tag: str) -> list[bool]:
    first = ctx.patched("tax")
    await ctx.run(pay, tag)
    ctx.deprecate_patch("old")
    second = ctx.patched("tax")
    if ctx.attempt == 1:
        raise ConnectionError("again")
    return [first, second]


for function in (pays, gives_up, patched):
    service.add_function(function)


async def test_a_step_that_runs_at_most_once_gives_its_result(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(pays, tag)
    assert ["paid", 2, "paid", "paid"] == await handle.result(20)
    assert [1, 2, 1, 1] == [runs[tag + end] for end in ("", "-failing", "-a", "-b")]
    kinds = await backend.kinds(handle.id)
    assert 5 == kinds.count("step_started")  # one for each try
    assert kinds.index("step_started") < kinds.index("step_completed")


async def test_an_attempt_does_not_begin_what_an_earlier_one_left_running(
    backend: Backend,
) -> None:
    tag = uuid4().hex
    assert "step 'never_ends' was interrupted" in await backend.run(gives_up, tag)
    assert 1 == runs[tag]


async def test_new_executions_run_patched_code_and_each_attempt_records_it(
    backend: Backend,
) -> None:
    handle = await backend.client.start(patched, uuid4().hex)
    assert [True, True] == await handle.result(20)
    assert 4 == (await backend.kinds(handle.id)).count("patch_decided")
