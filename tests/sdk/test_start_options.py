"""`start_at`, `delay` and `priority` of starts and of `.options()` (semantics, section 8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from perdure import DurableContext, durable
from perdure.errors import InvalidArgumentError
from tests.sdk.backends import Backend

service = durable.service("start_options")
SERVICES = [service]


@durable.function
async def started(ctx: DurableContext) -> float:
    return ctx.time()


service.add_function(started)


async def test_a_delayed_start_waits_and_then_runs_once(backend: Backend) -> None:
    id = uuid4().hex
    handle = await backend.client.start(started, id=id, delay=0.2)
    assert "scheduled" == (await handle.describe()).status
    created = (await handle.describe()).created.timestamp()
    assert await handle.result(30) >= created + 0.1999, "never early"
    assert (await backend.client.start(started, id=id, delay=0.2)).created is False


async def test_a_start_time_is_kept(backend: Backend) -> None:
    when = datetime.now(UTC) + timedelta(milliseconds=300)
    handle = await backend.client.start(started, start_at=when)
    assert await handle.result(30) >= when.timestamp() - 0.001


async def test_options_of_a_direct_start_say_the_same(backend: Backend) -> None:
    handle = await started.options(delay=3600.0, priority=7).start()
    info = await handle.describe()
    assert ("scheduled", 7) == (info.status, info.priority)
    assert await handle.cancel()
    assert "cancelled" == (await handle.describe()).status


async def test_a_start_time_and_a_delay_are_not_both_meant(backend: Backend) -> None:
    with pytest.raises(InvalidArgumentError, match="not both"):
        await backend.client.start(started, start_at=1.0, delay=1.0)
