"""What a client needs of a coordinator, over whatever connects them.

Implemented over gRPC and in-process; both raise the errors of `perdure_runtime.core.errors` only.
Requests that change something carry a `request_id` and are sent again with the same one when the
connection is lost, until the caller gives up (architecture, section 3).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

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
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest


class Transport(Protocol):
    """What a client asks for. Used from one event loop."""

    async def start(self, request: StartRequest) -> StartReply:
        """Answers when the execution is on disk."""
        ...

    async def describe(self, namespace: str, id: str) -> Description:
        """Raises NotFoundError."""
        ...

    async def wait(self, namespace: str, id: str) -> Outcome:
        """Answers when the execution has ended; pushed, never polled. Raises NotFoundError."""
        ...

    async def list(self, request: ListRequest) -> ListReply:
        """One page."""
        ...

    def history(
        self, namespace: str, id: str, from_index: int, follow: bool, values_only: bool = False
    ) -> AsyncIterator[Recorded]:
        """Entries from an index on; `follow` goes on until the end. Raises NotFoundError.

        Args:
            values_only: leave out all but emitted values.
        """
        ...

    def watch(self, namespace: str, id: str) -> AsyncIterator[Description]:
        """What `describe` says, now and at each change, until the end. Raises NotFoundError."""
        ...

    async def control(self, request: ControlRequest) -> ControlReply:
        """One operation on several executions; problems of single ones are in the reply."""
        ...

    async def send_event(self, request: SendEventRequest) -> SendEventReply:
        """Answers when the event is on disk."""
        ...

    async def settle_promise(self, request: SettlePromiseRequest) -> SettlePromiseReply:
        """Says whether the request settled the promise, or found it open. Raises NotFoundError."""
        ...

    async def schedule(self, request: ScheduleRequest) -> ScheduleReply:
        """One operation on schedules. Raises what the coordinator finds wrong."""
        ...

    async def update_tasks(self, request: TaskRequest) -> TaskReply:
        """One operation on several tasks; problems of single ones are in the reply."""
        ...

    async def claim_task(self, request: ClaimRequest) -> ClaimReply:
        """Answers when there is a task, or the request's wait is over. Cancelling gives up."""
        ...

    async def read_state(self, namespace: str, id: str) -> dict[str, Payload]:
        """What `ctx.state` holds. Raises NotFoundError."""
        ...

    async def read_object_state(self, namespace: str, class_name: str, key: str) -> Payload:
        """The last committed state of a durable object. Raises NotFoundError: never saved."""
        ...

    async def list_workers(self, namespace: str) -> Sequence[WorkerInfo]:
        """Connected workers."""
        ...

    async def list_methods(self, namespace: str) -> Sequence[MethodInfo]:
        """Methods that were ever registered."""
        ...

    async def stats(self) -> dict[str, float]:
        """The coordinator's counters by name."""
        ...

    async def health(self) -> dict[str, str]:
        """How the coordinator is, as names and texts."""
        ...

    async def close(self) -> None:
        """Give up the connection. Calling it again changes nothing."""
        ...
