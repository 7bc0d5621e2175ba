"""Runs a tree of nodes as durable code: one function, one flow, one object and a few steps.

Steps tell the witness about their effect by name (the node's label and the turn of the loop around
it), with the idempotency key and the execution that they ran in. Every failure is a `ValueError`
with a message that the model knows; any other exception is not expected.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from perdure import ctx, durable, resources
from perdure.context import DurableContext
from perdure.context.future import DurableFuture
from perdure.objects.base import DurableObject
from perdure.options import RetryPolicy
from perdure.service import Service
from perdure.testing.simulator.nodes import Node, received
from perdure_runtime.core.errors import StepInterrupted

if TYPE_CHECKING:
    from perdure.testing.simulator.program import Witness

SERVICE: Final = "sim"
WAIT_S: Final = 5.0  # of events and promises with a timeout
RETRIES: Final = 3  # of `attempts`
Given = dict[str, Any]


def stage(witness: Witness, *functions: Any, objects: tuple[type, ...] = ()) -> Service:
    """The service of a program: what it defines, and the witness as its resources."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Witness]:
        yield witness

    service = Service(SERVICE, "1.0.0", lifespan)
    for function in functions:
        service.add_function(function)
    for cls in objects:
        service.add_object(cls)
    return service


# --- steps -----------------------------------------------------------------------------------


def tell(name: str) -> int:
    """An effect of this step; how often the witness has seen it by now."""
    witness = resources()
    witness.effect(name, f"{ctx.idempotency_key}@{ctx.execution_id}")
    seen: int = witness.counts[name]
    return seen


async def works(name: str) -> str:
    """A step that has its effect."""
    tell(name)
    return name


def works_in_thread(name: str) -> str:
    """The same, as a plain function."""
    tell(name)
    return name


async def stumbles(name: str, times: int) -> str:
    """A step whose first `times` tries fail."""
    if tell(name) <= times:
        raise ValueError(f"{name} stumbled")
    return name


async def fails(name: str) -> str:
    """A step that never succeeds."""
    tell(name)
    raise ValueError(f"{name} failed")


async def hand_out(name: str, token: str) -> None:
    """Tell the outside the token of a promise."""
    resources().effect(f"token {name} {token}", ctx.idempotency_key)


# --- durable code ----------------------------------------------------------------------------


class Lines(DurableObject):
    """An object whose state is the list of the executions that appended to it."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.lines: list[str] = []

    async def append(self, ctx: DurableContext, mode: str) -> list[str]:
        """Append the execution's id; a first attempt that stumbles leaves it with a "?"."""
        if mode == "stumble" and ctx.attempt == 1:
            self.lines.append(f"{ctx.execution_id}?")
            raise ValueError("stumbled")
        if mode == "slow":
            await ctx.sleep(1)
        self.lines.append(ctx.execution_id)
        return list(self.lines)

    async def read(self) -> list[str]:
        """The lines that are committed."""
        return list(self.lines)


@cache
def random_code() -> tuple[tuple[Any, ...], tuple[type, ...]]:
    """The functions and objects that random programs are run by; defined once."""

    async def run(ctx: DurableContext, given: Given) -> Any:
        return await _interpret(ctx, given)

    async def run_flow(ctx: DurableContext, given: Given) -> Any:
        return await _interpret(ctx, given)

    async def attempting(ctx: DurableContext, given: Given) -> Any:
        tries = await ctx.state.get("tries", 0) + 1
        await ctx.state.set("tries", tries)
        result = await _interpret(ctx, given)
        if tries <= given["fails"]:
            raise ValueError(f"{given['label']} try {tries}")
        return [tries, result]

    async def turning(ctx: DurableContext, given: Given) -> Any:
        number = given["number"]
        inner = {"node": given["node"], "turn": f"{given['turn']}.{number}"}
        result = await _interpret(ctx, inner)
        if number < given["turns"]:
            ctx.continue_as_new({**given, "number": number + 1})
        return result

    functions = (
        durable.function(max_retries=0)(run),
        durable.flow(run_flow),
        durable.function(max_retries=RETRIES, retry_delay=0.5)(attempting),
        durable.function(max_retries=0)(turning),
    )
    Lines.read = durable.shared(Lines.read)  # type: ignore[method-assign]
    return functions, (durable.object(retry_delay=0.5)(Lines),)


async def _interpret(ctx: DurableContext, given: Given) -> Any:
    return await Interpreter(ctx, given["turn"]).run(received(given["node"]))


