"""The part of the store suite that is about durable objects; see `store_conformance`."""

from __future__ import annotations

from perdure_runtime.core.ids import ObjectKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Payload
from perdure_runtime.storage import BadRow, ExecutionRow, ObjectRow, WriteBatch
from perdure_runtime.testing.store_owner import Opening, owning
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of, rows_of


class ObjectsAndLanes:
    """States of objects, and the order of those who wait for one."""

    async def test_an_object_is_found_by_its_whole_name(self, opening: Opening) -> None:
        name = ObjectKey("default", "Cart", "7")
        row = ObjectRow(name, "shop", Payload(b"{}\0", "json", b"d" * 16, {"é": "1"}), 2**52)
        plain = ObjectRow(ObjectKey("default", "Cart", "8"), "", Payload(b""), 0)
        others = [ObjectKey("d", "Cart", "7"), ObjectKey("default", "cart", "7")]
        async with owning(opening) as owner:
            assert await owner.store.load_objects([name]) == {}
            await owner.commit(WriteBatch(0, objects={name: row, plain.key: plain}))
            wanted = [name, plain.key, *others]
            assert await owner.store.load_objects(wanted) == {name: row, plain.key: plain}
        store = await opening()
        assert await store.load_objects([name]) == {name: row}
        await store.close()

    async def test_an_object_is_replaced_whole_and_outlives_executions(
        self, opening: Opening
    ) -> None:
        name = ObjectKey("default", "Cart", "7")
        first = ObjectRow(name, "shop", Payload(b"1", "x", b"d", {"a": "b"}), 5)
        second = ObjectRow(name, "other", Payload(b"2"), 6)
        async with owning(opening) as owner:
            row = row_of(key_of("method"))
            await owner.commit(WriteBatch(0, rows=rows_of(row), objects={name: first}))
            await owner.commit(WriteBatch(0, objects={name: second}))
            await owner.store.delete([row.key])
            assert await owner.store.load_objects([name]) == {name: second}

    async def test_a_failing_batch_saves_no_object(self, opening: Opening) -> None:
        name = ObjectKey("default", "Cart", "7")
        saved = ObjectRow(name, "shop", Payload(b"1"), 5)
        async with owning(opening) as owner:
            batch = WriteBatch(0, entries=entries_of(key_of("unknown"), 1), objects={name: saved})
            try:
                await owner.commit(batch)
            except BadRow:
                pass
            else:
                raise AssertionError("accepted an entry of nobody")
            assert await owner.store.load_objects([name]) == {}

    async def test_lanes_are_scanned_in_their_order(self, opening: Opening) -> None:
        rows = [row_of(key_of(f"k{n}"), list(Status)[n % len(Status)]) for n in range(30)]
        for n, row in enumerate(rows):
            row.lane_order = (n * 7) % 30  # one of them is in no lane
        async with owning(opening) as owner:
            await owner.put(*rows)
            seen: list[ExecutionRow] = []
            while page := await owner.store.scan_lanes(seen[-1].lane_order if seen else 0, 7):
                assert len(page) <= 7
                seen += page
            assert [row.lane_order for row in seen] == list(range(1, 30))
            assert {row.key for row in seen} == {row.key for row in rows if row.lane_order}
