"""The part of the store suite that is about all columns of rows, tasks and dependencies."""

from __future__ import annotations

from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import CHAIN_START, ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.tasks import TaskState, TaskStatus, WorkerRef
from perdure_runtime.storage import ExecutionRow, Filter
from perdure_runtime.testing.store_owner import Opening, owning
from perdure_runtime.testing.store_samples import key_of, row_of


class TasksAndDependencies:
    """Whole rows, lists of tasks, and who waits for whom."""

    async def test_who_waits_for_others_is_scanned_by_key(self, opening: Opening) -> None:
        rows = [row_of(key_of(f"k{n:02}")) for n in range(20)]
        for n, row in enumerate(rows):
            row.after = ("x",) if n % 3 else ()
        async with owning(opening) as owner:
            await owner.put(*rows)
            seen: list[ExecutionRow] = []
            while page := await owner.store.scan_awaiting(seen[-1].key if seen else None, 4):
                assert len(page) <= 4
                seen += page
            assert [row.key for row in seen] == [row.key for row in rows if row.after]

    async def test_tasks_are_listed_by_their_status(self, opening: Opening) -> None:
        rows = [row_of(key_of(f"k{n:02}"), created_ms=n) for n in range(20)]
        for n, row in enumerate(rows[1:]):
            row.task, row.task_status = TaskState(), list(TaskStatus)[n % 3]
        async with owning(opening) as owner:
            await owner.put(*rows)
            for wanted in (list(TaskStatus)[:1], list(TaskStatus)[1:3]):
                filter = Filter("default", task_statuses=tuple(wanted))
                page = await owner.store.query(filter, 4)
                rest = await owner.store.query(filter, 100, page.next_cursor)
                found = [row.key for row in page.rows + rest.rows]
                assert found == [row.key for row in rows[::-1] if row.task_status in wanted]

    async def test_every_column_of_a_row_comes_back(self, opening: Opening) -> None:
        parent = ParentLink(key_of("p", "other"), run=2, attempt=3, path="0.1:2", detached=True)
        row = ExecutionRow(
            key=key_of("all"),
            shard=1023,
            target=Target(service="s", method="m", key="k"),
            status=Status.SUSPENDED,
            created_ms=2**52,
            input_digest=bytes(range(16)),
            run=4,
            attempt=5,
            priority=-6,
            kind="flow",
            parent=parent,
            due_ms=7,
            started_ms=8,
            ended_ms=9,
            updated_ms=10,
            crash_count=11,
            crash_index=12,
            build_id="b",
            error="E: m",
            detail="d",
            progress=b'{"a": 1}\0',
            held=b"h",
            lane_order=13,
            held_objects=("A/1", "B/2"),
            run_index=14,
            labels={"team": "a"},
            has_place=True,
            damage="x",
            after=("a", "b"),
            task=TaskState("human", 1, WorkerRef("ada", "human"), claim=2),
            task_status=TaskStatus.ASSIGNED,
        )
        plain, names = row_of(key_of("plain")), ExecutionRow.__struct_fields__
        assert [name for name in names if getattr(row, name) == getattr(plain, name)] == []
        async with owning(opening) as owner:
            await owner.put(row)
            assert await owner.store.load_rows([row.key]) == {row.key: row}
            loaded = await owner.store.load(row.key)
            assert loaded is not None
            assert (loaded.row, loaded.entries, loaded.length) == (row, [], 0)
            assert loaded.chain == CHAIN_START
