"""What the outside does to programs: sends events, settles promises, waits until all is quiet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from perdure_runtime.core.errors import (
    ExecutionCancelledError,
    ExecutionFailed,
    ExecutionTimedOut,
    NotFoundError,
)

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.client.handle import ExecutionHandle
    from perdure.testing.simulator.program import Witness, World

Event = tuple[int, str, Any, str | None]
ACTIVE: Final = ("scheduled", "queued", "running", "suspended")
LOOK_S: Final = 0.5
MOST_LOOKS: Final = 400


async def outcome_of(handle: ExecutionHandle[Any]) -> tuple[str, Any]:
    """How an execution ended: its status, and its result or what it failed with."""
    try:
        return "completed", await handle.result()
    except ExecutionFailed as failed:
        cause = failed.__cause__
        return "failed", str(failed if cause is None else cause)
    except ExecutionCancelledError:
        return "cancelled", ""
    except ExecutionTimedOut:
        return "timed_out", ""


async def send_all(client: Client, events: Sequence[Event], world: World | None = None) -> None:
    """Send events, each after its seconds; without a world all at once, with one the late ones."""
    passed = 0
    for seconds, event_id, value, dedupe_id in events:
        if world is not None:
            if not seconds:
                continue
            await world.sleep(seconds - passed)
            passed = seconds
        await client.send_event(event_id, value, dedupe_id)


async def settle_promises(client: Client, world: World, promises: Mapping[str, bool]) -> None:
    """Settle each promise as soon as the witness has its token."""
    settled: set[str] = set()
    while promises:
        for name, token in tokens(world.witness):
            if token not in settled and name in promises:
                settled.add(token)
                try:
                    if promises[name]:
                        await client.fail_promise(token, ValueError(f"{name} broken"))
                    else:
                        await client.complete_promise(token, f"given {name}")
                except NotFoundError:  # its execution is gone
                    continue
        await world.sleep(LOOK_S)


def tokens(witness: Witness) -> list[tuple[str, str]]:
    """Names and tokens of the promises that steps have handed out."""
    told = [effect.name.split(" ") for effect in list(witness.log)]
    return [(words[1], words[2]) for words in told if words[0] == "token"]


async def quiet(client: Client, world: World) -> None:
    """Wait until every execution has ended."""
    for _ in range(MOST_LOOKS):
        if not [info async for info in client.list(status=ACTIVE, limit=1)]:
            return
        await world.sleep(LOOK_S)
