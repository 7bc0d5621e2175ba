"""`ctx.wait_until`: look again and again until a condition holds (semantics, section 5).

Every look is a recorded step (or call, or branch), every pause a durable timer. Looks are reads: a
later attempt never takes over an old answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.context.sleep import sleep
from perdure.context.spawn import check_task, issue_task
from perdure.option_checks import check_seconds

if TYPE_CHECKING:
    from perdure.context.context import DurableContext

_WHERE = "ctx.wait_until()"


async def wait_until(
    context: DurableContext,
    check: Callable[..., Any],
    args: tuple[Any, ...],
    every: float,
    timeout: float | None,
    name: str | None,
) -> Any:
    """Give the first true answer. Raises TimeoutError when the time is over."""
    pause_s = check_seconds(_WHERE, "every", every)
    timeout_s = None if timeout is None else check_seconds(_WHERE, "timeout", timeout)
    if name is None and getattr(check, "__name__", "") == "<lambda>":
        name = "wait_until"
    form = (check, *args) if name is None else (name, check, *args)
    task = check_task(context, _WHERE, form)
    async with asyncio.timeout(timeout_s):
        while not (answer := await issue_task(context, task, reuse=False)):
            await sleep(pause_s)
    return answer
