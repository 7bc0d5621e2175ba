"""The rules of ticks: overlap, missed ticks, jitter, pauses (semantics, section 8)."""

from __future__ import annotations

from typing import Any

import pytest

from perdure_coordinator.engine.ticks import make_ticks
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.payload import NULL
from perdure_runtime.core.schedules import (
    LATE_MS,
    MAX_QUEUED,
    SLICE,
    Backfill,
    Overlap,
    Schedule,
    ScheduleName,
    ScheduleSpec,
    Turn,
    due_ms,
    execution_id,
    jitter_ms,
    options_of,
    paused,
    replaced,
    resumed,
    started,
    take_in,
)

SECOND = 1_000


def made(**fields: Any) -> Schedule:
    """Every second from 1 s on."""
    fields.setdefault("every_ms", SECOND)
    spec = ScheduleSpec(Target("s", "m"), NULL, **fields)
    return Schedule(ScheduleName("default", "tick"), spec, 0, make_ticks(spec, 0).after(0))


def turn(schedule: Schedule, now_ms: int, is_active: bool = False) -> Turn:
    return take_in(schedule, is_active, make_ticks(schedule.spec, 0), now_ms)


def test_nothing_is_due_early() -> None:
    schedule = made()
    assert schedule == turn(schedule, SECOND - 1).schedule
    assert (SECOND,) == turn(schedule, SECOND).schedule.queued


def test_a_tick_that_is_due_is_queued_and_the_next_one_awaited() -> None:
    after = turn(made(), SECOND).schedule
    assert ((SECOND,), 2 * SECOND) == (after.queued, after.next_ms)
    assert after == turn(after, SECOND).schedule, "once"


def test_the_head_of_the_queue_becomes_an_execution_named_after_schedule_and_tick() -> None:
    after = started(turn(made(), SECOND).schedule)
    assert ((), SECOND, 1) == (after.queued, after.last_ms, after.started)
    assert "tick@1970-01-01T00:00:01Z" == after.last_id
    assert after.last_id == execution_id(after.name, SECOND)


def test_a_start_that_cannot_be_leaves_its_reason_and_goes_on() -> None:
    after = started(turn(made(), SECOND).schedule, "taken")
    assert ((), "taken", 0) == (after.queued, after.problem, after.started)


def test_skip_leaves_out_what_overlaps() -> None:
    after = turn(made(overlap=Overlap.SKIP), SECOND, is_active=True)
    assert ((), 1, False) == (after.schedule.queued, after.schedule.skipped, after.cancels)


def test_queue_lets_ticks_wait_up_to_a_bound() -> None:
    schedule = made(overlap=Overlap.QUEUE)
    for number in range(1, MAX_QUEUED + 3):
        schedule = turn(schedule, number * SECOND, is_active=True).schedule
    assert (MAX_QUEUED, 2) == (len(schedule.queued), schedule.skipped)
    assert SECOND == schedule.queued[0]


def test_cancel_asks_the_active_one_to_end_and_only_the_newest_tick_waits() -> None:
    first = turn(made(overlap=Overlap.CANCEL), SECOND, is_active=True)
    assert ((SECOND,), True) == (first.schedule.queued, first.cancels)
    second = turn(first.schedule, 2 * SECOND, is_active=True)
    assert ((2 * SECOND,), 1) == (second.schedule.queued, second.schedule.skipped)


def test_cancel_with_nothing_active_just_starts() -> None:
    assert Turn(turn(made(overlap=Overlap.CANCEL), SECOND).schedule, False) == turn(
        made(overlap=Overlap.CANCEL), SECOND
    )


def test_after_an_outage_the_latest_tick_is_made_up_for() -> None:
    after = turn(made(), 500 * SECOND + 7).schedule
    assert ((500 * SECOND,), 501 * SECOND) == (after.queued, after.next_ms)


def test_after_an_outage_all_are_made_up_for_in_slices() -> None:
    schedule = made(overlap=Overlap.QUEUE, backfill=Backfill.ALL)
    now_ms = 250 * SECOND
    for expected in (SLICE, 2 * SLICE, 250, 250):
        schedule = turn(schedule, now_ms).schedule
        assert expected == len(schedule.queued)
    assert list(range(SECOND, now_ms + 1, SECOND)) == list(schedule.queued)


def test_after_an_outage_none_is_made_up_for() -> None:
    schedule = made(backfill=Backfill.NONE, every_ms=10 * LATE_MS)
    tick_ms = 10 * LATE_MS
    assert (tick_ms,) == turn(schedule, tick_ms + LATE_MS).schedule.queued, "late, not missed"
    after = turn(schedule, tick_ms + LATE_MS + 1).schedule
    assert ((), 2 * tick_ms) == (after.queued, after.next_ms)


@pytest.mark.parametrize("backfill", Backfill)
def test_jitter_is_bounded_and_always_the_same_for_a_tick(backfill: Backfill) -> None:
    schedule = made(jitter_ms=400, backfill=backfill)
    offsets = [jitter_ms(schedule, number * SECOND) for number in range(1, 200)]
    assert offsets == [jitter_ms(schedule, number * SECOND) for number in range(1, 200)]
    assert 0 <= min(offsets) < 100
    assert 300 < max(offsets) <= 400
    assert due_ms(schedule) == SECOND + offsets[0]
    assert () == turn(schedule, due_ms(schedule) - 1).schedule.queued
    assert (SECOND,) == turn(schedule, due_ms(schedule)).schedule.queued


def test_a_pause_makes_up_for_nothing_and_keeps_what_is_queued() -> None:
    schedule = turn(made(overlap=Overlap.QUEUE), SECOND, is_active=True).schedule
    held = paused(schedule, "audit")
    assert (0, held) == (due_ms(held), turn(held, 90 * SECOND).schedule)
    after = resumed(held, make_ticks(held.spec, 0), 90 * SECOND + 5)
    assert (False, "", 91 * SECOND, (SECOND,)) == (
        after.paused,
        after.reason,
        after.next_ms,
        after.queued,
    )


def test_a_new_spec_counts_from_now() -> None:
    spec = ScheduleSpec(Target("s", "m"), NULL, every_ms=7 * SECOND)
    after = replaced(made(), spec, make_ticks(spec, 0), 15 * SECOND)
    assert 21 * SECOND == after.next_ms


def test_a_schedule_without_further_ticks_is_never_due() -> None:
    class Once:
        def after(self, time_ms: int) -> int:
            return 0

        def latest(self, from_ms: int, to_ms: int) -> int:
            return from_ms

    after = take_in(made(), False, Once(), 9 * SECOND).schedule
    assert ((SECOND,), 0, 0) == (after.queued, after.next_ms, due_ms(after))


def test_starts_name_their_schedule() -> None:
    schedule = made(options=StartOptions(priority=3, metadata={"a": "b"}))
    assert {"a": "b", "perdure.schedule": "tick"} == options_of(schedule).metadata
    assert 3 == options_of(schedule).priority
