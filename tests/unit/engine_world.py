"""What engine tests share: requests, commands, both stores, and a store that stumbles."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_coordinator.store.sqlite import open_file
from perdure_runtime.core.client import (
    ControlOperation,
    ControlRequest,
    ControlResult,
    StartRequest,
)
from perdure_runtime.core.entries import CallIssued, Entry, StepCompleted, Target
from perdure_runtime.core.ids import ExecutionKey, child_id
from perdure_runtime.core.messages import Ack, Entries, MethodSpec
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.retry import NO_RETRY
from perdure_runtime.memory import MemoryDisk, MemoryStore
from perdure_runtime.storage import ExecutionRow, RequestRow, Store, WriteBatch

FLOW = MethodSpec("orders", "charge", "flow", retry=NO_RETRY)
HANDLER = MethodSpec("orders", "send_mail", "handler")
BODY = Payload(b"1", digest=b"d" * 16)


def request(id: str = "a", target: Target | None = None, **fields: Any) -> StartRequest:
    """A start."""
    fields.setdefault("input", BODY)
    return StartRequest(
        "default", uuid.uuid4().hex, id, target or Target("orders", "charge"), **fields
    )


def step(path: str, value: bytes = b"1") -> StepCompleted:
    """A step's one entry."""
    return StepCompleted(path, "s", b"d" * 16, b"k" * 16, Payload(value))


def call(path: str, caller: str = "a", attempt: int = 1, **fields: Any) -> CallIssued:
    """A call of the handler."""
    id = fields.pop("child_id", "") or child_id(ExecutionKey("default", caller), 1, attempt, path)
    target = fields.pop("target", Target("orders", "send_mail"))
    return CallIssued(path, target, BODY, b"k" * 16, id, **fields)


async def control(engine: Engine, operation: ControlOperation, id: str = "a") -> ControlResult:
    """One operation on one execution."""
    reply = await engine.control(
        ControlRequest("default", uuid.uuid4().hex, operation, (id,), "why")
    )
    return reply.results[0]


async def entries(engine: Engine, id: str = "a") -> list[Entry]:
    """The journal."""
    return [recorded.entry async for recorded in engine.history("default", id)]


def completions(message: Entries) -> bool:
    """Not acknowledgements alone."""
    return not all(isinstance(item, Ack) for item in message.items)


async def until(holds: Callable[[], bool]) -> None:
    """Let the engine's tasks run until something holds."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)


@asynccontextmanager
async def running(store: Store, **fields: Any) -> AsyncIterator[Engine]:
    """An engine that must not end by a fault."""
    fatal: list[BaseException] = []
    fields = {"resume_ms": 30, "cancel_grace_ms": 60_000} | fields
    engine = await Engine.open(store, Config(**fields), on_fatal=fatal.append)
    try:
        yield engine
    finally:
        await engine.stop()
    assert fatal == []


class Reopened:
    """A database that several engines own one after the other."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._disk = MemoryDisk()

    async def store(self) -> Store:
        """Open it (again)."""
        if self._directory is None:
            return MemoryStore(self._disk)
        return await open_file(self._directory / "test.db")


class StumblingStore(MemoryStore):
    """Commits fail while `fails` says with what; the gates hold back the rest."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        super().__init__(disk)
        self.fails: Exception | None = None
        self.failed = 0
        self.held = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.loads = asyncio.Event()
        self.loads.set()
        self.deletes = asyncio.Event()
        self.deletes.set()
        self.finds = asyncio.Event()
        self.finds.set()

    async def commit(self, batch: WriteBatch) -> None:
        """Write, or fail as told."""
        self.held = True
        await self.gate.wait()
        self.held = False
        if self.fails is not None:
            self.failed += 1
            raise self.fails
        await super().commit(batch)

    async def load_rows(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, ExecutionRow]:
        """Rows, when loads are let through."""
        await self.loads.wait()
        return await super().load_rows(keys)

    async def delete(
        self, keys: Sequence[ExecutionKey], requests: Sequence[RequestRow] = ()
    ) -> None:
        """Delete, when deletes are let through."""
        await self.deletes.wait()
        await super().delete(keys, requests)

    async def find_request(self, namespace: str, request_id: str) -> RequestRow | None:
        """Look up a request, when look-ups are let through."""
        await self.finds.wait()
        return await super().find_request(namespace, request_id)
