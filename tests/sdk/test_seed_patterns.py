"""The users' blocks on sagas, parallel execution, performance and custom retries."""

from __future__ import annotations

import asyncio
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, ctx, durable
from perdure_runtime.core.retry import retry_delay_ms
from tests.integration.apps.pattern_callees import PATTERN_CALLEES
from tests.integration.apps.witness import WITNESS, seen
from tests.sdk.backends import PATIENCE_S, Backend
from tests.seeds.custom_retry import resilient_api_integration
from tests.seeds.parallel import parallel_data_processing
from tests.seeds.performance import high_performance_pipeline
from tests.seeds.saga import saga_transaction

patterns = durable.service("patterns")
fast_processor = durable.service("fast_processor")
aggregator = durable.service("aggregator")
external_api = durable.service("external_api")
users = durable.service("user_service")
SERVICES = [patterns, fast_processor, aggregator, external_api, users, *PATTERN_CALLEES]
runs: Counter[str] = Counter()
ENDS = import_module("perdure_runtime.core.requests.finish")


@fast_processor.handler
async def process(item: dict[str, Any]) -> int:
    tag = item["tag"]
    runs[tag] += 1
    runs[tag + "-now"] += 1
    runs[tag + "-most"] = max(runs[tag + "-most"], runs[tag + "-now"])
    await asyncio.sleep(0)
    runs[tag + "-now"] -= 1
    return 2 * int(item["n"])


@aggregator.handler
def combine_batches(parts: dict[str, Any]) -> dict[str, int]:
    batches = parts["batches"]
    assert [*range(len(batches))] == [batch["batch_index"] for batch in batches]
    return {"sum": sum(sum(batch["items"]) for batch in batches), "items": parts["total_items"]}


@external_api.handler(name="process")
def call_api(data: dict[str, Any]) -> dict[str, str]:
    tag = data["tag"]
    runs[tag] += 1
    problems = data["problems"]
    if runs[tag] <= len(problems):
        raise ConnectionError(problems[runs[tag] - 1])
    return {"key": ctx.idempotency_key}


@users.handler
def get_profile(user: str) -> str:
    return f"profile of {user}"


@users.handler
def get_orders(user: str) -> list[str]:
    return [user, user]


@durable.function(max_retries=3, retry_delay=0.001)
async def flaky_operation(ctx: DurableContext, data: dict[str, Any]) -> dict[str, Any]:
    attempt_count = await ctx.state.get("attempt_count", 0) + 1
    await ctx.state.set("attempt_count", attempt_count)
    if attempt_count < 3:
        raise ConnectionError(f"attempt {attempt_count} failed")
    return {"attempts": attempt_count, "data": data}


@durable.function(max_retries=0)
async def three_services(ctx: DurableContext, user: str) -> list[Any]:
    return await ctx.spawn(
        [
            ("user_service", "get_profile", user),
            ("user_service", "get_orders", user),
            ("fast_processor", "process", {"tag": user, "n": 4}),
        ]
    )


for function in (
    *(saga_transaction, parallel_data_processing, high_performance_pipeline),
    *(resilient_api_integration, flaky_operation, three_services),
):
    patterns.add_function(function)


@pytest.fixture
def witnessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(WITNESS, str(tmp_path / "witness"))
    return tmp_path / "witness"


TEA: dict[str, Any] = {
    "items": [{"id": "tea"}],
    "payment": {"amount": 12},
    "order": {"name": "tea"},
}
SAGAS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], dict[str, Any]]] = {
    "success": (
        {},
        {"success": True, "order_id": "o-tea"},
        ["reserve", "charge", "create"],
        {"saga_status": "completed"},
    ),
    "the reservation fails": (
        {"items": [{"id": "tea", "fails": "items"}]},
        {"success": False, "error": "items refused"},
        ["reserve"],
        {"saga_status": "failed"},
    ),
    "the payment fails": (
        {"payment": {"amount": 12, "fails": "payment"}},
        {"success": False, "error": "payment refused"},
        ["reserve", "charge", "release r-tea"],
        {"saga_status": "failed"},
    ),
    "the order fails": (
        {"order": {"fails": "order"}},
        {"success": False, "error": "order refused"},
        ["reserve", "charge", "create", "refund t-12", "release r-tea"],
        {"saga_status": "failed"},
    ),
    "a compensation fails": (
        {"items": [{"id": "stuck"}], "order": {"fails": "order"}},
        {"success": False, "error": "order refused"},
        ["reserve", "charge", "create", "refund t-12", "release r-stuck"],
        {"saga_status": "failed", "compensation_error_inventory": "the items are stuck"},
    ),
}


