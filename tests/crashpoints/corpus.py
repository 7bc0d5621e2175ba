"""The corpus: flows, how a client plays them, and what must come out whoever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from perdure import ExecutionCancelledError, ExecutionFailed, tasks
from perdure.tasks import WorkerRef
from perdure.testing import MemoryRuntime
from tests.crashpoints import flows
from tests.crashpoints.flows import ACKNOWLEDGED, SEEN

WORKER = WorkerRef("ada", "human", "Ada")
Play = Callable[[MemoryRuntime], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One flow with its client.

    Args:
        play: drives it through a fresh runtime and returns all that clients see of it.
        uses: which primitives it is there for.
        once: whether its bodies run at most once, and so not at all or unheard under a kill.
    """

    name: str
    play: Play
    uses: str
    once: bool = False


async def _run(runtime: MemoryRuntime, function: Any, *args: Any) -> Any:
    handle = await runtime.client.start(function, *args, id=function.__name__)
    return await handle.result()


def _plain(function: Any, *args: Any) -> Play:
    return lambda runtime: _run(runtime, function, *args)


async def _with_state(runtime: MemoryRuntime) -> Any:
    result = await _run(runtime, flows.steps_and_state)
    return [result, await runtime.client.read_state("steps_and_state")]


async def _with_events(runtime: MemoryRuntime) -> Any:
    client = runtime.client
    await client.send_event("news", "early", dedupe_id="1")
    handle = await client.start(flows.waits, id="waits")
    await client.send_event("news", "early", dedupe_id="1")
    await client.send_event("news", "later", dedupe_id="2")
    await client.send_event("more", 7, execution="waits", dedupe_id="3")
    return await handle.result()


async def _with_promise(runtime: MemoryRuntime) -> Any:
    handle = await runtime.client.start(flows.asks, id="asks")
    token = await anext(aiter(handle.stream()))
    await runtime.client.complete_promise(token, 42)  # False if the answer to the first was lost
    again = await runtime.client.complete_promise(token, 43)
    return [again, await handle.result()]


async def _with_objects(runtime: MemoryRuntime) -> Any:
    result = await _run(runtime, flows.accounts)
    states = [await runtime.client.object(flows.Till, id).get_state() for id in ("ours", "theirs")]
    return [result, states]


async def _shared_state(runtime: MemoryRuntime) -> Any:
    handles = [await runtime.client.start(flows.counts, 2, id=f"counts-{n}") for n in range(2)]
    results = await asyncio.gather(*(handle.result() for handle in handles))
    return sorted(number for numbers in results for number in numbers)


async def _stream(runtime: MemoryRuntime) -> Any:
    handle = await runtime.client.start(flows.tells, 4, id="tells")
    return [[value async for value in handle.stream()], await handle.result()]


async def _schedule(runtime: MemoryRuntime) -> Any:
    client = runtime.client
    await client.schedule(flows.child, "tick", id="hourly", every=3_600)
    runtime.auto_advance = False
    try:
        await runtime.clock.advance(hours=2, minutes=30)
    finally:
        runtime.auto_advance = True
    await client.get_schedule("hourly").delete()
    found = sorted([info.id async for info in client.list(id_prefix="hourly@")])
    return [[id, await client.get(id).result()] for id in found]


async def _cancelled(runtime: MemoryRuntime) -> Any:
    handle = await runtime.client.start(flows.cleans_up, id="cleans_up")
    async for entry in handle.history(follow=True):
        if entry.kind == "call_issued":
            break
    await handle.cancel("enough")
    try:
        await handle.result()
    except ExecutionCancelledError as error:
        return str(error)
    return "not cancelled"


async def _steered(runtime: MemoryRuntime) -> Any:
    client = runtime.client
    handle = await client.start(flows.naps, id="naps")
    steered: list[Any] = [await client.pause("naps", "a look"), await client.resume("naps")]
    first = await handle.result()
    fork = await client.fork("naps", at="0:1", new_id="again")
    second = await fork.result()
    failing = await client.start(flows.fails_once, id="fails_once")
    try:
        await failing.result()
    except ExecutionFailed as error:
        steered += [str(error), await client.retry("fails_once")]
    return [steered, first[2], second[2], await failing.result()]


