"""A worker's loop: claim a task, run a callable, complete or fail it, again, several at a time.

While the callable runs, the claim is kept alive. When the claim is lost (this process was cut off
for longer than the lease), the callable is cancelled and nothing more is said about the task:
another worker has it. When the loop is cancelled, what is being worked on goes back to its queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from perdure.tasks.claim import Claim
from perdure.tasks.values import WorkerLike, worker_ref
from perdure_runtime.core.errors import (
    ClaimLostError,
    CoordinatorUnavailableError,
    InvalidArgumentError,
    OverloadedError,
    PerdureError,
)

if TYPE_CHECKING:
    from perdure.tasks.tasks import Tasks

_LOG = logging.getLogger("perdure.tasks")
AGAIN_S: Final = 1.0
SIGNS_PER_LEASE: Final = 3
GOODBYE_S: Final = 5.0

Handler = Callable[[Claim], Any]


async def work(
    tasks: Tasks,
    queue: str | Sequence[str],
    handler: Handler,
    *,
    worker: WorkerLike,
    concurrency: int,
    lease: float,
    until_empty: bool,
) -> int:
    """Run the loop; see `Tasks.work`."""
    if concurrency < 1:
        raise InvalidArgumentError(f"concurrency is at least 1, not {concurrency}")
    ref = worker_ref(worker)
    assert ref is not None

    async def loop() -> int:
        count = 0
        while True:
            claim = await _next(tasks, queue, ref, lease, wait=0 if until_empty else None)
            if claim is None:
                return count
            await _work_on(claim, handler)
            count += 1

    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(loop()) for _ in range(concurrency)]
    return sum(each.result() for each in loops)


async def _next(
    tasks: Tasks, queue: str | Sequence[str], worker: WorkerLike, lease: float, wait: float | None
) -> Claim | None:
    """The next task. What was claimed while this was cancelled is given back."""
    request_id = uuid4().hex
    while True:
        try:
            return await tasks.claim(queue, worker, lease=lease, wait=wait, request_id=request_id)
        except asyncio.CancelledError:
            await _last(_return(tasks, queue, worker, lease, request_id))
            raise
        except (CoordinatorUnavailableError, OverloadedError) as error:
            _LOG.warning("cannot claim tasks of %s, it is tried again: %s", queue, error)
            await asyncio.sleep(AGAIN_S)


async def _return(
    tasks: Tasks, queue: str | Sequence[str], worker: WorkerLike, lease: float, request_id: str
) -> None:
    claim = await tasks.claim(queue, worker, lease=lease, wait=0, request_id=request_id)
    if claim is not None:
        await claim.release("the worker stops")


async def _work_on(claim: Claim, handler: Handler) -> None:
    running = asyncio.ensure_future(_run(handler, claim))
    beating = asyncio.create_task(_beat(claim, running)) if claim.lease_s else None
    try:
        await asyncio.wait((running,))
        await _settle(claim, running)
    except asyncio.CancelledError:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if not claim.is_over:
            await _last(claim.release("the worker stops"))
        raise
    finally:
        if beating is not None:
            beating.cancel()


async def _run(handler: Handler, claim: Claim) -> Any:
    if inspect.iscoroutinefunction(handler):
        return await handler(claim)
    loop = asyncio.get_running_loop()
    result = await loop.run_in_executor(None, copy_context().run, handler, claim)
    return await result if inspect.isawaitable(result) else result


async def _settle(claim: Claim, running: asyncio.Future[Any]) -> None:
    """Tell what came of it, as long as it takes: the claim is kept alive meanwhile."""
    while not claim.is_over:
        try:
            if running.cancelled():
                return  # the claim was lost
            error = running.exception()
            if error is None:
                await claim.complete(running.result())
            elif isinstance(error, ClaimLostError) or not isinstance(error, Exception):
                raise error
            else:
                await claim.fail(error)
        except ClaimLostError as lost:
            _LOG.warning("task %s is not ours any more: %s", claim.id, lost)
            return
        except (CoordinatorUnavailableError, OverloadedError) as error:
            _LOG.warning("cannot tell what came of task %s yet: %s", claim.id, error)
            await asyncio.sleep(AGAIN_S)
        except PerdureError as error:
            if running.exception() is not None:
                raise
            running = asyncio.get_running_loop().create_future()
            running.set_exception(error)  # the output cannot be encoded, or is too large


async def _beat(claim: Claim, running: asyncio.Future[Any]) -> None:
    """Signs of life, until the claim is lost."""
    while not claim.is_over:
        await asyncio.sleep(claim.lease_s / SIGNS_PER_LEASE)
        try:
            if not claim.is_over:
                await claim.heartbeat()
        except ClaimLostError:
            running.cancel()
            return
        except PerdureError as error:
            _LOG.warning("no sign of life of task %s got through: %s", claim.id, error)


async def _last(goodbye: Any) -> None:
    """Say something before the end, but not for long."""
    with contextlib.suppress(PerdureError, TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            await goodbye
