"""User code as plain handlers: one unit each, run whole, on the real loop or in a thread.

Timeouts, attempts, delays and what happens after a crash are the engine's part (semantics, 3).
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from perdure.context.ambient import current_step
from perdure.decorators.shape import is_coroutine_function
from perdure.definition import Definition, Kind
from perdure.executor.errors import refusal
from perdure.executor.signals import Signal
from perdure.executor.task import Unit
from perdure.executor.task_context import TaskContext
from perdure.options import NO_RETRIES, Options
from perdure_runtime.serde import Signature, signature_of

Finish = Callable[[Any], Awaitable[Any]]


class Units:
    """Runs the units of one executor and knows which are running."""

    def __init__(self, shutdown_signal: Signal) -> None:
        self._shutdown_signal = shutdown_signal
        self._running: Counter[str] = Counter()

    def running(self) -> frozenset[str]:
        """Ids of the executions whose code runs here now."""
        return frozenset(self._running)

    def definition(self, service: str, unit: Unit, finish: Finish) -> Definition:
        """A unit as a worker offers it.

        Args:
            finish: makes what travels of the result; it may wait, for a check of children's input.
        """
        return Definition(
            Kind.HANDLER,
            unit.task_id,
            self._async(unit, finish)
            if is_coroutine_function(unit.function)
            else self._sync(unit, finish),
            Options(
                retry=unit.attempts.retry,
                attempt_timeouts_ms=unit.attempts.timeouts_ms,
            ),
            service=service,
        )

    def _async(self, unit: Unit, finish: Finish) -> Callable[..., Any]:
        async def run(input: Any = None) -> Any:
            with self._entered(unit, input) as args:
                result = await unit.function(*args)
            return await finish(result)

        return run

    def _sync(self, unit: Unit, finish: Finish) -> Callable[..., Any]:
        async def rest(unit: Unit, result: Any) -> Any:
            if inspect.isawaitable(result):  # a plain callable around an async one
                result = await result
            return await finish(result)

        def run(input: Any = None) -> Any:
            with self._entered(unit, input) as args:
                result = unit.function(*args)
            return rest(unit, result)  # goes on where coroutines do

        return run

    @contextmanager
    def _entered(self, unit: Unit, input: Any) -> Iterator[tuple[Any, ...]]:
        """The arguments of the user's code, while which the execution counts as running."""
        step = current_step()
        assert step is not None
        execution_id = step.execution_id
        if unit.wraps:
            execution_id, input = input["execution_id"], input["input"]
        context = TaskContext(unit.task_id, execution_id, step, self._shutdown_signal)
        args = (context, unit.decode(input)) if unit.takes_input else (context,)
        self._running[execution_id] += 1
        try:
            yield args
        finally:
            self._running[execution_id] -= 1
            if self._running[execution_id] <= 0:
                del self._running[execution_id]


def checker(service: str, task_id: str, check: Finish) -> Definition:
    """The check of a task's input as a worker offers it, for what a flow hands from task to task.

    Args:
        check: from shape to shape.
    """

    async def run(input: Any = None) -> Any:
        return await check(input)

    return Definition(Kind.HANDLER, task_id, run, Options(retry=NO_RETRIES), service=service)


def signature_of_run(where: str, run: Callable[..., Any]) -> tuple[Signature, bool]:
    """How a `run` restores its values, and whether it takes an input.

    Raises:
        DurableTaskError: it cannot be called with a context and at most one input.
    """
    if not callable(run):
        raise refusal(f"{where} must be a callable, not {run!r}")
    try:
        signature = signature_of(run, (0,))
    except (TypeError, ValueError):
        raise refusal(f"{where} takes no context; write `async def run(ctx, input)`") from None
    required = [
        each.name
        for each in signature.parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if len(required) > 1:
        raise refusal(f"{where} needs {', '.join(required)}; a task has one input")
    return signature, bool(signature.parameters)
