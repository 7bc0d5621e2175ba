"""`ctx.shield`: a section that a cancellation does not interrupt (semantics, section 8).

Unlike `asyncio.shield` it also keeps the caller until the section has ended, so that a body never
ends with the section half done. The grace of a cancellation still bounds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from perdure.context.ending import AnyFuture, outlast, until_done
from perdure.context.future import DurableFuture

T = TypeVar("T")


async def shielded(section: Awaitable[T]) -> T:
    """Give what `section` gives; a cancellation that comes meanwhile is raised after its end."""
    future: AnyFuture = future_of(section)
    try:
        await until_done(future)
    except asyncio.CancelledError:
        await outlast(future)
        raise
    result: T = await (section if isinstance(section, DurableFuture) else future)
    return result


def future_of(awaitable: Awaitable[Any]) -> AnyFuture:
    """What becomes done with `awaitable`: its command, itself, or a new task."""
    if isinstance(awaitable, DurableFuture):
        return awaitable.command
    return asyncio.ensure_future(awaitable)
