"""What every store must do: one suite for all of them, shipped for stores made elsewhere.

Subclass `StoreConformance` in a test module and give it a pytest fixture `opening`: a function that
opens the store, empty at its first call in a test and with the same data after a `close`. Tests are
coroutines; pytest-asyncio (`asyncio_mode = "auto"`) or a mark on the subclass runs them.

It checks the contract of `perdure_runtime.storage`, not durability in a crash: that needs the
store's own means.
"""

from __future__ import annotations

from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.ids import CHAIN_START, ExecutionKey, ParentLink
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.storage import (
    BadRow,
    CatalogRow,
    ExecutionRow,
    Fenced,
    Filter,
    OutboxRow,
    RequestRow,
    StoredEntry,
    StoreError,
    TimerKey,
    WriteBatch,
)
from perdure_runtime.testing.store_labels import LabelsAndPlaces
from perdure_runtime.testing.store_mailboxes import Mailboxes
from perdure_runtime.testing.store_objects import ObjectsAndLanes
from perdure_runtime.testing.store_owner import Opening, owning
from perdure_runtime.testing.store_samples import (
    entries_of,
    key_of,
    row_of,
    rows_of,
    timer_of,
    timers_of,
)
from perdure_runtime.testing.store_schedules import SchedulesAndAges
from perdure_runtime.testing.store_tasks import TasksAndDependencies

ODD_TEXTS = (
    "plain",
    "Zürich \N{SNOWMAN} 日本語 \N{GRINNING FACE}",
    "quote ' double \" back \\ percent % under _",
    "'; DROP TABLE executions; --",
    "../../etc/passwd",
    "nul \0 inside",
    "line\nfeed\ttab",
    "e\u0301 and \u00e9",
    "\U0010ffff",
    " ",
    "x" * 1000,
)
UNFINISHED = tuple(status for status in Status if not is_end(status))


