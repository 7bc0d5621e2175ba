"""Asking the shard: run an action on an execution, answer after the commit, carry out only once.

What requests of clients have in common, whatever they ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core.errors import DataLossError, NotFoundError, PerdureError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.limits import check_name
from perdure_runtime.storage import RequestRow

Name = tuple[str, str]  # of a request: namespace, request id
T = TypeVar("T")


class Asking:
    """Requests under way in one shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._running: dict[Name, asyncio.Future[Any]] = {}

    async def ask(
        self,
        key: ExecutionKey,
        action: Callable[[Execution | None], Any],
        name: Name | None = None,
        damaged: Callable[[DataLossError], Any] | None = None,
    ) -> Any:
        """Run an action on an execution and answer with what it returned or raised.

        Args:
            name: remember the answer under this name, in the same commit.
            damaged: what is answered for an execution in quarantine; the error if there is none.
        """
        future = self._shard.future()

        def run(execution: Execution | None) -> None:
            try:
                value = action(execution)
            except PerdureError as error:
                self._shard.reply(future, error)
                return
            if name is not None:
                self.remember(name, value)
            self._shard.reply(future, value)

        def refuse(error: DataLossError) -> None:
            self._shard.reply(future, error if damaged is None else damaged(error))

        self._shard.submit(key, run, refuse)
        return await future

    async def once(self, name: Name, kind: type[T], carry_out: Callable[[], Awaitable[T]]) -> T:
        """Carry out a request, or answer as it was answered before; also while that goes on."""
        running = self._running.get(name)
        if running is not None:
            await asyncio.wait([running])
        found = await self._shard.store.find_request(*name)
        if found is not None:
            return msgspec.msgpack.decode(found.reply, type=kind)
        if name in self._running:
            return await self.once(name, kind, carry_out)
        self._running[name] = future = asyncio.get_running_loop().create_future()
        try:
            return await carry_out()
        finally:
            del self._running[name]
            future.set_result(None)

    def remember(self, name: Name, reply: object) -> None:
        """Keep the answer to a request; in the batch that is being made."""
        self._shard.pending.request(self.answer(name, reply))

    def answer(self, name: Name, reply: object) -> RequestRow:
        """The answer to a request, as it is kept."""
        expires_ms = self._shard.clock.now_ms() + self._shard.config.request_memory_ms
        return RequestRow(*name, msgspec.msgpack.encode(reply), expires_ms)


def checked_key(namespace: str, id: str) -> ExecutionKey:
    """The key of an execution that a client names."""
    check_name("namespace", namespace)
    check_name("execution id", id)
    return ExecutionKey(namespace, id)


def not_found(key: ExecutionKey) -> NotFoundError:
    """What is raised for an execution that is not there."""
    return NotFoundError(f"no execution {key.id!r} in namespace {key.namespace!r}")
