"""Commands that undo something: run as recorded branches that no cancellation interrupts.

Shared by sagas and `ctx.on_cancel`. What fails is recorded and given back, never raised.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.context.ambient import enter_body
from perdure.context.ending import outlast, until_done
from perdure.decorators.shape import looks_durable
from perdure.registry import definition_of
from perdure_runtime.core.payload import NULL, Failure, Payload
from perdure_runtime.serde import encode_exception

if TYPE_CHECKING:
    from perdure.context.context import DurableContext


async def undo(
    context: DurableContext,
    name: str,
    digest: bytes,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    compensates: bytes = b"",
) -> tuple[Failure | None, bool]:
    """Run `function(*args)`, which gives an awaitable, as a branch, to its end.

    Args:
        digest: tells this branch from others of the name; b"" where nothing is ever reused.
        compensates: key (generation 0) of the operation that it undoes.

    Returns:
        How it failed, and whether a cancellation came meanwhile.
    """
    around = context.surroundings
    inner = type(context)(around)

    async def body() -> Payload | Failure:
        enter_body(inner)
        try:
            takes_context = definition_of(function) is None and looks_durable(function)
            made = function(inner, *args) if takes_context else function(*args)
            if not inspect.isawaitable(made):
                raise TypeError(
                    f"{name} gave {made!r}, nothing to await: issue a command in it, as in "
                    "lambda result: ctx.run(release, result)"
                )
            await made
        except asyncio.CancelledError:
            raise
        except Exception as error:
            return encode_exception(error, around.serializers)
        return NULL

    branch = around.body.branch(name, digest, body, reuse=False, compensates=compensates)
    cancelled = False
    try:
        await until_done(branch)
    except asyncio.CancelledError:
        cancelled = True
        await outlast(branch)
    if branch.cancelled():
        return Failure("CancelledError", f"{name} was cancelled"), True
    outcome = branch.result()
    return outcome if isinstance(outcome, Failure) else None, cancelled