class RowsAndJournals:
    """Rows, entries, paging, names."""

    async def test_nothing_is_found_in_an_empty_store(self, opening: Opening) -> None:
        async with owning(opening) as owner:
            store, key = owner.store, key_of("nobody")
            assert await store.load(key) is None
            assert await store.load_rows([key]) == {}
            assert await store.load_rows([]) == {}
            assert await store.scan_unfinished(None, 10, UNFINISHED) == []
            assert await store.timers_due(2**60, 10) == []
            assert await store.outbox(10) == []
            assert await store.find_request("default", "r") is None
            assert await store.catalog() == []
            assert (await store.query(Filter("default"), 10)).rows == []
            await store.delete([key])
            await store.checkpoint()

    async def test_a_row_is_replaced_whole(self, opening: Opening) -> None:
        key = key_of("r")
        first = row_of(key, parent=ParentLink(key_of("p"), 1, 1, "0:0"))
        second = row_of(key, Status.FAILED, created_ms=5, service="other", method="else")
        async with owning(opening) as owner:
            await owner.commit(WriteBatch(0, rows=rows_of(first), entries=entries_of(key, 2)))
            await owner.put(second)
            loaded = await owner.store.load(key)
            assert loaded is not None
            assert loaded.row == second
            assert loaded.entries == entries_of(key, 2)

    async def test_a_row_changed_after_the_commit_does_not_change_the_store(
        self, opening: Opening
    ) -> None:
        row = row_of(key_of("r"))
        async with owning(opening) as owner:
            await owner.put(row)
            row.attempt = 99
            read = (await owner.store.load_rows([row.key]))[row.key]
            assert read.attempt == 0
            read.attempt = 98
            assert (await owner.store.load_rows([row.key]))[row.key].attempt == 0

    async def test_load_rows_of_hundreds_of_keys(self, opening: Opening) -> None:
        rows = [row_of(key_of(f"r{n}")) for n in range(700)]
        keys = [row.key for row in rows]
        async with owning(opening) as owner:
            await owner.put(*rows)
            wanted = [*keys, key_of("missing"), key_of("r1", "other namespace"), keys[0]]
            assert await owner.store.load_rows(wanted) == rows_of(*rows)

    async def test_a_journal_is_read_in_pages(self, opening: Opening) -> None:
        key = key_of("long")
        entries = entries_of(key, 25)
        async with owning(opening) as owner:
            await owner.commit(WriteBatch(0, rows=rows_of(row_of(key)), entries=entries[:10]))
            await owner.commit(WriteBatch(0, entries=entries[10:]))
            pages = (
                (0, None),
                (0, 10),
                (10, 10),
                (20, 10),
                (24, None),
                (25, 5),
                (3, 0),
                (99, None),
            )
            for start, limit in pages:
                loaded = await owner.store.load(key, start, limit)
                assert loaded is not None
                end = None if limit is None else start + limit
                assert loaded.entries == entries[start:end], (start, limit)
                assert (loaded.length, loaded.chain) == (25, entries[-1].chain)
            for limit_bytes, count in ((1, 1), (len(entries[0].data) + 1, 2), (10**9, 25)):
                loaded = await owner.store.load(key, 0, None, limit_bytes)
                assert loaded is not None
                assert loaded.entries == entries[:count], limit_bytes

    async def test_journals_of_several_executions_in_one_batch(self, opening: Opening) -> None:
        keys = [key_of(f"k{n}") for n in range(5)]
        mixed = [e for i in range(6) for key in keys for e in entries_of(key, 1, first=i)]
        async with owning(opening) as owner:
            rows = rows_of(*map(row_of, keys))
            await owner.commit(WriteBatch(0, rows=rows, entries=mixed))
            for key in keys:
                loaded = await owner.store.load(key)
                assert loaded is not None
                assert loaded.entries == entries_of(key, 6)

    async def test_large_and_empty_entries(self, opening: Opening) -> None:
        key = key_of("large")
        entries = entries_of(key, 1, size=4 * 1024 * 1024)
        entries.append(StoredEntry(key, 1, 5, CHAIN_START, b""))
        async with owning(opening) as owner:
            await owner.commit(WriteBatch(0, rows=rows_of(row_of(key)), entries=entries))
            loaded = await owner.store.load(key)
            assert loaded is not None
            assert loaded.entries == entries

    async def test_names_are_stored_verbatim(self, opening: Opening) -> None:
        """Names are checked long before a store sees them: what is given is what is kept."""
        async with owning(opening) as owner:
            store = owner.store
            for text in ODD_TEXTS:
                key = ExecutionKey(text, text)
                row = row_of(key, service=text, method=text, parent=ParentLink(key, 1, 1, text))
                row.kind = row.build_id = row.error = row.detail = text
                timers = timers_of(timer_of(key, text, 5, kind=text))
                request = RequestRow(text, text, b"reply", 9)
                batch = WriteBatch(0, rows=rows_of(row), entries=entries_of(key, 2))
                batch.timers_set, batch.requests = timers, [request]
                batch.catalog = [CatalogRow(text, text, text, b"spec")]
                await owner.commit(batch)
                assert await store.load_rows([key]) == {key: row}
                for criteria in (
                    Filter(text),
                    Filter(text, service=text, method=text, statuses=(Status.QUEUED,)),
                    Filter(text, parent=key),
                    Filter(text, id_prefix=text),
                ):
                    assert (await store.query(criteria, 5)).rows == [row], criteria
                assert await store.find_request(text, text) == request
            keys = {timer.key for timer in await store.timers_due(5, 100)}
            assert keys == {ExecutionKey(text, text) for text in ODD_TEXTS}
            assert len(await store.catalog()) == len(ODD_TEXTS)

    async def test_ids_that_look_alike_are_different(self, opening: Opening) -> None:
        ids = ["a", "A", "a ", "\u00e9", "e\u0301", "a\0", "a\0b", "%", "_"]
        async with owning(opening) as owner:
            await owner.put(*(row_of(key_of(id), created_ms=n) for n, id in enumerate(ids)))
            found = await owner.store.load_rows([key_of(id) for id in ids])
            assert [found[key_of(id)].created_ms for id in ids] == list(range(len(ids)))


