"""The part of the store suite that is about schedules and retention; see `store_conformance`."""

from __future__ import annotations

from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.storage import BadRow, ScheduleRow, WriteBatch
from perdure_runtime.testing.store_owner import Opening, owning
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of


class SchedulesAndAges:
    """Schedules are kept verbatim; what ended first is found first."""

    async def test_schedules_are_replaced_and_removed(self, opening: Opening) -> None:
        one, other = ScheduleRow("default", "b", b"1\0"), ScheduleRow("default", "a \u00e9", b"")
        third = ScheduleRow("d", "b", b"3")
        async with owning(opening) as owner:
            assert await owner.store.schedules() == []
            rows = {(row.namespace, row.id): row for row in (one, other, third)}
            await owner.commit(WriteBatch(0, schedules={**rows}))
            assert await owner.store.schedules() == [third, other, one]
            newer = ScheduleRow("default", "b", b"2")
            changes = {("default", "b"): newer, ("d", "b"): None, ("d", "nobody"): None}
            await owner.commit(WriteBatch(0, schedules=changes))
            assert await owner.store.schedules() == [other, newer]
        store = await opening()
        assert await store.schedules() == [other, newer]
        await store.close()

    async def test_a_failing_batch_changes_no_schedule(self, opening: Opening) -> None:
        row = ScheduleRow("default", "s", b"1")
        batch = WriteBatch(0, entries=entries_of(key_of("unknown"), 1))
        batch.schedules[row.namespace, row.id] = row
        async with owning(opening) as owner:
            try:
                await owner.commit(batch)
            except BadRow:
                pass
            else:
                raise AssertionError("accepted an entry of nobody")
            assert await owner.store.schedules() == []

    async def test_what_ended_first_is_found_first(self, opening: Opening) -> None:
        rows = [row_of(key_of(f"k{n}"), status) for n, status in enumerate([*Status] * 3)]
        for n, row in enumerate(rows):
            row.ended_ms = (n * 7) % len(rows) + 1 if is_end(row.status) else 0
        ended = sorted((r.ended_ms, r.key) for r in rows if is_end(r.status))
        async with owning(opening) as owner:
            await owner.put(*rows)
            assert await owner.store.ended_before(10**6, 10**6) == [key for _, key in ended]
            assert await owner.store.ended_before(10**6, 3) == [key for _, key in ended[:3]]
            until = ended[4][0]
            assert len(await owner.store.ended_before(until, 10**6)) == 5
            await owner.store.delete([ended[0][1]])
            assert await owner.store.ended_before(until, 1) == [ended[1][1]]
