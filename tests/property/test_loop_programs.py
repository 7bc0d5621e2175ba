"""Random asyncio programs: our loop gives stock asyncio's outcome, and the same one on replay.

The oracle is a stock loop (`asyncio.BaseEventLoop`) whose clock jumps to the next timer. On our
loop every sleep is a durable timer, fired in due order. Programs share locks, queues, events and
handles of each other's tasks, so they race, cancel and time out.

No two timers are due at one instant: a stock loop fires such timers in one generation, where an
execution gets one completion at a time and becomes quiescent in between (semantics, section 4),
and in the order of a heap, which for equal times is arbitrary.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure_runtime.loop.lineage import Node, root_node
from perdure_runtime.loop.primitives import wait_for_as_in_3_12
from tests.unit.loop_driving import SEED, Run


@dataclass(frozen=True)
class Op:
    """One statement of a program: a kind, a small number, and the programs inside it."""

    kind: str
    number: int = 0
    inner: tuple[tuple[Op, ...], ...] = ()


SIMPLE = (
    *("sleep", "yield", "lock", "semaphore", "put", "get", "set", "wait_event", "clear"),
    *("cancel", "raise", "call_soon", "call_later", "done_callback", "join", "notify", "condition"),
)
NESTED = (
    *("gather", "gather_results", "group", "timeout", "wait_for", "shield", "start", "try"),
    *("wait_first", "wait_all", "wait_failed", "wait_timeout", "completed", "completed_timeout"),
    *("finally_sleep", "nest"),
)


def programs() -> st.SearchStrategy[tuple[Op, ...]]:
    """Return programs of up to three levels."""
    small = st.integers(0, 6)
    simple = st.builds(Op, st.sampled_from(SIMPLE), small)

    def deeper(program: st.SearchStrategy[tuple[Op, ...]]) -> st.SearchStrategy[tuple[Op, ...]]:
        inner = st.lists(program, min_size=1, max_size=3).map(tuple)
        nested = st.builds(Op, st.sampled_from(NESTED), small, inner)
        return st.lists(st.one_of(simple, nested), min_size=1, max_size=4).map(tuple)

    first = st.lists(simple, min_size=1, max_size=3).map(tuple)
    return deeper(st.one_of(first, deeper(st.one_of(first, deeper(first)))))


class Boom(Exception):
    """What programs raise."""


def named(error: BaseException) -> str:
    """Return an exception as text that does not depend on where it was made."""
    if isinstance(error, BaseExceptionGroup):
        return f"group({', '.join(named(each) for each in error.exceptions)})"
    return type(error).__name__


class World:
    """What the tasks of one run of a program share, and the trace of what they saw."""

    def __init__(self, wait_for: Callable[..., Any]) -> None:
        self.trace: list[tuple[str, float]] = []
        self.wait_for = wait_for
        self.fractions = random.Random(1)
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(2)
        self.queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
        self.event = asyncio.Event()
        self.condition = asyncio.Condition()
        self.tasks: list[asyncio.Task[Any]] = []

    def see(self, what: str) -> None:
        """Add to the trace, with the time."""
        self.trace.append((what, asyncio.get_running_loop().time()))

    def seconds(self, number: int) -> float:
        """Return a delay of `number` and a bit, such as no other; 0 stays 0."""
        return number and number + self.fractions.random()

    async def run(self, program: tuple[Op, ...], name: str) -> str:
        """Run a program, tracing every statement and how it ended."""
        for index, op in enumerate(program):
            here = f"{name}.{index}:{op.kind}"
            self.see(here)
            try:
                result = await getattr(self, f"do_{op.kind}")(op, here)
            except BaseException as error:
                self.see(f"{here} raised {named(error)}")
                raise
            self.see(f"{here} -> {result}")
        return name

    def parts(self, op: Op, here: str) -> list[Coroutine[Any, Any, str]]:
        """Return the inner programs as coroutines."""
        return [self.run(program, f"{here}/{n}") for n, program in enumerate(op.inner)]

    def started(self, op: Op, here: str) -> list[asyncio.Task[str]]:
        """Return the inner programs as tasks that others can cancel."""
        tasks = [asyncio.create_task(part) for part in self.parts(op, here)]
        self.tasks += tasks
        return tasks

    async def do_sleep(self, op: Op, here: str) -> None:
        await asyncio.sleep(self.seconds(op.number))

    async def do_yield(self, op: Op, here: str) -> None:
        await asyncio.sleep(0)

    async def do_lock(self, op: Op, here: str) -> None:
        async with self.lock:
            self.see(f"{here} holds")
            await asyncio.sleep(self.seconds(op.number))

    async def do_semaphore(self, op: Op, here: str) -> None:
        async with self.semaphore:
            await asyncio.sleep(self.seconds(op.number))

    async def do_put(self, op: Op, here: str) -> None:
        async with asyncio.timeout(self.seconds(op.number + 1)):
            await self.queue.put(op.number)

    async def do_get(self, op: Op, here: str) -> int:
        async with asyncio.timeout(self.seconds(op.number + 1)):
            number = await self.queue.get()
        self.queue.task_done()
        return number

    async def do_join(self, op: Op, here: str) -> None:
        async with asyncio.timeout(self.seconds(op.number + 1)):
            await self.queue.join()

    async def do_set(self, op: Op, here: str) -> None:
        self.event.set()

    async def do_clear(self, op: Op, here: str) -> None:
        self.event.clear()

    async def do_wait_event(self, op: Op, here: str) -> None:
        async with asyncio.timeout(self.seconds(op.number + 1)):
            await self.event.wait()

    async def do_condition(self, op: Op, here: str) -> None:
        async with asyncio.timeout(self.seconds(op.number + 1)), self.condition:
            await self.condition.wait()

    async def do_notify(self, op: Op, here: str) -> None:
        async with self.condition:
            self.condition.notify(op.number)

    async def do_cancel(self, op: Op, here: str) -> bool | None:
        if not self.tasks:
            return None
        return self.tasks[op.number % len(self.tasks)].cancel()

    async def do_raise(self, op: Op, here: str) -> None:
        if op.number > 4:
            raise Boom

    async def do_call_soon(self, op: Op, here: str) -> None:
        asyncio.get_running_loop().call_soon(self.see, f"{here} called")

    async def do_call_later(self, op: Op, here: str) -> None:
        handle = asyncio.get_running_loop().call_later(
            self.seconds(op.number + 1), self.see, f"{here} called"
        )
        if op.number == 3:
            await asyncio.sleep(self.seconds(1))
            handle.cancel()

    async def do_done_callback(self, op: Op, here: str) -> None:
        if self.tasks:
            task = self.tasks[op.number % len(self.tasks)]
            task.add_done_callback(lambda task: self.see(f"{here} done {task.cancelled()}"))

    async def do_nest(self, op: Op, here: str) -> list[str]:
        return [await self.run(part, f"{here}/{n}") for n, part in enumerate(op.inner)]

    async def do_start(self, op: Op, here: str) -> int:
        return len(self.started(op, here))

    async def do_try(self, op: Op, here: str) -> str:
        try:
            await self.do_nest(op, here)
            return "fine"
        except (Exception, asyncio.CancelledError) as error:
            return named(error)

    async def do_finally_sleep(self, op: Op, here: str) -> None:
        try:
            await self.do_nest(op, here)
        finally:
            await asyncio.sleep(self.seconds(op.number))
            self.see(f"{here} cleaned")

    async def do_gather(self, op: Op, here: str) -> list[str]:
        return await asyncio.gather(*self.parts(op, here))

    async def do_gather_results(self, op: Op, here: str) -> list[str]:
        results = await asyncio.gather(*self.started(op, here), return_exceptions=True)
        return [named(item) if isinstance(item, BaseException) else item for item in results]

    async def do_group(self, op: Op, here: str) -> None:
        async with asyncio.TaskGroup() as group:
            for part in self.parts(op, here):
                self.tasks.append(group.create_task(part))

    async def do_timeout(self, op: Op, here: str) -> None:
        async with asyncio.timeout(self.seconds(op.number)):
            await self.do_nest(op, here)

    async def do_wait_for(self, op: Op, here: str) -> str:
        result: str = await self.wait_for(self.run(op.inner[0], here), self.seconds(op.number))
        return result

    async def do_shield(self, op: Op, here: str) -> str:
        return await asyncio.shield(self.started(op, here)[0])

    async def wait(self, op: Op, here: str, **options: Any) -> tuple[list[int], list[int]]:
        """Await asyncio.wait and tell by number which tasks were done."""
        tasks = self.started(op, here)
        done, pending = await asyncio.wait(tasks, **options)
        return sorted(map(tasks.index, done)), sorted(map(tasks.index, pending))

    async def do_wait_first(self, op: Op, here: str) -> Any:
        return await self.wait(op, here, return_when=asyncio.FIRST_COMPLETED)

    async def do_wait_failed(self, op: Op, here: str) -> Any:
        return await self.wait(op, here, return_when=asyncio.FIRST_EXCEPTION)

    async def do_wait_all(self, op: Op, here: str) -> Any:
        return await self.wait(op, here)

    async def do_wait_timeout(self, op: Op, here: str) -> Any:
        return await self.wait(op, here, timeout=self.seconds(op.number + 1))

    async def do_completed(self, op: Op, here: str, timeout: float | None = None) -> list[str]:
        seen = []
        for item in asyncio.as_completed(self.started(op, here), timeout=timeout):
            try:
                seen.append(await item)
            except (Boom, TimeoutError) as error:
                seen.append(named(error))
        return seen

    async def do_completed_timeout(self, op: Op, here: str) -> list[str]:
        return await self.do_completed(op, here, self.seconds(op.number + 1))


async def main(program: tuple[Op, ...], world: World) -> str:
    """Run a program, then cancel and await what it left behind; the trace is the result."""
    try:
        world.see(await world.run(program, "main"))
    except BaseException as error:
        world.see(named(error))
    for task in world.tasks:
        task.cancel()
    for task in world.tasks:
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled():
            world.see(repr(task.exception() and named(task.exception() or Boom())))
    # Children of gathers are nobody's to cancel. A stock loop would stop in their middle.
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    return "end"


class LineageTask(asyncio.Task[Any]):
    """A stock task but for its hash: TaskGroup cancels in set order, by address in stock."""

    node: Node

    def __init__(self, loop: Any, coroutine: Any, **options: Any) -> None:
        parent = asyncio.current_task(loop)
        self.node = parent.node.child() if isinstance(parent, LineageTask) else root_node(SEED)
        super().__init__(coroutine, loop=loop, **options)

    def __hash__(self) -> int:
        return self.node.key


class JumpingLoop(asyncio.BaseEventLoop):
    """A stock loop without I/O, whose clock jumps to the next timer when nothing is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 0.0
        self._clock_resolution = 1e-12
        self._selector = self
        self.set_task_factory(LineageTask)
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        return self.clock

    def select(self, timeout: float | None) -> list[Any]:
        """Stand in for a selector: no event ever comes, time passes instead."""
        assert timeout is not None, "the program waits for something that never comes"
        if timeout > 0:
            scheduled: Any = self._scheduled  # type: ignore[attr-defined] # stock's heap of timers
            self.clock = scheduled[0].when()
        return []

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def on_stock_asyncio(program: tuple[Op, ...]) -> list[tuple[str, float]]:
    """Return the trace on a stock loop."""
    wait_for = wait_for_as_in_3_12 if sys.version_info < (3, 12) else asyncio.wait_for
    loop = JumpingLoop()

    async def body() -> World:
        world = World(wait_for)
        await main(program, world)
        return world

    try:
        return loop.run_until_complete(body()).trace
    finally:
        loop._selector = None  # type: ignore[assignment] # so that close() does not close it
        loop.close()