class Batches:
    """Atomicity, order inside a batch, fencing, reopening."""

    async def test_a_failing_batch_writes_nothing(self, opening: Opening) -> None:
        known, new, unknown = key_of("known"), key_of("new"), key_of("unknown")
        bad_text = key_of("lone surrogate \ud800")
        good_entries = entries_of(known, 1, first=1)
        culprits = {
            "the same index again": WriteBatch(0, entries=entries_of(known, 1)),
            "a gap": WriteBatch(0, entries=entries_of(known, 1, first=2)),
            "twice in one batch": WriteBatch(0, entries=[*good_entries, *good_entries]),
            "a negative index": WriteBatch(0, entries=[StoredEntry(known, -1, 0, b"", b"")]),
            "no such execution": WriteBatch(0, entries=entries_of(unknown, 1)),
            "a timer of nobody": WriteBatch(0, timers_set=timers_of(timer_of(unknown, "p", 1))),
            "a message id again": WriteBatch(0, outbox_added=[OutboxRow(1, 1, known, b"")]),
            "text that is no Unicode": WriteBatch(0, rows=rows_of(row_of(bad_text))),
            "a number beyond 64 bits": WriteBatch(
                0, entries=[StoredEntry(known, 1, 2**70, b"", b"")]
            ),
        }
        async with owning(opening) as owner:
            store = owner.store
            before = row_of(known)
            start = WriteBatch(0, clock_ms=50, rows=rows_of(before), entries=entries_of(known, 1))
            start.timers_set = timers_of(timer_of(known, "t", 3))
            start.outbox_added = [OutboxRow(1, 1, known, b"m")]
            await owner.commit(start)
            for what, batch in culprits.items():
                batch.clock_ms = 99
                batch.rows |= rows_of(row_of(known, Status.FAILED), row_of(new))
                batch.entries = [*entries_of(new, 2), *batch.entries]
                batch.timers_cleared = [TimerKey(known, "timer", "t")]
                batch.timers_set |= timers_of(timer_of(known, "u", 4))
                batch.requests = [RequestRow("default", "r", b"", 9)]
                batch.catalog = [CatalogRow("default", "s", "m", b"")]
                try:
                    await owner.commit(batch)
                except BadRow:
                    pass
                else:
                    raise AssertionError(f"accepted: {what}")
                loaded = await store.load(known)
                assert loaded is not None, what
                assert (loaded.row, loaded.entries) == (before, entries_of(known, 1)), what
                assert await store.load(new) is None, what
                assert await store.timers_due(9, 9) == [timer_of(known, "t", 3)], what
                assert await store.outbox(9) == [OutboxRow(1, 1, known, b"m")], what
                assert await store.find_request("default", "r") is None, what
                assert await store.catalog() == [], what
            assert (await store.acquire("test")).clock_ms == 50

    async def test_work_goes_on_after_a_failing_batch(self, opening: Opening) -> None:
        key = key_of("k")
        async with owning(opening) as owner:
            await owner.commit(WriteBatch(0, rows=rows_of(row_of(key)), entries=entries_of(key, 3)))
            for attempt in range(3, 6):
                batch = WriteBatch(0, entries=entries_of(key, 2, first=attempt))
                batch.timers_set = timers_of(timer_of(key_of("nobody"), "p", 1))
                try:
                    await owner.commit(batch)
                except BadRow:
                    batch.timers_set = {}
                    batch.entries = entries_of(key, 1, first=attempt)
                    await owner.commit(batch)
            loaded = await owner.store.load(key)
            assert loaded is not None
            assert loaded.entries == entries_of(key, 6)

    async def test_an_empty_batch_is_allowed(self, opening: Opening) -> None:
        async with owning(opening) as owner:
            await owner.commit(WriteBatch(0))

    async def test_an_earlier_epoch_writes_nothing(self, opening: Opening) -> None:
        key = key_of("k")
        async with owning(opening) as owner:
            await owner.put(row_of(key))
            newer = await owner.store.acquire("another")
            assert newer.epoch > owner.epoch
            for stale in (owner.epoch, 0, newer.epoch + 1):
                batch = WriteBatch(stale, clock_ms=99, rows=rows_of(row_of(key, Status.FAILED)))
                batch.entries = entries_of(key, 1)
                try:
                    await owner.store.commit(batch)
                except Fenced:
                    continue
                raise AssertionError(f"epoch {stale} was accepted")
            assert await owner.store.load_rows([key]) == {key: row_of(key)}
            loaded = await owner.store.load(key)
            assert loaded is not None
            assert loaded.length == 0
            await owner.store.commit(WriteBatch(newer.epoch, entries=entries_of(key, 1)))
            assert (await owner.store.acquire("third")).clock_ms == 0

    async def test_everything_is_there_after_reopening(self, opening: Opening) -> None:
        key = key_of("kept")
        async with owning(opening) as owner:
            first_epoch = owner.epoch
            batch = WriteBatch(
                0,
                clock_ms=70,
                rows=rows_of(row_of(key)),
                entries=entries_of(key, 3),
                timers_set=timers_of(timer_of(key, "0:1", 40)),
                outbox_added=[OutboxRow(4, 2, key_of("away"), b"body")],
                requests=[RequestRow("default", "r", b"reply", 99)],
                catalog=[CatalogRow("default", "s", "m", b"spec")],
            )
            await owner.commit(batch)
        async with owning(opening) as owner:
            store = owner.store
            assert owner.epoch > first_epoch
            loaded = await store.load(key)
            assert loaded is not None
            assert (loaded.row, loaded.entries) == (row_of(key), entries_of(key, 3))
            assert await store.timers_due(40, 9) == [timer_of(key, "0:1", 40)]
            assert await store.outbox(9) == batch.outbox_added
            assert await store.find_request("default", "r") == batch.requests[0]
            assert await store.catalog() == batch.catalog
            again = await store.acquire("test")
            assert (again.clock_ms, again.next_outbox_id) == (70, 5)
            await store.commit(WriteBatch(again.epoch, entries=entries_of(key, 1, first=3)))

    async def test_the_clock_is_a_persisted_maximum(self, opening: Opening) -> None:
        async with owning(opening) as owner:
            for clock_ms in (10, 500, 20, 0):
                await owner.commit(WriteBatch(0, clock_ms=clock_ms))
        async with owning(opening) as owner:
            assert (await owner.store.acquire("test")).clock_ms == 500

    async def test_a_closed_store_refuses_and_closes_again(self, opening: Opening) -> None:
        store = await opening()
        await store.close()
        await store.close()
        try:
            await store.load(key_of("k"))
        except StoreError:
            return
        raise AssertionError("a closed store answered")