@pytest.mark.parametrize("case", SAGAS)
async def test_saga_transaction(backend: Backend, witnessed: Path, case: str) -> None:
    changes, result, bodies, state = SAGAS[case]
    handle = await backend.client.start(saga_transaction, TEA | changes)
    assert result == await handle.result(PATIENCE_S)
    assert bodies == [line.name for line in seen(witnessed)]
    assert state == await handle.read_state()


async def test_parallel_data_processing(backend: Backend, witnessed: Path) -> None:
    sources = ["one", "three", "seven"]
    result = await backend.run("patterns", "parallel_data_processing", sources)
    told = "0: one has 3 rows; 1: three has 5 rows; 2: seven has 5 rows"
    assert {"report": told, "rows": 3} == result
    rounds = [{line.name.split()[0] for line in seen(witnessed)[n : n + 3]} for n in (0, 3, 6)]
    assert [{"fetch"}, {"dataset"}, {"analyze"}] == rounds
    assert 10 == len(seen(witnessed))


async def test_high_performance_pipeline(backend: Backend, max_cached: int) -> None:
    tag, count = uuid4().hex, 1_050 if max_cached > 1 else 130
    items = [{"tag": tag, "n": n} for n in range(count)]
    handle = await backend.client.start(high_performance_pipeline, items)
    assert {"sum": count * (count - 1), "items": count} == await handle.result(120)
    assert count == runs[tag]
    assert runs[tag + "-most"] <= 20


@pytest.mark.parametrize("endpoint", ["embedded"], indirect=True)
async def test_resilient_api_integration(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand times as fast: what the body sleeps, and what lies between its attempts."""
    tag = uuid4().hex
    slept: list[float] = []

    async def nap(self: DurableContext, seconds: float) -> None:
        if not self.is_replaying:
            slept.append(seconds)
        await asyncio.sleep(seconds / 1000)

    monkeypatch.setattr(DurableContext, "sleep", nap)
    monkeypatch.setattr(ENDS, "retry_delay_ms", lambda *given: retry_delay_ms(*given) // 1000)
    problems = ["rate_limit hit", "timeout", "rate_limit again", "something else"]
    handle = await backend.client.start(
        resilient_api_integration, {"tag": tag, "problems": problems}
    )
    await handle.result(PATIENCE_S)
    assert len(problems) + 1 == runs[tag]
    assert {60, 4, 180, 6.0} == {*slept}
    assert {"retry_count": 0} == await handle.read_state()
    assert 5 == (await handle.describe()).attempt
    assert 4 == (await backend.kinds(handle.id)).count("attempt_ended")


@pytest.mark.parametrize("endpoint", ["embedded"], indirect=True)
async def test_resilient_api_integration_gives_up_after_eleven_attempts(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = uuid4().hex

    async def nap(self: DurableContext, seconds: float) -> None:
        await asyncio.sleep(seconds / 10_000)

    monkeypatch.setattr(DurableContext, "sleep", nap)
    monkeypatch.setattr(ENDS, "retry_delay_ms", lambda *given: 1)
    error = await backend.failure(
        resilient_api_integration, {"tag": tag, "problems": ["down"] * 20}
    )
    assert "down" in str(error)
    assert 11 == runs[tag]


async def test_flaky_operation(backend: Backend) -> None:
    assert {"attempts": 3, "data": {"x": 1}} == await backend.run(flaky_operation, {"x": 1})


async def test_spawn_of_three_service_calls(backend: Backend) -> None:
    user = uuid4().hex
    expected = [f"profile of {user}", [user, user], 8]
    assert expected == await backend.run(three_services, user)
