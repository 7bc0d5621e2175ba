"""`await self.save()`: what a method saves on its way stays, whatever becomes of the method."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from perdure import (
    DurableContext,
    DurableObject,
    ExecutionCancelledError,
    ExecutionFailed,
    ctx,
    durable,
)
from perdure.errors import SerializationError, SharedMethodError
from tests.sdk.backends import PATIENCE_S, Backend

service = durable.service("saves")
SERVICES = [service]
runs: Counter[str] = Counter()


@durable.object(on_error="rollback", retry_delay=0.001, max_retries=1)
class Draft(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.lines: list[str] = []

    async def write(self, ctx: DurableContext, line: str) -> list[str]:
        """Saves, then waits to be told what to do."""
        self.lines.append(line)
        await self.save()
        self.lines.append("unsaved")
        told = await ctx.wait_for_event(f"go-{self.id}")
        self.lines.pop()
        if told == "raise":
            raise ConnectionError(f"with {len(self.lines)} lines")
        return self.lines

    async def try_twice(self) -> list[str]:
        self.lines.append("kept")
        await self.save()
        self.lines.append("lost")
        runs[self.id] += 1
        if self.lines.count("kept") == 1:
            raise ConnectionError("once more")
        return self.lines

    async def there_and_back(self) -> None:
        self.lines.append("there")
        await self.save()
        self.lines.pop()

    async def saves_often(self, ctx: DurableContext) -> int:
        for number in range(3):
            self.lines.append(str(number))
            await self.save()
        await ctx.run(note, self.id)
        await self.save()
        return len(self.lines)

    async def saves_what_cannot_be(self) -> str:
        self.lines = object()  # type: ignore[assignment]
        try:
            await self.save()
        except SerializationError as error:
            self.lines = ["mended"]
            return str(error)
        return ""

    async def saves_in_a_step(self, ctx: DurableContext) -> str:
        try:
            told: str = await ctx.run("save", self._save_it)
            return told
        except Exception as error:
            return str(error)

    async def _save_it(self) -> str:
        await self.save()
        return "saved"

    @durable.shared
    async def read(self) -> list[str]:
        return self.lines

    @durable.shared
    async def reads_and_saves(self) -> None:
        await self.save()


def note(tag: str) -> None:
    runs[tag] += 1


service.add_object(Draft)


def new(backend: Backend) -> Any:
    return backend.client.object(Draft, uuid4().hex)


async def waiting(backend: Backend, draft: Any, id: str) -> Any:
    """A method that has saved and waits."""
    handle = await backend.client.start(draft.write, None, "a", id=f"write-{id}")
    await backend.until(handle.id, "event_awaited")
    return handle


async def test_what_is_saved_can_be_read_while_the_method_goes_on(backend: Backend) -> None:
    id = uuid4().hex
    draft = backend.client.object(Draft, id)
    handle = await waiting(backend, draft, id)
    assert ["a"] == await draft.read()
    assert {"lines": ["a"]} == await draft.get_state()
    await backend.client.send_event(f"go-{id}", "on")
    assert ["a"] == await handle.result(PATIENCE_S)
    assert {"lines": ["a"]} == await draft.get_state()


async def test_what_is_saved_outlives_a_rollback(backend: Backend) -> None:
    id = uuid4().hex
    draft = backend.client.object(Draft, id)
    handle = await waiting(backend, draft, id)
    await backend.client.send_event(f"go-{id}", "raise")
    await backend.client.send_event(f"go-{id}", "raise")
    with pytest.raises(ExecutionFailed, match="with 2 lines"):
        await handle.result(PATIENCE_S)
    assert {"lines": ["a", "a"]} == await draft.get_state()


async def test_a_retry_starts_from_what_was_saved(backend: Backend) -> None:
    draft = new(backend)
    assert ["kept", "kept", "lost"] == await draft.try_twice()
    assert {"lines": ["kept", "kept", "lost"]} == await draft.get_state()


async def test_what_is_saved_outlives_a_cancel(backend: Backend) -> None:
    id = uuid4().hex
    draft = backend.client.object(Draft, id)
    handle = await waiting(backend, draft, id)
    assert await handle.cancel()
    with pytest.raises(ExecutionCancelledError):
        await handle.result(PATIENCE_S)
    assert {"lines": ["a"]} == await draft.get_state()


async def test_the_outcome_is_newer_than_what_was_saved(backend: Backend) -> None:
    draft = new(backend)
    await draft.there_and_back()
    assert {"lines": []} == await draft.get_state()
    await draft.there_and_back()
    assert {"lines": []} == await draft.get_state()


async def test_each_saving_is_recorded_once(backend: Backend) -> None:
    id = uuid4().hex
    draft = backend.client.object(Draft, id)
    handle = await backend.client.start(draft.saves_often, ctx)
    assert 3 == await handle.result(PATIENCE_S)
    assert 5 == (await backend.kinds(handle.id)).count("step_completed")
    assert 1 == runs[id]


async def test_what_cannot_be_saved_is_told_at_once(backend: Backend) -> None:
    draft = new(backend)
    assert "state of Draft" in await draft.saves_what_cannot_be()
    assert {"lines": ["mended"]} == await draft.get_state()


async def test_a_shared_method_saves_nothing(backend: Backend) -> None:
    with pytest.raises(ExecutionFailed, match=r"calls self\.save") as raised:
        await new(backend).reads_and_saves()
    assert isinstance(raised.value.__cause__, SharedMethodError)


async def test_a_step_saves_nothing(backend: Backend) -> None:
    assert "use it in the body only" in await new(backend).saves_in_a_step(None)


async def test_outside_of_executions_it_does_nothing() -> None:
    draft = Draft("by hand")
    draft.lines.append("a")
    await draft.save()
    assert ["a"] == draft.lines