def on_our_loop(program: tuple[Op, ...]) -> tuple[list[tuple[str, float]], list[Any], list[str]]:
    """Return the trace, the durable timers issued and those cancelled later."""
    worlds: list[World] = []

    async def body() -> None:
        worlds.append(World(asyncio.wait_for))
        await main(program, worlds[0])

    run = Run(body, now=0.0)
    run.slice()
    while not run.root.done():
        assert run.fire_next(), "the program waits for something that never comes"
        run.slice()
    run.root.result()
    outcome = worlds[0].trace[:], run.issued, run.cancelled
    assert run.evict() == []
    return outcome


@settings(max_examples=300)
@given(programs())
def test_a_random_program_does_what_it_does_on_stock_asyncio(program: tuple[Op, ...]) -> None:
    assert on_our_loop(program)[0] == on_stock_asyncio(program)


@settings(max_examples=150)
@given(programs())
def test_a_replay_gives_the_same_trace_and_issues_the_same_paths(program: tuple[Op, ...]) -> None:
    assert on_our_loop(program) == on_our_loop(program)


@settings(max_examples=150)
@given(programs(), st.integers(0, 12))
def test_a_program_evicted_at_any_point_leaves_nothing(program: tuple[Op, ...], at: int) -> None:
    async def body() -> None:
        await main(program, World(asyncio.wait_for))

    run = Run(body, now=0.0)
    run.slice()
    for _ in range(at):
        if run.root.done() or not run.fire_next():
            break
        run.slice()
    tasks = run.loop.live_tasks()
    assert run.evict() == []
    assert all(task.done() for task in tasks)
