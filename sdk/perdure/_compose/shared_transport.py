"""A client's transport that moves with the coordinator from process to process.

A request that was under way when the host died is sent again, unchanged, to the next one: its
request id makes that safe, as it does over a broken connection. Waits and journals go on where they
were.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar, cast

from perdure._compose.sharing import SharedFile
from perdure.client.transport import Transport
from perdure.worker.worker import Worker
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    ControlReply,
    ControlRequest,
    Description,
    ListReply,
    ListRequest,
    MethodInfo,
    Outcome,
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
    TaskReply,
    TaskRequest,
    WorkerInfo,
)
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import CoordinatorUnavailableError
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest

T = TypeVar("T")


class SharedTransport(Transport):
    """See the module.

    Args:
        worker: of this process.
        register_again: has it offer what was defined since it was registered.
    """

    def __init__(
        self,
        file: SharedFile,
        worker: Worker,
        register_again: Callable[[], None],
    ) -> None:
        self._file = file
        self._worker = worker
        self._register_again = register_again

    async def start(self, request: StartRequest) -> StartReply:
        if not self._worker.serves(request.target) and self._worker.outdated:
            self._register_again()
        return await self._ask(lambda transport: transport.start(request))

    async def describe(self, namespace: str, id: str) -> Description:
        return await self._ask(lambda transport: transport.describe(namespace, id))

    async def wait(self, namespace: str, id: str) -> Outcome:
        return await self._ask(lambda transport: transport.wait(namespace, id))

    async def list(self, request: ListRequest) -> ListReply:
        return await self._ask(lambda transport: transport.list(request))

    async def control(self, request: ControlRequest) -> ControlReply:
        return await self._ask(lambda transport: transport.control(request))

    async def send_event(self, request: SendEventRequest) -> SendEventReply:
        return await self._ask(lambda transport: transport.send_event(request))

    async def settle_promise(self, request: SettlePromiseRequest) -> SettlePromiseReply:
        return await self._ask(lambda transport: transport.settle_promise(request))

    async def schedule(self, request: ScheduleRequest) -> ScheduleReply:
        return await self._ask(lambda transport: transport.schedule(request))

    async def update_tasks(self, request: TaskRequest) -> TaskReply:
        return await self._ask(lambda transport: transport.update_tasks(request))

    async def claim_task(self, request: ClaimRequest) -> ClaimReply:
        return await self._ask(lambda transport: transport.claim_task(request))

    async def read_state(self, namespace: str, id: str) -> dict[str, Payload]:
        return await self._ask(lambda transport: transport.read_state(namespace, id))

    async def read_object_state(self, namespace: str, class_name: str, key: str) -> Payload:
        return await self._ask(
            lambda transport: transport.read_object_state(namespace, class_name, key)
        )

    async def list_workers(self, namespace: str) -> Sequence[WorkerInfo]:
        return await self._ask(lambda transport: transport.list_workers(namespace))

    async def list_methods(self, namespace: str) -> Sequence[MethodInfo]:
        return await self._ask(lambda transport: transport.list_methods(namespace))

    async def stats(self) -> dict[str, float]:
        return await self._ask(lambda transport: transport.stats())

    async def health(self) -> dict[str, str]:
        """See `Transport`; `host` is the process that has the coordinator."""
        await self._ask(lambda transport: transport.list_workers("default"))  # it answers
        place = await self._file.place()
        return {"status": "serving", "database": self._file.database, "host": str(place.pid)}

    async def history(
        self, namespace: str, id: str, from_index: int, follow: bool, values_only: bool = False
    ) -> AsyncIterator[Recorded]:
        index = from_index
        while True:
            place = await self._file.place()
            journal = cast(
                "AsyncGenerator[Recorded, None]",
                place.transport.history(namespace, id, index, follow, values_only),
            )
            async with contextlib.aclosing(journal):
                try:
                    while True:
                        recorded = await _unless_gone(anext(journal), place.gone)
                        yield recorded
                        index = recorded.index + 1
                except StopAsyncIteration:
                    return
                except _Gone:
                    continue
                except CoordinatorUnavailableError:
                    if place.gone is None or not place.gone.done():
                        raise

    async def watch(self, namespace: str, id: str) -> AsyncIterator[Description]:
        while True:
            place = await self._file.place()
            states = cast("AsyncGenerator[Description, None]", place.transport.watch(namespace, id))
            async with contextlib.aclosing(states):
                try:
                    while True:
                        yield await _unless_gone(anext(states), place.gone)
                except StopAsyncIteration:
                    return
                except _Gone:
                    continue
                except CoordinatorUnavailableError:
                    if place.gone is None or not place.gone.done():
                        raise

    async def close(self) -> None:
        """Nothing of its own to close; the runtime closes the file."""

    async def _ask(self, ask: Callable[[Transport], Awaitable[T]]) -> T:
        while True:
            place = await self._file.place()
            if place.gone is None:
                return await ask(place.transport)
            try:
                return await _unless_gone(ask(place.transport), place.gone)
            except _Gone:
                continue
            except CoordinatorUnavailableError as error:
                if not place.gone.done():
                    raise CoordinatorUnavailableError(
                        f"process {place.pid}, which hosts {self._file.database}, does not "
                        f"answer: {error}"
                    ) from None


class _Gone(Exception):
    """The host has gone: ask the next one."""


async def _unless_gone(work: Awaitable[T], gone: asyncio.Future[None] | None) -> T:
    """Await work, but no longer than the host lives.

    Raises:
        _Gone: it has gone; the work was cancelled.
    """
    if gone is None:
        return await work
    task = asyncio.ensure_future(_awaited(work))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise _Gone
    return task.result()


async def _awaited(work: Awaitable[T]) -> T:
    return await work
