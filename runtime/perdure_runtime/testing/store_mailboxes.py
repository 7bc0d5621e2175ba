"""What every store does with mailboxes: part of `StoreConformance`."""

from __future__ import annotations

from perdure_runtime.storage import BadRow, EventName, EventRow, WaitRow, WriteBatch
from perdure_runtime.testing.store_owner import Opening, owning
from perdure_runtime.testing.store_samples import key_of


def _event(sequence: int, event_id: str = "e", address: str = "", dedupe: str = "") -> EventRow:
    payload = b"%d" % sequence
    return EventRow(sequence, "default", event_id, address, dedupe, payload, 5, 10 * sequence)


class Mailboxes:
    """Events, who waits for them, what expires."""

    async def test_events_come_in_sequence_until_they_expire(self, opening: Opening) -> None:
        rows = [_event(n, "e" if n % 2 else "f") for n in range(1, 8)]
        name = EventName("default", "e")
        async with owning(opening) as owner:
            store = owner.store
            await owner.commit(WriteBatch(0, events=rows))
            assert await store.events(name, 0, 0, 9) == rows[::2]
            assert await store.events(name, 1, 0, 2) == [rows[2], rows[4]]
            assert await store.events(name, 0, 30, 9) == [rows[4], rows[6]]
            assert await store.events(name, 0, 0, 9, limit_bytes=2) == rows[:4:2]
            assert await store.events(EventName("other", "e"), 0, 0, 9) == []
            assert await store.expire_events(40, 3) == 3
            assert await store.expire_events(40, 3) == 1
            assert await store.events(name, 0, 0, 9) == [rows[4], rows[6]]
            assert (await store.acquire("test")).next_event == 8

    async def test_a_sequence_is_never_given_again(self, opening: Opening) -> None:
        async with owning(opening) as owner:
            await owner.commit(WriteBatch(0, events=[_event(3)]))
            await owner.store.expire_events(100, 9)
            for bad in ([_event(3)], [_event(4), _event(4)]):
                try:
                    await owner.commit(WriteBatch(0, events=bad))
                except BadRow:
                    continue
                raise AssertionError("it was written")
            assert (await owner.store.acquire("test")).next_event == 4

    async def test_only_the_first_event_of_a_dedupe_id_is_kept(self, opening: Opening) -> None:
        async with owning(opening) as owner:
            store = owner.store
            first = [_event(1, dedupe="d"), _event(2, dedupe="d"), _event(3), _event(4)]
            await owner.commit(WriteBatch(0, events=first))
            others = [_event(5, dedupe="d"), _event(6, address="a", dedupe="d")]
            await owner.commit(WriteBatch(0, events=[*others, _event(7, "f", dedupe="d")]))
            kept = await store.events(EventName("default", "e"), 0, 0, 9)
            assert [event.sequence for event in kept] == [1, 3, 4, 6]
            assert len(await store.events(EventName("default", "f"), 0, 0, 9)) == 1

    async def test_waits_tell_which_mailboxes_have_something(self, opening: Opening) -> None:
        e, f = EventName("default", "e"), EventName("default", "f")
        waits = [WaitRow(e, "a", 0), WaitRow(e, "b", 0), WaitRow(f, "a", 2), WaitRow(f, "c", 0)]
        async with owning(opening) as owner:
            store = owner.store
            rows = {(wait.name, wait.execution_id): wait for wait in waits}
            await owner.commit(WriteBatch(0, waits_set=rows))
            assert await store.waiting(e, "", 9) == waits[:2]
            assert await store.waiting(e, "a", 9) == waits[1:2]
            assert await store.waiting(f, "", 1) == waits[2:3]
            assert await store.deliverable(0) == []
            await owner.commit(WriteBatch(0, events=[_event(1, "e"), _event(2, "f", "a")]))
            assert await store.deliverable(0) == [e]  # f's is for a, which has it
            assert await store.deliverable(10) == []
            newer = {(f, "a"): WaitRow(f, "a", 1)}
            await owner.commit(WriteBatch(0, waits_cleared={(e, "a"), (e, "b")}, waits_set=newer))
            assert await store.deliverable(0) == [f]
            await store.delete([key_of("a")])
            assert await store.waiting(f, "", 9) == waits[3:]
