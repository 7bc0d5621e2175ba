"""Cron expressions and intervals: time zones, daylight saving, ends (semantics, section 8)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from perdure_coordinator.engine.ticks import make_ticks
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import MAX_DUE_MS
from perdure_runtime.core.payload import NULL
from perdure_runtime.core.schedules import ScheduleSpec, Ticks, iso_time

ZURICH = "Europe/Zurich"


def ticks_of(created_ms: int = 0, **fields: Any) -> Ticks:
    return make_ticks(ScheduleSpec(Target("s", "m"), NULL, **fields), created_ms)


def ms(*when: int, zone: str = "UTC", fold: int = 0) -> int:
    return int(datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)  # type: ignore[misc,arg-type]


def walk(ticks: Ticks, after_ms: int, count: int) -> list[str]:
    found = []
    for _ in range(count):
        after_ms = ticks.after(after_ms)
        found.append(iso_time(after_ms))
    return found


def test_a_daily_tick_keeps_its_local_time_over_the_year() -> None:
    ticks = ticks_of(cron="0 6 * * *", timezone=ZURICH)
    assert ["2026-01-10T05:00:00Z"] == walk(ticks, ms(2026, 1, 10), 1)
    assert ["2026-07-10T04:00:00Z"] == walk(ticks, ms(2026, 7, 10), 1)


def test_a_local_time_that_does_not_exist_comes_right_after_the_gap_and_once() -> None:
    ticks = ticks_of(cron="30 2 * * *", timezone=ZURICH)  # 2026-03-29 jumps from 02:00 to 03:00
    assert [
        "2026-03-28T01:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-30T00:30:00Z",
    ] == walk(ticks, ms(2026, 3, 28), 3)
    twice = ticks_of(cron="15,45 2 * * *", timezone=ZURICH)
    assert ["2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z"] == walk(twice, ms(2026, 3, 29), 2)


def test_a_local_time_that_comes_twice_is_taken_once() -> None:
    ticks = ticks_of(cron="30 2 * * *", timezone=ZURICH)  # 2026-10-25: 02:30 twice
    assert ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"] == walk(ticks, ms(2026, 10, 25), 2)
    between = ms(2026, 10, 25, 2, 10, zone=ZURICH, fold=1)
    assert ["2026-10-26T01:30:00Z"] == walk(ticks, between, 1), "never a tick of the past"


def test_an_hourly_tick_follows_elapsed_time_through_both_changes() -> None:
    hourly = ticks_of(cron="0 * * * *", timezone=ZURICH)
    for day in ((2026, 3, 29), (2026, 10, 25)):
        start = ms(*day)
        walked = [start]
        for _ in range(5):
            walked.append(hourly.after(walked[-1]))
        assert {3_600_000} == {b - a for a, b in pairwise(walked)}


def test_ticks_strictly_increase_through_a_year_of_changes() -> None:
    for cron in ("*/20 1-3 * * *", "0 2 * * *", "15,45 2 * * SUN", "0 0 1 * *"):
        for zone in (ZURICH, "America/New_York", "Australia/Lord_Howe", "UTC"):
            ticks = ticks_of(cron=cron, timezone=zone)
            at = ms(2026, 1, 1)
            while at < ms(2027, 1, 1):
                following = ticks.after(at)
                assert following > at
                assert following == ticks.latest(following, following)
                at = following


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 0 L * *", "2026-01-31T00:00:00Z"),
        ("0 9 * * MON#1", "2026-02-02T09:00:00Z"),
        ("*/15 9-10 * JAN SAT", "2026-01-10T09:00:00Z"),
        ("30 15 10 * * *", "2026-01-10T10:15:30Z"),
    ],
)
def test_what_expressions_may_say(cron: str, expected: str) -> None:
    assert [expected] == walk(ticks_of(cron=cron), ms(2026, 1, 10), 1)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "cron or every"),
        ({"cron": "* * * * *", "every_ms": 1_000}, "cron or every"),
        ({"cron": "every day"}, "no cron expression"),
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"cron": "* " * 200}, "longer than 255"),
        ({"cron": "0 0 30 2 *"}, "no cron expression|never comes true"),
        ({"cron": "0 6 * * *", "timezone": "Europe/Nowhere"}, "timezone 'Europe/Nowhere'"),
        ({"cron": "0 6 * * *", "timezone": "../../etc/passwd"}, "timezone"),
        ({"cron": "0 6 * * *", "timezone": ""}, "timezone"),
        ({"every_ms": 99}, "0.1 seconds or more"),
        ({"every_ms": -5}, "0.1 seconds or more"),
    ],
)
def test_what_is_no_schedule_is_refused(fields: Any, says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        ticks_of(**fields)


def test_the_latest_tick_of_a_long_time_is_found_without_walking_it() -> None:
    every_minute = ticks_of(cron="* * * * *")
    to_ms = ms(2026, 6, 1, 12, 0) + 30_000
    assert ms(2026, 6, 1, 12, 0) == every_minute.latest(ms(1990, 1, 1), to_ms)
    yearly = ticks_of(cron="0 0 1 1 *")
    assert ms(2026, 1, 1) == yearly.latest(ms(2000, 1, 1), to_ms)
    assert ms(2026, 5, 31) == yearly.latest(ms(2026, 5, 31), to_ms), "the given one at least"


def test_intervals_count_from_the_creation() -> None:
    ticks = ticks_of(created_ms=1_000, every_ms=250)
    assert [1_250, 1_250, 1_500] == [ticks.after(0), ticks.after(1_249), ticks.after(1_250)]
    assert 1_750 == ticks.latest(1_250, 1_999)
    assert 1_250 == ticks.latest(1_250, 1_250)
    assert 0 == ticks_of(created_ms=0, every_ms=MAX_DUE_MS).after(MAX_DUE_MS)


def test_ids_tell_the_time_in_utc() -> None:
    for time_ms in (0, 951_782_400_000, 1_709_164_799_250, 253_402_300_799_000):
        when = datetime.fromtimestamp(time_ms / 1000, UTC)
        fraction = f".{time_ms % 1000:03d}" if time_ms % 1000 else ""
        assert when.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z" == iso_time(time_ms)
