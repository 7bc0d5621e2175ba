"""Chains of calls over objects that steps begin, that end early, or that attach to what exists."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from perdure import DurableContext, DurableObject, ctx, durable
from perdure.client.ambient import ambient_client
from tests.sdk.backends import PATIENCE_S, Backend

service = durable.service("chains")
SERVICES = [service]
SOON_S = 0.2


@durable.object(max_retries=0)
class Desk(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.notes: list[str] = []

    async def note(self, text: str) -> int:
        self.notes.append(text)
        return len(self.notes)

    async def hands_over(self, ctx: DurableContext, id: str) -> None:
        """A step starts something that calls this object, and does not wait for it."""
        await ctx.run(start_note, id, self.id)

    async def waits_for(self, ctx: DurableContext, id: str) -> str:
        """Awaits what others have started, and what calls this object: nobody can go on."""
        try:
            async with asyncio.timeout(SOON_S):
                return await ctx.call(note_when_told, self.id, id=id)
        except TimeoutError:
            self.notes.append("went on")
            return "timed out"


@durable.function(max_retries=0)
async def note_when_told(ctx: DurableContext, desk_id: str) -> str:
    await ctx.wait_for_event(f"note-{desk_id}")
    desk = await ctx.get_object(Desk, desk_id)
    await desk.note("told")
    return "noted"


async def start_note(id: str, desk_id: str) -> str:
    client = await ambient_client()
    return (await client.start(note_when_told, desk_id, id=id)).id


service.add_object(Desk)
service.add_function(note_when_told)


async def test_what_a_step_only_started_may_call_back_later(backend: Backend) -> None:
    """Its starter has ended, and holds nothing any more."""
    id, desk_id = uuid4().hex, uuid4().hex
    desk: Any = backend.client.object(Desk, desk_id)
    await (await backend.client.start(desk.hands_over, ctx, id)).result(PATIENCE_S)
    await backend.client.send_event(f"note-{desk_id}", None)
    assert "noted" == await backend.client.get(id).result(PATIENCE_S)
    assert {"notes": ["told"]} == await desk.get_state()


async def test_a_cycle_through_an_attachment_ends_with_its_timeout(backend: Backend) -> None:
    """The desk awaits an execution that somebody else had started, which asks for the desk: that
    one is in no chain of the desk's, so it waits in the lane; the timeout lets both go on."""
    id, desk_id = uuid4().hex, uuid4().hex
    desk: Any = backend.client.object(Desk, desk_id)
    other = await backend.client.start(note_when_told, desk_id, id=id)
    await backend.until(id, "event_awaited")
    waiting = await backend.client.start(desk.waits_for, ctx, id)
    await backend.until(waiting.id, "call_issued")
    await backend.client.send_event(f"note-{desk_id}", None)
    assert "timed out" == await waiting.result(PATIENCE_S)
    assert "noted" == await other.result(PATIENCE_S)
    assert {"notes": ["went on", "told"]} == await desk.get_state()