async def _labels(runtime: MemoryRuntime) -> Any:
    client = runtime.client
    for number in range(2):
        await client.start(flows.child, f"red {number}", id=f"red-{number}", labels={"hue": "red"})
    await client.start(flows.child, "blue", id="blue", labels={"hue": "blue"})
    red = sorted([info.id async for info in client.list(labels={"hue": "red"})])
    return [await client.get(id).result() for id in red]


async def _after(runtime: MemoryRuntime) -> Any:
    client = runtime.client
    before = [await client.start(flows.child, name, id=name) for name in ("one", "two")]
    last = await client.start(flows.child, "last", id="last", after=[each.id for each in before])
    result = await last.result()
    ended = [(await each.describe()).finished for each in before]
    begun = (await last.describe()).started
    assert begun is not None
    return [result, all(end is not None and end <= begun for end in ended)]


async def _alone(runtime: MemoryRuntime) -> Any:
    handles = [await runtime.client.start(flows.alone, name, id=name) for name in "abc"]
    results = [await handle.result() for handle in handles]
    infos = [await handle.describe() for handle in handles]
    times = sorted(
        (info.started.timestamp(), info.finished.timestamp())
        for info in infos
        if info.started and info.finished
    )
    return [results, [before[1] <= after[0] for before, after in pairwise(times)]]


async def _slowed(runtime: MemoryRuntime) -> Any:
    handles = [await runtime.client.start(flows.slowed, name, id=name) for name in "abc"]
    results = [await handle.result() for handle in handles]
    infos = [await handle.describe() for handle in handles]
    times = sorted(info.started.timestamp() for info in infos if info.started)
    return [results, [after - before >= 2 for before, after in pairwise(times)]]


async def _tasks(runtime: MemoryRuntime) -> Any:
    await tasks.create_task("later", id="later", priority="low")
    await tasks.create_task("first", id="first", priority="high")
    said = []
    for _ in range(2):
        claim = await tasks.claim(worker=WORKER, wait=None)
        assert claim is not None
        await claim.complete({"did": claim.id})
        said.append(claim.id)
    return [said, [await tasks.wait_for_task(id) for id in said]]


CASES: Final = (
    Case("steps", _with_state, "step, flow, state"),
    Case("attempts", _plain(flows.attempts), "function, retry, reuse, handler"),
    Case("calls", _plain(flows.calls), "call, child, shared child"),
    Case("sends", _plain(flows.sends), "send, delay, send_event"),
    Case("branches", _plain(flows.branches), "spawn, branch, map"),
    Case("races", _plain(flows.races), "race, timeout, cancelled children"),
    Case("naps", _plain(flows.naps), "sleep, sleep_until, time, random"),
    Case("events", _with_events, "wait_for_event, event timeout, dedupe"),
    Case("promise", _with_promise, "promise, complete_promise"),
    Case("objects", _with_objects, "object, shared, lanes"),
    Case("saga", _plain(flows.travels), "saga, compensation"),
    Case("function-state", _shared_state, "state_scope=function"),
    Case("runs", _plain(flows.goes_on, 2), "continue_as_new"),
    Case("at-most-once", _plain(flows.pays), "at_most_once", once=True),
    Case("stream", _stream, "emit, progress, stream"),
    Case("schedule", _schedule, "schedule"),
    Case("cancel", _cancelled, "cancel, on_cancel, finally"),
    Case("labels", _labels, "labels, list"),
    Case("after", _after, "dependencies"),
    Case("one-at-a-time", _alone, "max_concurrency"),
    Case("rate", _slowed, "rate_limit"),
    Case("checkpoints", _plain(flows.checkpoints), "checkpoint"),
    Case("tasks", _tasks, "task, claim, complete, priority"),
    Case("control", _steered, "pause, resume, fork, retry"),
)


def forget() -> None:
    """Before a run: nothing was witnessed."""
    SEEN.clear()
    ACKNOWLEDGED.clear()


def witnessed() -> list[tuple[str, str]]:
    """What the bodies did in this run: names with idempotency keys, in order."""
    return list(SEEN)


__all__ = ["CASES", "Case", "forget", "witnessed"]
