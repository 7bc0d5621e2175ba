"""Code that changes while executions are in flight (semantics, section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from perdure import Client, DurableContext, durable
from perdure.registry import isolated_registry
from perdure.service import Service
from tests.sdk.backends import PATIENCE_S, Backend, opened

runs: Counter[str] = Counter()
IN_FLIGHT = 20


def note(tag: str, what: str) -> str:
    runs[f"{tag}-{what}"] += 1
    return what


def version(body: Callable[..., Any]) -> Service:
    """A service whose `order` is this body."""
    service = durable.service("versions")
    service.add_function(durable.function(name="order", max_retries=0)(body))
    return service


async def first(ctx: DurableContext, tag: str) -> list[str]:
    one = await ctx.run(note, tag, "reserve")
    await ctx.wait_for_event(f"go-{tag}")
    return [one, await ctx.run(note, tag, "ship")]


async def with_patch(ctx: DurableContext, tag: str) -> list[str]:
    one = await ctx.run(note, tag, "reserve")
    checked = [await ctx.run(note, tag, "check")] if ctx.patched("check") else []
    await ctx.wait_for_event(f"go-{tag}")
    return [one, *checked, await ctx.run(note, tag, "ship")]


async def without_the_old_code(ctx: DurableContext, tag: str) -> list[str]:
    one = await ctx.run(note, tag, "reserve")
    ctx.deprecate_patch("check")
    checked = await ctx.run(note, tag, "check")
    await ctx.wait_for_event(f"go-{tag}")
    return [one, checked, await ctx.run(note, tag, "ship")]


async def careless(ctx: DurableContext, tag: str) -> list[str]:
    one = await ctx.run(note, tag, "reserve")
    checked = await ctx.run(note, tag, "check")  # inserted
    await ctx.wait_for_event(f"go-{tag}")
    return [one, checked, await ctx.run(note, tag, "ship")]


async def begin(backend: Backend, *tags: str) -> None:
    for tag in tags:
        await backend.client.start("versions", "order", tag, id=tag)
    for tag in tags:
        await backend.until(tag, "event_awaited")


async def results(client: Client, *tags: str) -> list[Any]:
    for tag in tags:
        await client.send_event(f"go-{tag}", None)
    return [await client.get(tag).result(PATIENCE_S) for tag in tags]


def tags(count: int) -> list[str]:
    return [uuid4().hex for _ in range(count)]


@pytest.fixture
def room(tmp_path: Path, max_cached: int) -> Callable[..., Any]:
    def opened_with(body: Callable[..., Any]) -> Any:
        return opened(None, tmp_path, [version(body)], max_cached)

    return opened_with


async def test_a_patch_is_for_new_executions_and_old_ones_go_on(room: Callable[..., Any]) -> None:
    old, new = tags(IN_FLIGHT), tags(2)
    with isolated_registry():
        async with room(first) as backend:
            await begin(backend, *old)
    with isolated_registry():
        async with room(with_patch) as backend:
            await begin(backend, *new)
            half = old[: IN_FLIGHT // 2]
            assert [["reserve", "ship"]] * len(half) == await results(backend.client, *half)
    with isolated_registry():
        async with room(with_patch) as backend:
            rest = old[IN_FLIGHT // 2 :]
            assert [["reserve", "ship"]] * len(rest) == await results(backend.client, *rest)
    with isolated_registry():
        async with room(without_the_old_code) as backend:
            expected = [["reserve", "check", "ship"]] * 2
            assert expected == await results(backend.client, *new)
    assert {1} == {runs[f"{tag}-{what}"] for tag in old + new for what in ("reserve", "ship")}
    assert 0 == sum(runs[f"{tag}-check"] for tag in old)


async def test_what_does_not_fit_is_blocked_and_finishes_after_a_fix(
    room: Callable[..., Any],
) -> None:
    old = tags(IN_FLIGHT)
    with isolated_registry():
        async with room(first) as backend:
            await begin(backend, *old)
    with isolated_registry():
        async with room(careless) as backend:
            for tag in old:
                await backend.client.send_event(f"go-{tag}", None)
            await begin(backend, *tags(1))
            for tag in old:
                info = await backend.client.get(tag).describe()
                while info.status != "blocked":
                    info = await backend.client.get(tag).describe()
                assert "step 'note'" in info.detail
                assert "test_versions.py:" in info.detail
    with isolated_registry():
        async with room(with_patch) as backend:
            expected = [["reserve", "ship"]] * IN_FLIGHT
            assert expected == [await backend.client.get(t).result(PATIENCE_S) for t in old]
    assert {1} == {runs[f"{tag}-{what}"] for tag in old for what in ("reserve", "ship")}
