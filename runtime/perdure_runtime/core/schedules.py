"""Schedules: what is started again and again, and the rules of each tick (semantics, section 8).

A schedule has nominal ticks, by a cron expression or an interval. A tick that is due goes into the
schedule's queue, or is left out by its `overlap`; the head of the queue becomes one execution with
an id made of schedule and tick, when none is active. Every step is a new value of `Schedule`, so
that the shell can write it in the transaction that does it: a crash neither doubles nor loses one.

Pure: which ticks a cron expression has is the shell's knowledge (`Ticks`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.payload import Payload

MAX_QUEUED: Final = 1_000
LATE_MS: Final = 60_000  # a tick later than this was missed: the coordinator did not run
SLICE: Final = 100  # ticks that one turn takes in
MAX_ID_CHARS: Final = 220  # of a schedule: the ids of its executions are longer
METADATA_ID: Final = "perdure.schedule"


class Overlap(StrEnum):
    """What a tick does while the execution of an earlier one has not ended."""

    SKIP = "skip"  # nothing: this tick is left out
    QUEUE = "queue"  # it waits for its turn; at most MAX_QUEUED do
    CANCEL = "cancel"  # the earlier one is cancelled, and this one starts when it has ended


class Backfill(StrEnum):
    """What becomes of ticks that were missed because no coordinator ran."""

    LATEST = "latest"  # the last of them is made up for
    ALL = "all"  # each is, in order
    NONE = "none"  # none is


class ScheduleName(NamedTuple):
    """What names a schedule."""

    namespace: str
    id: str


class ScheduleSpec(Struct, frozen=True):
    """What is started, and when. Exactly one of `cron` and `every_ms` is set.

    `timezone` is that of the cron expression. `jitter_ms` puts each start off by up to so much,
    the same for a tick however often it is computed.
    """

    target: Target
    input: Payload
    options: StartOptions = StartOptions()
    cron: str = ""
    every_ms: int = 0
    timezone: str = "UTC"
    overlap: Overlap = Overlap.SKIP
    jitter_ms: int = 0
    backfill: Backfill = Backfill.LATEST


class Schedule(Struct, frozen=True):
    """A schedule and where it stands. Times are milliseconds since the epoch, 0 = none.

    `next_ms` is the next nominal tick, `queued` the ticks that wait for the active execution to
    end, `last_ms` and `last_id` tick and execution of the last start. `skipped` counts the ticks
    that `overlap` left out. `problem` says why the last tick could not be started.
    """

    name: ScheduleName
    spec: ScheduleSpec
    created_ms: int
    next_ms: int
    paused: bool = False
    reason: str = ""
    queued: tuple[int, ...] = ()
    last_ms: int = 0
    last_id: str = ""
    started: int = 0
    skipped: int = 0
    problem: str = ""


class ScheduleOperation(StrEnum):
    """What clients ask of schedules."""

    CREATE = "create"
    DESCRIBE = "describe"
    LIST = "list"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"


class ScheduleRequest(Struct, frozen=True):
    """One operation. `spec` and `replace` are for `create`, `reason` for `pause`; `list` has no id.

    A `create` of what exists with the same spec changes nothing; with another spec it is refused
    unless `replace` says to take the new one.
    """

    namespace: str
    request_id: str
    operation: ScheduleOperation
    id: str = ""
    spec: ScheduleSpec | None = None
    replace: bool = False
    reason: str = ""


class ScheduleReply(Struct, frozen=True):
    """The schedules concerned as they are now; `effect` is False when nothing had to change.

    `list` goes on with `next_cursor` as the id of the next request; its schedules have no input.
    """

    schedules: tuple[Schedule, ...] = ()
    effect: bool = False
    next_cursor: str = ""


class Ticks(Protocol):
    """The nominal ticks of one spec."""

    def after(self, time_ms: int) -> int:
        """The first tick after a time; 0 when there is none any more."""
        ...

    def latest(self, from_ms: int, to_ms: int) -> int:
        """The last tick in [from, to]; `from_ms` is one."""
        ...


class Turn(NamedTuple):
    """The schedule after a turn, and whether its active execution is to be cancelled."""

    schedule: Schedule
    cancels: bool = False


def due_ms(schedule: Schedule) -> int:
    """When the next tick is to be taken in; 0 when there is none, or the schedule is paused."""
    if schedule.paused or not schedule.next_ms:
        return 0
    return schedule.next_ms + jitter_ms(schedule, schedule.next_ms)


def jitter_ms(schedule: Schedule, tick_ms: int) -> int:
    """By how much a tick is put off: a function of schedule and tick alone."""
    span_ms = schedule.spec.jitter_ms
    if not span_ms:
        return 0
    text = f"{schedule.name.namespace}\0{schedule.name.id}\0{tick_ms}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % (span_ms + 1)


def take_in(schedule: Schedule, is_active: bool, ticks: Ticks, now_ms: int) -> Turn:
    """Take in the ticks that are due: into the queue, or left out. Call again while one is due."""
    if not 0 < due_ms(schedule) <= now_ms:
        return Turn(schedule)
    taken, next_ms = _due(schedule, ticks, now_ms)
    queued = list(schedule.queued)
    skipped = schedule.skipped
    cancels = False
    for tick_ms in taken:
        busy = is_active or bool(queued)
        match schedule.spec.overlap:
            case Overlap.SKIP if busy:
                skipped += 1
            case Overlap.CANCEL if busy:
                skipped += len(queued)
                queued = [tick_ms]
                cancels = is_active
            case _ if len(queued) >= MAX_QUEUED:
                skipped += 1
            case _:
                queued.append(tick_ms)
    after = msgspec.structs.replace(
        schedule, next_ms=next_ms, queued=tuple(queued), skipped=skipped
    )
    return Turn(after, cancels)


def _due(schedule: Schedule, ticks: Ticks, now_ms: int) -> tuple[list[int], int]:
    """The ticks that are to be made up for, a slice at most, and the tick after them."""
    first = schedule.next_ms
    if schedule.spec.backfill is Backfill.ALL:
        taken = [first]
        following = ticks.after(first)
        while following and len(taken) < SLICE:
            if following + jitter_ms(schedule, following) > now_ms:
                break
            taken.append(following)
            following = ticks.after(following)
        return taken, following
    latest = ticks.latest(first, max(first, now_ms - schedule.spec.jitter_ms))
    late_ms = now_ms - latest - jitter_ms(schedule, latest)
    is_missed = schedule.spec.backfill is Backfill.NONE and late_ms > LATE_MS
    return ([] if is_missed else [latest]), ticks.after(latest)


def started(schedule: Schedule, problem: str = "") -> Schedule:
    """The head of the queue was started, or could not be."""
    tick_ms, *queued = schedule.queued
    if problem:
        return msgspec.structs.replace(schedule, queued=tuple(queued), problem=problem)
    return msgspec.structs.replace(
        schedule,
        queued=tuple(queued),
        last_ms=tick_ms,
        last_id=execution_id(schedule.name, tick_ms),
        started=schedule.started + 1,
        problem="",
    )


def paused(schedule: Schedule, reason: str) -> Schedule:
    """No tick is taken in and nothing is started until `resumed`."""
    return msgspec.structs.replace(schedule, paused=True, reason=reason)


def resumed(schedule: Schedule, ticks: Ticks, now_ms: int) -> Schedule:
    """Ticks count from now on: those of the pause are not made up for; what was queued starts."""
    return msgspec.structs.replace(schedule, paused=False, reason="", next_ms=ticks.after(now_ms))


def replaced(schedule: Schedule, spec: ScheduleSpec, ticks: Ticks, now_ms: int) -> Schedule:
    """Another spec from now on; what is active or queued stays."""
    return msgspec.structs.replace(schedule, spec=spec, next_ms=ticks.after(now_ms))


def options_of(schedule: Schedule) -> StartOptions:
    """Options of a start: those of the spec, and metadata that name the schedule."""
    options = schedule.spec.options
    metadata = options.metadata | {METADATA_ID: schedule.name.id}
    return msgspec.structs.replace(options, metadata=metadata)


def execution_id(name: ScheduleName, tick_ms: int) -> str:
    """The id of the execution of one tick: `daily@2026-01-31T06:00:00Z`."""
    return f"{name.id}@{iso_time(tick_ms)}"


def iso_time(time_ms: int) -> str:
    """UTC, without a clock or a calendar of the platform's."""
    seconds, ms = divmod(time_ms, 1000)
    days, second_of_day = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    hour, rest = divmod(second_of_day, 3_600)
    fraction = f".{ms:03d}" if ms else ""
    time = f"{hour:02d}:{rest // 60:02d}:{rest % 60:02d}{fraction}"
    return f"{year:04d}-{month:02d}-{day:02d}T{time}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day number since 1970 (Howard Hinnant, `civil_from_days`)."""
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day


MakeTicks = Callable[[ScheduleSpec, int], Ticks]
"""Makes the ticks of a spec; the number is when the schedule was created."""