class TimersAndMessages:
    """Timers, outbox, requests, catalog."""

    async def test_timers_come_by_time_then_by_insertion(self, opening: Opening) -> None:
        key = key_of("k")
        timers = [timer_of(key, f"p{n}", due) for n, due in enumerate((30, 10, 20, 10, 40))]
        async with owning(opening) as owner:
            batch = WriteBatch(0, rows=rows_of(row_of(key)), timers_set=timers_of(*timers[:3]))
            await owner.commit(batch)
            await owner.commit(WriteBatch(0, timers_set=timers_of(*timers[3:])))
            due = [timers[1], timers[3], timers[2], timers[0]]
            assert await owner.store.timers_due(30, 9) == due
            assert await owner.store.timers_due(30, 2) == due[:2]
            assert await owner.store.timers_due(9, 9) == []

    async def test_a_timer_set_again_replaces_and_goes_last(self, opening: Opening) -> None:
        key = key_of("k")
        a, b = timer_of(key, "a", 10), timer_of(key, "b", 10)
        other_kind = timer_of(key, "a", 10, kind="call")
        async with owning(opening) as owner:
            rows = rows_of(row_of(key))
            await owner.commit(WriteBatch(0, rows=rows, timers_set=timers_of(a, b, other_kind)))
            await owner.commit(WriteBatch(0, timers_set=timers_of(a)))
            assert await owner.store.timers_due(10, 9) == [b, other_kind, a]
            later = timer_of(key, "b", 90)
            await owner.commit(WriteBatch(0, timers_set=timers_of(later)))
            assert await owner.store.timers_due(90, 9) == [other_kind, a, later]

    async def test_timers_are_cleared_before_they_are_set(self, opening: Opening) -> None:
        key, other = key_of("k"), key_of("other")
        async with owning(opening) as owner:
            timers = [timer_of(key, "a", 1), timer_of(key, "b", 2), timer_of(other, "a", 3)]
            rows = rows_of(row_of(key), row_of(other))
            await owner.commit(WriteBatch(0, rows=rows, timers_set=timers_of(*timers)))
            clear = [TimerKey(key, "timer", "a"), TimerKey(key, "call", "b"), TimerKey(key, "", "")]
            await owner.commit(WriteBatch(0, timers_cleared=clear))
            assert await owner.store.timers_due(9, 9) == timers[1:]
            batch = WriteBatch(0, timers_all_cleared=[key, key_of("nobody")])
            batch.timers_set = timers_of(timer_of(key, "c", 4))
            await owner.commit(batch)
            assert await owner.store.timers_due(9, 9) == [timers[2], timer_of(key, "c", 4)]

    async def test_messages_come_in_id_order_and_ids_are_never_given_again(
        self, opening: Opening
    ) -> None:
        messages = [OutboxRow(n, 3, key_of(f"to {n}"), bytes([n])) for n in (2, 0, 7, 4)]
        ordered = sorted(messages, key=lambda message: message.id)
        async with owning(opening) as owner:
            store = owner.store
            await owner.commit(WriteBatch(0, outbox_added=messages))
            assert await store.outbox(9) == ordered
            assert await store.outbox(2, after_id=0) == ordered[1:3]
            batch = WriteBatch(0, outbox_removed=[7, 2, 999])
            batch.outbox_added = [OutboxRow(2, 1, key_of("again"), b"")]
            await owner.commit(batch)
            assert [message.id for message in await store.outbox(9)] == [0, 2, 4]
            assert (await store.acquire("test")).next_outbox_id == 8

    async def test_requests_are_remembered_until_they_expire(self, opening: Opening) -> None:
        requests = [RequestRow("default", f"r{n}", b"%d" % n, 10 * n) for n in range(5)]
        async with owning(opening) as owner:
            store = owner.store
            await owner.commit(WriteBatch(0, requests=requests))
            assert await store.find_request("default", "r3") == requests[3]
            assert await store.find_request("other", "r3") is None
            assert await store.expire_requests(20) == 3
            assert await store.expire_requests(20) == 0
            found = [await store.find_request("default", f"r{n}") for n in range(5)]
            assert found == [None, None, None, *requests[3:]]
            newer = RequestRow("default", "r3", b"newer", 99)
            await owner.commit(WriteBatch(0, requests=[newer]))
            assert await store.find_request("default", "r3") == newer

    async def test_the_catalog_keeps_the_newest_description(self, opening: Opening) -> None:
        methods = [CatalogRow("n", "s", "b", b"1"), CatalogRow("n", "s", "a", b"2")]
        async with owning(opening) as owner:
            await owner.commit(WriteBatch(0, catalog=methods))
            await owner.commit(WriteBatch(0, catalog=[CatalogRow("n", "s", "b", b"3")]))
            assert await owner.store.catalog() == [methods[1], CatalogRow("n", "s", "b", b"3")]


