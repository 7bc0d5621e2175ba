"""PD103: threads, processes and executors in a body."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.rules.naming import calls_of
from perdure.checking.source import Body

_named = calls_of(
    "asyncio.to_thread",
    "asyncio.run",
    "asyncio.run_coroutine_threadsafe",
    "threading.",
    "multiprocessing.",
    "concurrent.futures.",
)


def _check(body: Body) -> Told:
    yield from _named(body)
    for node in body.nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "run_in_executor"
        ):
            yield node, f"run_in_executor() in {body.kind} {body.name}"


THREADS: Final = Rule(
    "PD103",
    "leaves the deterministic loop",
    "what a thread does is not recorded: a sync step runs in a thread (@durable.step, ctx.run)",
    _check,
    determinism=True,
)
