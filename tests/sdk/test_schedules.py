"""`client.schedule`: by interval and cron, on every backend (semantics, section 8)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, durable
from perdure.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from tests.sdk.backends import Backend

service = durable.service("scheduled")
SERVICES = [service]


@durable.function
async def counts(ctx: DurableContext, number: int) -> str:
    return f"{ctx.metadata['perdure.schedule']} {number}"


service.add_function(counts)


async def test_a_schedule_starts_executions_that_run(backend: Backend) -> None:
    id = uuid4().hex
    handle = await backend.client.schedule(counts, 7, id=id, every=0.1, priority=2)
    async with asyncio.timeout(30):
        while (info := await handle.describe()).started < 2:
            await asyncio.sleep(0.02)
    assert await handle.delete()
    found = [each async for each in backend.client.list(id_prefix=f"{id}@")]
    assert len(found) >= 2
    assert {2} == {each.priority for each in found}
    assert f"{id} 7" == await backend.client.get(found[-1].id, counts).result(30)
    assert info.last_id.startswith(f"{id}@")


async def test_cron_in_a_time_zone_is_described_and_listed(backend: Backend) -> None:
    id = uuid4().hex
    handle = await backend.client.schedule(
        "scheduled", "counts", 1, id=id, cron="0 6 * * *", timezone="Europe/Zurich", overlap="queue"
    )
    info = await handle.describe()
    assert ("0 6 * * *", "Europe/Zurich", "queue") == (info.cron, info.timezone, info.overlap)
    assert info.next is not None
    assert info.next.hour in (4, 5)
    assert id in [each.id for each in await backend.client.schedules()]
    again = await backend.client.schedule(
        "scheduled", "counts", 1, id=id, cron="0 6 * * *", timezone="Europe/Zurich", overlap="queue"
    )
    assert info == await again.describe(), "the same call again changes nothing"
    with pytest.raises(AlreadyExistsError):
        await backend.client.schedule(counts, 2, id=id, cron="0 7 * * *")
    await backend.client.schedule(counts, 2, id=id, cron="0 7 * * *", replace=True)
    assert "0 7 * * *" == (await handle.describe()).cron
    assert await handle.pause("holidays")
    assert "holidays" == (await handle.describe()).reason
    assert await handle.resume()
    assert await backend.client.get_schedule(id).delete()
    with pytest.raises(NotFoundError):
        await handle.describe()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "give id="),
        ({"id": "s"}, "cron= or every="),
        ({"id": "s", "cron": "x", "every": 1.0}, "cron= or every="),
        ({"id": "s", "cron": "x"}, "no cron expression"),
        ({"id": "s", "every": -1.0}, "more than 0"),
        ({"id": "s", "every": 1.0, "overlap": "both"}, "'skip', 'queue', 'cancel'"),
        ({"id": "s", "every": 1.0, "backfill": "some"}, "'latest', 'all', 'none'"),
        ({"id": "s", "cron": "0 6 * * *", "timezone": "Mars/Olympus"}, "Mars/Olympus"),
    ],
)
async def test_bad_schedules_are_refused_with_advice(
    backend: Backend, options: Any, says: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        await backend.client.schedule(counts, 1, **options)


async def test_an_unknown_option_is_named(backend: Backend) -> None:
    with pytest.raises(TypeError, match="did you mean 'every'"):
        await backend.client.schedule(counts, 1, id="s", evry=1)  # type: ignore[call-overload]
