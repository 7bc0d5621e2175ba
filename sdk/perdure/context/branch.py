"""Branches: parts of a body with a path, a scope and a recorded outcome of their own.

Made by `ctx.spawn` for callables that take a context, and by calls of durable functions that were
defined inside a function (semantics, section 3, "Calling directly").
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perdure.context.ambient import enter_body
from perdure.context.failures import step_error
from perdure.context.future import DurableFuture, Outcome
from perdure.context.run import result_hint
from perdure.definition import Definition
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.serde import encode_exception, step_input

if TYPE_CHECKING:
    from perdure.context.context import DurableContext


def issue_branch(
    context: DurableContext,
    function: Callable[..., Coroutine[Any, Any, Any]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    name: str | None = None,
    definition: Definition | None = None,
    admission: AbstractAsyncContextManager[Any] | None = None,
    reuse_on_retry: bool | None = None,
) -> DurableFuture[Any]:
    """Run `function(context, *args)`, or without the context, as a branch of the body.

    Args:
        definition: whose options hold inside; those around it when None.
        admission: entered before the body starts.
        reuse_on_retry: None leaves it to the options.
    """
    around = context.surroundings
    if definition is not None:
        if definition.options.state_scope == "function":
            raise InvalidArgumentError(
                f"{definition.name} is defined inside a function, so it runs as a part of its "
                "caller and has no state of its own; define it in a module for state_scope"
            )
        around = replace(
            around,
            options=definition.options,
            spawn_limit=definition.options.max_concurrent_steps,
        )
    takes_context = definition is None or definition.takes_context
    identity = step_input(function, (None, *args) if takes_context else args, kwargs, name)
    check_name("branch", identity.name)
    inner = type(context)(around)

    async def body() -> Payload | Failure:
        enter_body(inner)
        try:
            async with admission or nullcontext():
                given = (inner, *args) if takes_context else args
                value = await function(*given, **kwargs)
            return around.serializers.encode(
                value, result_hint(function), what=f"result of branch {identity.name}"
            )
        except CancelledError:
            raise
        except Exception as error:
            return encode_exception(error, around.serializers)

    def decode(outcome: Outcome) -> Any:
        if isinstance(outcome, Failure):
            raise step_error(outcome, around.serializers, command.path)
        return around.serializers.decode(outcome, result_hint(function), what="result of a branch")

    reuse = reuse_on_retry
    if reuse is None:
        reuse = context.surroundings.options.reuse_on_retry and around.options.reuse_on_retry
    command = around.body.branch(identity.name, identity.digest or b"", body, reuse=reuse)
    return DurableFuture(command, decode)
