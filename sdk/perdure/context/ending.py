"""Waiting for futures of a body until they are done, whatever happens to the one who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

AnyFuture = asyncio.Future[Any]


async def end_all(futures: Sequence[AnyFuture]) -> None:
    """Cancel what is not done and wait for it, also when cancelled meanwhile."""
    cancelled = False
    waiting = [future for future in futures if not future.done()]
    for future in waiting:
        future.cancel()
    for future in waiting:
        try:
            await until_done(future)
        except asyncio.CancelledError:
            cancelled = True
            await outlast(future)
        if not future.cancelled():
            future.exception()  # seen: asyncio need not complain
    if cancelled:
        raise asyncio.CancelledError


async def until_done(future: AnyFuture) -> None:
    """Wait without cancelling `future` when the wait is cancelled."""
    if not future.done():
        turn = asyncio.get_running_loop().create_future()
        future.add_done_callback(partial(_wake, turn))
        await turn


async def outlast(future: AnyFuture) -> None:
    """Wait until `future` is done, through every cancellation; for `except` blocks of one."""
    while not future.done():
        try:
            await until_done(future)
        except asyncio.CancelledError:
            continue


def _wake(turn: asyncio.Future[None], ended: AnyFuture) -> None:
    if not turn.done():
        turn.set_result(None)
