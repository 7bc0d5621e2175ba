"""The part of the store suite that is about labels and places; see `store_conformance`."""

from __future__ import annotations

from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.storage import ExecutionRow, Filter
from perdure_runtime.testing.store_owner import Opening, owning
from perdure_runtime.testing.store_samples import key_of, row_of


class LabelsAndPlaces:
    """Rows are found by their labels, page by page; and by having a place."""

    async def test_pages_of_a_label_cover_everything_once(self, opening: Opening) -> None:
        rows = [
            row_of(key_of(f"r{n:02}"), created_ms=n // 4, labels={"team": "ab"[n % 2], "x": "y"})
            for n in range(20)
        ]
        async with owning(opening) as owner:
            await owner.put(*rows)
            seen: list[ExecutionRow] = []
            cursor, criteria = "", Filter("default", labels={"team": "b", "x": "y"})
            while cursor or not seen:
                page = await owner.store.query(criteria, 3, cursor)
                seen += page.rows
                cursor = page.next_cursor
                await owner.store.delete([page.rows[-1].key])
            assert seen == rows[:0:-2]
            assert len((await owner.store.query(criteria, 100)).rows) == 6

    async def test_rows_with_a_place_come_in_the_order_of_their_keys(
        self, opening: Opening
    ) -> None:
        keys = [key_of(f"r{n}", namespace) for namespace in ("a", "b") for n in range(5)]
        rows = [row_of(key) for key in keys]
        for row in rows[::2]:
            row.has_place = True
        async with owning(opening) as owner:
            await owner.put(*reversed(rows))
            seen: list[ExecutionRow] = []
            after: ExecutionKey | None = None
            while page := await owner.store.scan_places(after, 2):
                seen += page
                after = page[-1].key
            assert seen == rows[::2]
            rows[0].has_place = False
            await owner.put(rows[0])
            assert await owner.store.scan_places(None, 10) == rows[2::2]