class Interpreter:
    """Runs nodes in one context.

    Args:
        turn: appended to all labels: which turn of the loops around it this is.
    """

    def __init__(self, context: DurableContext, turn: str) -> None:
        self._ctx = context
        self._turn = turn

    async def run(self, node: Node) -> Any:
        """Run a node and give its trace.

        Raises:
            ValueError: the node fails.
        """
        run = getattr(self, f"_{node.kind.replace('try', 'try_').replace('finally', 'finally_')}")
        return await run(node)

    def _name(self, node: Node) -> str:
        return f"{node.label}{self._turn}"

    def _sent(self, node: Node) -> Given:
        return {"node": node.children[0].sent(), "turn": self._turn}

    # --- leaves --------------------------------------------------------------------------------

    def _command(self, node: Node) -> DurableFuture[Any]:
        """A step or call that a saga can undo."""
        context, name = self._ctx, self._name(node)
        match node.kind:
            case "sync":
                return context.run(works_in_thread, name)
            case "retried":
                policy = RetryPolicy(max_retries=node.number, delay=0.5)
                return context.run(stumbles, name, node.number, retry=policy)
            case "failing":
                return context.run(fails, name)
            case "call":
                return context.call(SERVICE, "run", self._sent(node))
        return context.run(works, name)

    async def _step(self, node: Node) -> Any:
        return await self._command(node)

    _sync = _retried = _failing = _call = _step

    async def _once(self, node: Node) -> Any:
        name = self._name(node)
        try:
            return await self._ctx.run(works, name, at_most_once=True)
        except StepInterrupted:
            raise ValueError(f"{name} interrupted") from None

    async def _sleep(self, node: Node) -> Any:
        await (self._ctx.sleep if node.mode else asyncio.sleep)(node.number)
        return "slept"

    async def _emit(self, node: Node) -> Any:
        self._ctx.emit(self._name(node))
        return "emitted"

    async def _event(self, node: Node) -> Any:
        timeout = WAIT_S if node.mode == "timeout" else None
        try:
            return await self._ctx.wait_for_event(self._name(node), timeout)
        except TimeoutError:
            return "timeout"

    async def _inbox(self, node: Node) -> Any:
        waits = [self._ctx.wait_for_event(self._name(node)) for _ in range(node.number)]
        return list(await asyncio.gather(*waits))

    async def _promise(self, node: Node) -> Any:
        name = self._name(node)
        timeout = WAIT_S if node.mode == "timeout" else None
        promise = self._ctx.promise(name, timeout=timeout)
        await self._ctx.run(hand_out, name, promise.token)
        try:
            return await promise
        except TimeoutError:
            return "timeout"

    async def _append(self, node: Node) -> Any:
        await self._ctx.call(SERVICE, "Lines.append", node.mode, key=f"object-{node.number}")
        return "appended"

    async def _read(self, node: Node) -> Any:
        await self._ctx.call(SERVICE, "Lines.read", key=f"object-{node.number}")
        return "read"

    async def _map(self, node: Node) -> Any:
        items = [f"{self._name(node)}/{item}" for item in range(node.number)]
        return list(await self._ctx.map(works, items, max_concurrency=2))

    # --- one child -----------------------------------------------------------------------------

    async def _timeout(self, node: Node) -> Any:
        try:
            async with asyncio.timeout(node.number):
                return await self.run(node.children[0])
        except TimeoutError:
            return "timeout"

    async def _try_(self, node: Node) -> Any:
        try:
            return await self.run(node.children[0])
        except ValueError as error:
            return ["caught", str(error)]

    async def _finally_(self, node: Node) -> Any:
        try:
            return await self.run(node.children[0])
        finally:
            await self._ctx.run(works, self._name(node))

    async def _flow(self, node: Node) -> Any:
        return await self._ctx.call(SERVICE, "run_flow", self._sent(node))

    async def _attempts(self, node: Node) -> Any:
        given = {**self._sent(node), "label": self._name(node), "fails": node.number}
        return await self._ctx.call(SERVICE, "attempting", given)

    async def _turns(self, node: Node) -> Any:
        given = {**self._sent(node), "number": 1, "turns": node.number}
        return await self._ctx.call(SERVICE, "turning", given)

    async def _send(self, node: Node) -> Any:
        await self._ctx.send(SERVICE, "run", self._sent(node), delay=node.number)
        return "sent"

    async def _give_up(self, node: Node) -> Any:
        call = self._ctx.call(SERVICE, "run", self._sent(node))
        await self._ctx.sleep(node.number)
        if call.done():
            return await call
        call.cancel()
        return "given up"

    # --- several children ----------------------------------------------------------------------

    async def _sequence(self, node: Node) -> Any:
        return [await self.run(child) for child in node.children]

    async def _gather(self, node: Node) -> Any:
        return list(await asyncio.gather(*[self.run(child) for child in node.children]))

    async def _group(self, node: Node) -> Any:
        messages: list[str] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.run(child)) for child in node.children]
        except* ValueError as failed:
            messages += [str(error) for error in failed.exceptions]
        if messages:
            raise ValueError(min(messages))
        return [task.result() for task in tasks]

    async def _spawn(self, node: Node) -> Any:
        turn = self._turn

        async def branch(ctx: DurableContext, sent: list[Any], turn: str) -> Any:
            return await Interpreter(ctx, turn).run(received(sent))

        return await self._ctx.spawn([(branch, child.sent(), turn) for child in node.children])

    async def _race(self, node: Node) -> Any:
        tasks = [asyncio.create_task(self.run(child)) for child in node.children]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            winner = next(task for task in tasks if task in done)
        finally:
            await _end(tasks)
        return [tasks.index(winner), winner.result()]

    async def _completed(self, node: Node) -> Any:
        awaitables: list[Awaitable[Any]] = [self.run(child) for child in node.children]
        results = [await done for done in asyncio.as_completed(awaitables)]
        return sorted(results, key=json.dumps)

    async def _first(self, node: Node) -> Any:
        return ["first", await self._ctx.race(*[self.run(child) for child in node.children])]

    async def _saga(self, node: Node) -> Any:
        async with self._ctx.saga() as saga:
            results = []
            for child in node.children:
                if child.kind in ("step", "sync", "retried", "call"):
                    undo = f"undo {self._name(child)}"
                    command = self._command(child)
                    results.append(await saga.do(command, _Undo(self._ctx, undo)))
                else:
                    results.append(await self.run(child))
            if node.mode == "fails":
                raise ValueError(f"{self._name(node)} failed")
        return results


class _Undo:
    """The compensation of a saga: a step that says so."""

    def __init__(self, context: DurableContext, name: str) -> None:
        self._ctx = context
        self._name = name

    def __call__(self, result: Any) -> DurableFuture[Any]:
        return self._ctx.run(works, self._name)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen: asyncio need not complain
