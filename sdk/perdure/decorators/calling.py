"""What a direct call of a decorated function does (semantics, section 3, "Calling directly").

Inside an execution it is a command of the ambient context. Outside, a function or flow goes to the
ambient client, and a step is simply the plain function.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from perdure.context.ambient import current_context
from perdure.decorators.shape import is_coroutine_function
from perdure.definition import Definition

if TYPE_CHECKING:
    from perdure.context import DurableContext
    from perdure.decorators.durable_function import DurableFunction
    from perdure.decorators.durable_step import DurableStep

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def call_function(
    function: DurableFunction[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Coroutine[Any, Any, Any]:
    """Run a function or flow: as a child of the ambient execution, else through the client."""
    explicit, args = split_context(function.definition, args, kwargs)
    context = explicit or current_context()
    if context is None:
        return _start_and_wait(function, args, kwargs)
    positional, keywords = folded(function.definition, args, kwargs)
    future: Coroutine[Any, Any, Any] = context.call(function, *positional, **keywords)
    return future


def call_step(step: DurableStep[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Run a step: recorded inside an execution, plainly elsewhere.

    Plainly means: an `async def` gives its coroutine; a `def` gives its value, or, where an event
    loop runs, a coroutine that runs it in a thread, so that `await step(...)` always works in
    coroutines.
    """
    context = current_context()
    if context is not None:
        positional, keywords = folded(step.definition, args, kwargs)
        return context.run(step, *positional, **keywords)
    plain = step.definition.function
    if not is_coroutine_function(plain) and _loop_is_running():
        return asyncio.to_thread(plain, *args, **kwargs)
    return plain(*args, **kwargs)


async def _start_and_wait(
    function: DurableFunction[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    handle = await function.start(*args, **kwargs)
    return await handle.result()


def split_context(
    definition: Definition, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[DurableContext | None, tuple[Any, ...]]:
    """A context that was passed by hand, and the arguments without it.

    None in its place counts too, but only if the call does not fit the parameters otherwise.
    """
    if not args:
        return None, args
    first = args[0]
    if first is None:
        signature = definition.signature
        fits = _fits(signature.arguments, args, kwargs)
        if not fits and _fits(signature.arguments, args[1:], kwargs):
            return None, args[1:]
        return None, args
    from perdure.context import DurableContext

    if isinstance(first, DurableContext):
        return first, args[1:]
    return None, args


def folded(definition: Definition, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
    """The arguments with as many as possible by position; defaults are not filled in.

    `ctx.call` and `ctx.run` take keywords of their own, so a user's keywords travel by position
    where they can.

    Raises:
        TypeError: the arguments do not fit.
    """
    if not kwargs:
        return args, {}
    signature = inspect.signature(definition.function)
    if definition.takes_context:
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{definition.name}() {error}") from None
    return bound.args, bound.kwargs


def _fits(
    bind: Callable[[tuple[Any, ...], Mapping[str, Any]], object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> bool:
    try:
        bind(args, kwargs)
    except TypeError:
        return False
    return True


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