class ListsAndDeletion:
    """Query, scan, delete."""

    async def test_lists_are_newest_first_and_filtered(self, opening: Opening) -> None:
        parent = ParentLink(key_of("a"), 1, 1, "0:0")
        rows = {
            "a": row_of(key_of("a"), Status.RUNNING, 10, labels={"team": "a", "tier": "1"}),
            "b": row_of(key_of("b"), Status.FAILED, 30, service="mail", labels={"team": "b"}),
            "ba": row_of(key_of("ba"), Status.QUEUED, 20, method="refund", parent=parent),
            "bb": row_of(
                key_of("bb"), Status.RUNNING, 20, parent=parent, labels={"tier": "1", "team": "a"}
            ),
            "x": row_of(key_of("x", "other"), Status.RUNNING, 99),
        }
        cases: tuple[tuple[list[str], Filter], ...] = (
            (["b", "bb", "ba", "a"], Filter("default")),
            (["x"], Filter("other")),
            (["bb", "a"], Filter("default", statuses=(Status.RUNNING,))),
            (["b", "ba"], Filter("default", (Status.QUEUED, Status.FAILED, Status.QUEUED))),
            (["b"], Filter("default", service="mail")),
            (["bb", "a"], Filter("default", service="orders", method="place")),
            (["bb", "ba"], Filter("default", parent=key_of("a"))),
            (["b", "bb", "ba"], Filter("default", id_prefix="b")),
            (["b", "bb", "ba", "a"], Filter("default", id_prefix="")),
            (["bb"], Filter("default", parent=key_of("a"), statuses=(Status.RUNNING,))),
            ([], Filter("nowhere")),
            (["bb", "a"], Filter("default", labels={"team": "a"})),
            (["bb", "a"], Filter("default", labels={"team": "a", "tier": "1"})),
            (["bb"], Filter("default", (Status.FAILED, Status.RUNNING), "orders", id_prefix="b")),
            (["b"], Filter("default", (Status.FAILED,), labels={"team": "b"})),
            ([], Filter("default", labels={"team": "b", "tier": "1"})),
            ([], Filter("other", labels={"team": "a"})),
        )
        async with owning(opening) as owner:
            await owner.put(*rows.values())
            await owner.put(*rows.values())  # a row that is written again has its labels once
            for ids, criteria in cases:
                page = await owner.store.query(criteria, 10)
                assert page.rows == [rows[id] for id in ids], criteria
                assert page.next_cursor == ""

    async def test_pages_cover_everything_once_while_rows_come_and_go(
        self, opening: Opening
    ) -> None:
        rows = [row_of(key_of(f"r{n:02}"), created_ms=n // 4) for n in range(40)]
        async with owning(opening) as owner:
            await owner.put(*rows)
            for statuses in ((), (Status.QUEUED,), (Status.QUEUED, Status.FAILED)):
                seen: list[ExecutionRow] = []
                cursor, pages = "", 0
                while cursor or not pages:
                    page = await owner.store.query(Filter("default", statuses), 7, cursor)
                    seen += page.rows
                    cursor, pages = page.next_cursor, pages + 1
                    await owner.put(row_of(key_of(f"new {pages}"), created_ms=1000))
                    await owner.store.delete([page.rows[-1].key])
                await owner.put(*rows)
                await owner.store.delete([key_of(f"new {n}") for n in range(1, pages + 1)])
                assert seen == rows[::-1]

    async def test_a_bad_cursor_is_the_callers_error(self, opening: Opening) -> None:
        async with owning(opening) as owner:
            await owner.put(row_of(key_of("k")))
            for cursor in ("nonsense", ":", "1.5:k", "' OR 1=1:"):
                try:
                    await owner.store.query(Filter("default"), 1, cursor)
                except InvalidArgumentError:
                    continue
                raise AssertionError(f"cursor {cursor!r} was accepted")

    async def test_scanning_goes_by_key_and_status(self, opening: Opening) -> None:
        keys = [key_of(f"k{n}", namespace) for namespace in ("a", "b") for n in range(10)]
        statuses = list(Status)
        rows = [row_of(key, statuses[n % len(statuses)]) for n, key in enumerate(keys)]
        async with owning(opening) as owner:
            await owner.put(*reversed(rows))
            for wanted in (UNFINISHED, (Status.QUEUED,), (Status.FAILED, Status.QUEUED)):
                seen: list[ExecutionRow] = []
                while page := await owner.store.scan_unfinished(
                    seen[-1].key if seen else None, 3, wanted
                ):
                    assert len(page) <= 3
                    seen += page
                assert seen == [row for row in rows if row.status in wanted]

    async def test_deleting_removes_all_of_an_execution_and_nothing_else(
        self, opening: Opening
    ) -> None:
        gone, kept = key_of("gone"), key_of("kept")
        message = OutboxRow(1, 1, gone, b"")
        async with owning(opening) as owner:
            batch = WriteBatch(0, rows=rows_of(row_of(gone), row_of(kept)))
            batch.entries = [*entries_of(gone, 3), *entries_of(kept, 2)]
            batch.timers_set = timers_of(timer_of(gone, "p", 1), timer_of(kept, "p", 2))
            batch.outbox_added = [message]
            await owner.commit(batch)
            asked = RequestRow("default", "delete", b"reply", 99)
            await owner.store.delete([gone, key_of("nobody")], [asked])
            assert await owner.store.load(gone) is None
            assert await owner.store.find_request("default", "delete") == asked
            assert await owner.store.timers_due(9, 9) == [timer_of(kept, "p", 2)]
            assert await owner.store.outbox(9) == [message]
            loaded = await owner.store.load(kept)
            assert loaded is not None
            assert loaded.entries == entries_of(kept, 2)
            fresh = WriteBatch(0, rows=rows_of(row_of(gone)), entries=entries_of(gone, 1))
            await owner.commit(fresh)
            loaded = await owner.store.load(gone)
            assert loaded is not None
            assert loaded.entries == entries_of(gone, 1)

    async def test_what_is_left_of_a_deleted_caller_names_its_runs(self, opening: Opening) -> None:
        async with owning(opening) as owner:
            gone, other = key_of("gone"), key_of("other")
            rows = [
                row_of(key_of(f"c{run}"), parent=ParentLink(caller, run, 1, "0:1"))
                for caller, run in ((gone, 1), (gone, 3), (gone, 2), (other, 7))
            ]
            await owner.commit(WriteBatch(0, rows=rows_of(row_of(gone), *rows)))
            await owner.store.delete([gone])
            runs = await owner.store.callers_runs([gone, other, key_of("nobody")])
            assert runs == {gone: 3, other: 7}
            assert await owner.store.callers_runs([]) == {}

    async def test_trimming_removes_the_first_entries_of_former_runs(
        self, opening: Opening
    ) -> None:
        async with owning(opening) as owner:
            row = row_of(key_of("runs"), run_index=6)
            entries = entries_of(row.key, 8)
            await owner.commit(WriteBatch(0, rows=rows_of(row), entries=entries))
            trim = owner.store.trim
            assert [await trim(row.key, 4, 3), await trim(row.key, 4, 3)] == [3, 1]
            loaded = await owner.store.load(row.key)
            assert loaded is not None
            assert (loaded.entries, loaded.length) == (entries[4:], 8)
            loaded = await owner.store.load(row.key, 6, 1)
            assert loaded is not None
            assert loaded.entries == entries[6:7]
            assert [await trim(row.key, 9, 9), await trim(row.key, 9, 9)] == [2, 0]
            assert await trim(key_of("nobody"), 9, 9) == 0
            await owner.commit(WriteBatch(0, entries=entries_of(row.key, 9)[8:]))


class StoreConformance(
    RowsAndJournals,
    Batches,
    TimersAndMessages,
    Mailboxes,
    ListsAndDeletion,
    ObjectsAndLanes,
    TasksAndDependencies,
    SchedulesAndAges,
    LabelsAndPlaces,
):
    """Everything. Subclass it with a fixture `opening`."""


__all__ = ["Opening", "StoreConformance"]
