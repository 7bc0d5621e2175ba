"""Schedules as users see them: an executions' time table, its handle, and what it did last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import uuid4

from perdure.client.query import time_of
from perdure.client.transport import Transport
from perdure.option_checks import check_seconds, milliseconds
from perdure.options import RetryPolicy
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_execution_id
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import (
    Backfill,
    Overlap,
    Schedule,
    ScheduleOperation,
    ScheduleReply,
    ScheduleRequest,
    ScheduleSpec,
)


class ScheduleKeywords(TypedDict, total=False):
    """Options of `Client.schedule`."""

    id: str
    cron: str | None
    every: float | None
    timezone: str
    overlap: Literal["skip", "queue", "cancel"]
    jitter: float
    backfill: Literal["latest", "all", "none"]
    replace: bool
    priority: int
    timeout: float | None
    retry: RetryPolicy | int | None
    service: str | None
    metadata: Mapping[str, str] | None
    labels: Mapping[str, str] | None


TIMING = ("id", "cron", "every", "timezone", "overlap", "jitter", "backfill", "replace")
"""Those that are the schedule's own; the others are options of each start."""


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """A schedule and where it stands.

    Args:
        target: `service/method`.
        cron: "" where `every` is set.
        every: seconds; 0 where `cron` is set.
        next: the next tick, without its jitter; None when there is none any more.
        queued: how many ticks wait for the active execution to end.
        last: tick of the last start, and `last_id` its execution.
        skipped: ticks that `overlap` left out.
        problem: why the last tick could not be started, "" if it could.
    """

    id: str
    target: str
    cron: str
    every: float
    timezone: str
    overlap: str
    jitter: float
    backfill: str
    created: datetime
    next: datetime | None
    paused: bool
    reason: str
    queued: int
    last: datetime | None
    last_id: str
    started: int
    skipped: int
    problem: str


def schedule_info(schedule: Schedule) -> ScheduleInfo:
    """A schedule as users read it."""
    spec = schedule.spec
    return ScheduleInfo(
        id=schedule.name.id,
        target=spec.target.name(),
        cron=spec.cron,
        every=spec.every_ms / 1000,
        timezone=spec.timezone,
        overlap=str(spec.overlap),
        jitter=spec.jitter_ms / 1000,
        backfill=str(spec.backfill),
        created=time_of(schedule.created_ms),
        next=time_of(schedule.next_ms) if schedule.next_ms else None,
        paused=schedule.paused,
        reason=schedule.reason,
        queued=len(schedule.queued),
        last=time_of(schedule.last_ms) if schedule.last_ms else None,
        last_id=schedule.last_id,
        started=schedule.started,
        skipped=schedule.skipped,
        problem=schedule.problem,
    )


class ScheduleHandle:
    """One schedule. Made by `Client.schedule` and `Client.get_schedule`; it holds nothing open."""

    def __init__(self, transport: Transport, namespace: str, id: str) -> None:
        self.id = check_execution_id(id)
        self._transport = transport
        self._namespace = namespace

    def __repr__(self) -> str:
        return f"ScheduleHandle({self.id!r})"

    async def describe(self) -> ScheduleInfo:
        """Where it stands. Raises `NotFoundError`."""
        return schedule_info((await self._ask(ScheduleOperation.DESCRIBE)).schedules[0])

    async def pause(self, reason: str = "") -> bool:
        """No tick starts anything until `resume`; False if it is so already."""
        return (await self._ask(ScheduleOperation.PAUSE, reason)).effect

    async def resume(self) -> bool:
        """Go on with the next tick; those of the pause are not made up for."""
        return (await self._ask(ScheduleOperation.RESUME)).effect

    async def delete(self) -> bool:
        """Forget it; its executions stay. Raises `NotFoundError`."""
        return (await self._ask(ScheduleOperation.DELETE)).effect

    async def _ask(self, operation: ScheduleOperation, reason: str = "") -> ScheduleReply:
        return await self._transport.schedule(
            ScheduleRequest(self._namespace, uuid4().hex, operation, self.id, reason=reason)
        )


async def create_schedule(
    transport: Transport,
    namespace: str,
    target: Target,
    payload: Payload,
    start: StartOptions,
    timing: Mapping[str, Any],
) -> ScheduleHandle:
    """Create or replace a schedule; see `Client.schedule`."""
    given = dict(timing)
    id = given.get("id")
    if not isinstance(id, str):
        raise InvalidArgumentError(
            "schedule(): give id=; it makes the call safe to repeat and names the executions"
        )
    handle = ScheduleHandle(transport, namespace, id)
    spec = ScheduleSpec(
        target=target,
        input=payload,
        options=start,
        cron=_text("cron", given.get("cron") or ""),
        every_ms=_interval(given.get("every")),
        timezone=_text("timezone", given.get("timezone", "UTC")),
        overlap=Overlap(_one_of("overlap", given.get("overlap", Overlap.SKIP), Overlap)),
        jitter_ms=milliseconds(
            check_seconds("schedule()", "jitter", given.get("jitter", 0.0), zero=True)
        ),
        backfill=Backfill(_one_of("backfill", given.get("backfill", Backfill.LATEST), Backfill)),
    )
    if bool(spec.cron) == bool(spec.every_ms):
        raise InvalidArgumentError("schedule(): give cron= or every=, one of them")
    await transport.schedule(
        ScheduleRequest(
            namespace,
            uuid4().hex,
            ScheduleOperation.CREATE,
            id,
            spec,
            replace=bool(given.get("replace", False)),
        )
    )
    return handle


def _interval(every: float | None) -> int:
    return 0 if every is None else milliseconds(check_seconds("schedule()", "every", every))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"schedule(): {name} must be a string, not {value!r}")
    return value


def _one_of(name: str, value: object, kinds: type[Overlap] | type[Backfill]) -> Any:
    if value not in tuple(kinds):
        words = ", ".join(map(repr, map(str, kinds)))
        raise InvalidArgumentError(f"schedule(): {name} must be one of {words}, not {value!r}")
    return value


async def list_schedules(transport: Transport, namespace: str) -> list[ScheduleInfo]:
    """All schedules of a namespace, by id."""
    found: list[ScheduleInfo] = []
    cursor: str | None = None
    while cursor is None or cursor:
        reply = await transport.schedule(
            ScheduleRequest(namespace, "", ScheduleOperation.LIST, cursor or "")
        )
        found += map(schedule_info, reply.schedules)
        cursor = reply.next_cursor
    return found
