"""Random bodies: small trees of asyncio code, made by hypothesis, run by one interpreter.

A node is a tuple whose first item names what it does. The interpreter returns a trace, so that the
outcome of a program holds everything the body could see.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import strategies as st

from perdure_runtime.core.entries import Target
from perdure_runtime.core.payload import NULL, Failure, Payload
from perdure_runtime.driver import Body, CommandFuture
from perdure_runtime.testing.history import digest, payload, value_of

Node = tuple[Any, ...]

NAMES = st.sampled_from(["a", "b", "c", "bad-1", "bad-2"])
_LEAVES = st.one_of(
    st.tuples(st.just("step"), NAMES),
    st.tuples(st.just("call"), NAMES),
    st.tuples(st.just("send"), NAMES),
    st.tuples(st.just("sleep"), st.sampled_from([0, 1, 5])),
    st.tuples(st.just("state"), NAMES),
    st.tuples(st.just("now")),
    st.tuples(st.just("random")),
)


def _nested(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=1, max_size=4).map(tuple)
    return st.one_of(
        st.tuples(st.just("sequence"), several),
        st.tuples(st.just("gather"), several),
        st.tuples(st.just("group"), several),
        st.tuples(st.just("race"), several),
        st.tuples(st.just("completed"), several),
        st.tuples(st.just("timeout"), st.sampled_from([1, 3]), inner),
        st.tuples(st.just("wait_for"), st.sampled_from([1, 3]), inner),
        st.tuples(st.just("try"), inner, inner),
        st.tuples(st.just("finally"), inner, inner),
        st.tuples(st.just("branch"), NAMES, inner),
        st.tuples(st.just("left"), inner),
        st.tuples(st.just("shield"), inner),
    )


PROGRAMS: st.SearchStrategy[Node] = st.recursive(_LEAVES, _nested, max_leaves=12)


class Failed(Exception):
    """A command failed."""


async def _outcome(future: CommandFuture) -> Any:
    recorded = await future
    if isinstance(recorded, Failure):
        raise Failed(recorded.message)
    return value_of(recorded)


async def interpret(body: Body, node: Node) -> Any:
    """Run a node and return its trace."""
    match node:
        case ("step", name):
            return await _outcome(body.step(name, digest(name), None))
        case ("call", name):
            return await _outcome(body.call(Target("tests", name), payload(name)))
        case ("send", name):
            return body.call(Target("tests", name), payload(name), detached=True).child_id
        case ("sleep", seconds):
            await asyncio.sleep(seconds)
            return "slept"
        case ("state", name):
            before = body.state_get("count")
            count = 1 + (value_of(before) if before else 0)
            body.state_set("count", payload(count))
            body.state_set(name, payload(count))
            return count
        case ("now",):
            return body.now()
        case ("random",):
            return random.random()
        case ("sequence", children):
            return [await interpret(body, child) for child in children]
        case _:
            return await _concurrent(body, node)


async def _concurrent(body: Body, node: Node) -> Any:
    match node:
        case ("gather", children):
            return await asyncio.gather(*(_safe(body, child) for child in children))
        case ("group", children):
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(interpret(body, child)) for child in children]
            except ExceptionGroup as errors:
                return [str(error) for error in errors.exceptions]
            return [task.result() for task in tasks]
        case ("race", children):
            tasks = [asyncio.ensure_future(_safe(body, child)) for child in children]
            try:
                done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                for task in tasks:
                    task.cancel()
                raise
            for task in pending:
                task.cancel()
            return [task.result() for task in done]
        case ("completed", children):
            futures = asyncio.as_completed([_safe(body, child) for child in children])
            return [await future for future in futures]
        case ("shield", child):
            return await asyncio.shield(_safe(body, child))
        case ("left", child):
            task = asyncio.ensure_future(_safe(body, child))
            await asyncio.sleep(0)
            return task.done()
        case _:
            return await _guarded(body, node)


async def _guarded(body: Body, node: Node) -> Any:
    match node:
        case ("timeout", seconds, child):
            try:
                async with asyncio.timeout(seconds):
                    return await interpret(body, child)
            except TimeoutError:
                return "timeout"
        case ("wait_for", seconds, child):
            try:
                return await asyncio.wait_for(interpret(body, child), seconds)
            except TimeoutError:
                return "wait_for timeout"
        case ("try", child, handler):
            try:
                return await interpret(body, child)
            except (Failed, TimeoutError) as error:
                return [str(error), await interpret(body, handler)]
        case ("finally", child, cleanup):
            try:
                return await interpret(body, child)
            finally:
                await interpret(body, cleanup)
        case ("branch", name, child):

            async def branch() -> Payload | Failure:
                try:
                    return payload(await interpret(body, child))
                except (Failed, TimeoutError) as error:
                    return Failure("Failed", str(error))

            return await _outcome(body.branch(name, digest(str(node)), branch))
    raise AssertionError(node)


async def _safe(body: Body, node: Node) -> Any:
    try:
        return await interpret(body, node)
    except (Failed, TimeoutError) as error:
        return ["failed", str(error)]


def body_of(program: Node) -> Any:
    """The body factory of a program; its result is the trace, failures included."""

    async def run(body: Body) -> Any:
        trace = await _safe(body, program)
        keys = {key: value_of(body.state_get(key) or NULL) for key in sorted(body.state_keys())}
        return [trace, keys]

    return run
