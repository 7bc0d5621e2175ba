"""`ExecutionHandle`: one execution seen from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

from perdure.client.control import control_one
from perdure.client.history import HistoryEntry, history_entry
from perdure.client.outcome import value_of
from perdure.client.query import ExecutionInfo, execution_info
from perdure.client.transport import Transport
from perdure.option_checks import Errors, check_count, check_seconds, milliseconds
from perdure_runtime.core.client import ControlOperation
from perdure_runtime.core.entries import ValueEmitted
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import Serializer

T = TypeVar("T")


class ExecutionHandle(Generic[T]):
    """One execution. Made by `start` and by `client.get`; it costs nothing and holds nothing open.

    Args:
        decode: makes the result of its payload.
        raises: exception classes that may be restored as the cause of `ExecutionFailed`.
    """

    def __init__(
        self,
        transport: Transport,
        namespace: str,
        id: str,
        *,
        decode: Callable[[Payload], T],
        serializer: Serializer,
        raises: Errors = (),
        created: bool | None = None,
    ) -> None:
        self.id = id
        self.created = created
        """Whether the start made it; False when it attached, None for `client.get`."""
        self._transport = transport
        self._namespace = namespace
        self._decode = decode
        self._serializer = serializer
        self._raises = raises

    def __repr__(self) -> str:
        return f"ExecutionHandle({self.id!r})"

    async def result(self, timeout: float | None = None) -> T:
        """Wait for the end and give the result, restored by the function's return hint.

        Args:
            timeout: seconds; the execution goes on when they are over.

        Raises:
            TimeoutError: the builtin one, when the timeout is over.
            ExecutionFailed: `__cause__` is the restored exception, if it can be restored.
            ExecutionCancelledError, ExecutionTimedOut: it ended otherwise.
            NotFoundError: there is no such execution.
        """
        if timeout is not None:
            check_seconds("result()", "timeout", timeout, zero=True)
        try:
            async with asyncio.timeout(timeout) as limit:
                outcome = await self._transport.wait(self._namespace, self.id)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"execution {self.id} has not ended within {timeout} s; it goes on"
            ) from None
        return value_of(
            outcome, decode=self._decode, raises=self._raises, serializer=self._serializer
        )

    async def describe(self) -> ExecutionInfo:
        """Its status and what it is doing. Raises `NotFoundError`."""
        return execution_info(await self._transport.describe(self._namespace, self.id))

    async def watch(self) -> AsyncIterator[ExecutionInfo]:
        """What `describe` says, now and whenever it changes, until it has ended.

        Pushed: nothing is asked again and again. Changes that come faster than they are read are
        joined; the last one is always given.

        Raises:
            NotFoundError: there is no such execution, or it was deleted meanwhile.
        """
        async for description in self._transport.watch(self._namespace, self.id):
            yield execution_info(description)

    async def cancel(self, reason: str = "", *, grace: float | None = None) -> bool:
        """Ask it to stop; True unless it has ended already (semantics, section 8).

        Args:
            grace: seconds that its `finally` blocks have; the coordinator's default when None.

        Raises:
            NotFoundError: there is no such execution.
        """
        grace_ms = None
        if grace is not None:
            grace_ms = milliseconds(check_seconds("cancel()", "grace", grace, zero=True))
        return await control_one(
            self._transport,
            self._namespace,
            ControlOperation.CANCEL,
            self.id,
            reason=reason,
            grace_ms=grace_ms,
        )

    async def history(
        self, *, from_index: int = 0, follow: bool = False
    ) -> AsyncIterator[HistoryEntry]:
        """The entries of its journal in order.

        Args:
            follow: go on with new entries until the execution ends.
        """
        entries = self._transport.history(self._namespace, self.id, from_index, follow)
        async for recorded in entries:
            yield history_entry(recorded, self._serializer)

    async def stream(self, *, from_index: int = 0, follow: bool = True) -> AsyncIterator[Any]:
        """The values that the body emitted, in order, pushed as they come (semantics, section 5).

        Args:
            from_index: how many values to leave out: those that an earlier reader has had.
            follow: go on with new values until the execution ends.

        Raises:
            NotFoundError: there is no such execution.
            SerializationError: a value is in an encoding that is not accepted here.
        """
        check_count("stream()", "from_index", from_index, minimum=0)
        entries = self._transport.history(self._namespace, self.id, 0, follow, values_only=True)
        number = 0
        async for recorded in entries:
            if isinstance(recorded.entry, ValueEmitted):
                if number >= from_index:
                    what = f"emitted value {number}"
                    yield self._serializer.decode(recorded.entry.value, what=what)
                number += 1

    async def read_state(self) -> dict[str, Any]:
        """What `ctx.state` holds, in JSON shape. Raises `NotFoundError`."""
        payloads = await self._transport.read_state(self._namespace, self.id)
        return {key: self._serializer.decode(value, what=key) for key, value in payloads.items()}
