"""Recorded journals against changed code: the same answer as a worker's, without any effect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from perdure import DurableContext, durable
from perdure.testing import MemoryRuntime, RecordedJournal, replay
from perdure_runtime.core.errors import InvalidArgumentError, JournalMismatchError, NotFoundError

EFFECTS: list[str] = []


@durable.step
async def pack(item: str) -> str:
    EFFECTS.append(f"pack {item}")
    return f"packed {item}"


@durable.function(service="replayed_shop")
async def order(ctx: DurableContext, item: str) -> dict[str, Any]:
    packed = await ctx.run("pack", pack, item)  # named: else the module is part of its identity
    await ctx.sleep(60)
    sent = await ctx.call("shipping", "send", packed)
    return {"sent": sent}


@durable.function(name="order", service="replayed_later")
async def with_a_step_inserted(ctx: DurableContext, item: str) -> dict[str, Any]:
    await ctx.run("weigh", lambda: EFFECTS.append("weigh"))
    packed = await ctx.run("pack", pack, item)
    await ctx.sleep(60)
    return {"sent": await ctx.call("shipping", "send", packed)}


@durable.function(name="order", service="replayed_removed")
async def with_a_step_removed(ctx: DurableContext, item: str) -> dict[str, Any]:
    await ctx.sleep(60)
    return {"sent": await ctx.call("shipping", "send", item)}


@durable.function(name="order", service="replayed_added")
async def with_a_step_at_the_end(ctx: DurableContext, item: str) -> dict[str, Any]:
    packed = await ctx.run("pack", pack, item)
    await ctx.sleep(60)
    sent = await ctx.call("shipping", "send", packed)
    await pack("receipt")
    return {"sent": sent}


async def journal(suspended: bool) -> RecordedJournal:
    """Of an order that waits in its sleep, or that has ended."""
    async with MemoryRuntime(auto_advance=False).opened() as runtime:
        runtime.stub("shipping", send="parcel")
        handle = await order.start("tea")
        await runtime.settle()
        if not suspended:
            await runtime.clock.advance(minutes=1)
            assert await handle.result() == {"sent": "parcel"}
        EFFECTS.clear()
        return await RecordedJournal.fetch(runtime.client, handle.id)


@pytest.mark.parametrize("suspended", [False, True])
async def test_the_code_that_recorded_it_fits(suspended: bool) -> None:
    (report,) = replay(await journal(suspended))
    assert report.matches
    assert report.ended is not suspended
    assert report.commands == 0
    assert EFFECTS == []


@pytest.mark.parametrize("changed", [with_a_step_inserted, with_a_step_removed])
async def test_a_changed_body_is_a_mismatch_that_names_the_line(changed: Any) -> None:
    with pytest.raises(JournalMismatchError, match=rf"{Path(__file__).name}:\d+") as caught:
        replay(await journal(True), changed)
    assert "recorded:  step 'pack'" in str(caught.value)
    assert EFFECTS == []


async def test_a_step_behind_the_recorded_ones_fits_and_does_not_run() -> None:
    (report,) = replay(await journal(False), with_a_step_at_the_end)
    assert report.matches
    assert report.commands == 1
    assert not report.ended
    assert EFFECTS == []


async def test_files_and_directories_hold_journals(tmp_path: Path) -> None:
    recorded = await journal(True)
    recorded.write(tmp_path / "first.json")
    (tmp_path / "deep").mkdir()
    recorded.write(tmp_path / "deep" / "second.jsonl")
    assert len(replay(tmp_path)) == 2
    with pytest.raises(JournalMismatchError):
        replay([tmp_path / "first.json"], with_a_step_inserted)


async def test_bad_files_are_told_of_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "journal.json"
    for text, told in (("", "holds no journal"), ("{}\n", ":1 is no line"), ("[", ":1 is no line")):
        file.write_text(text)
        with pytest.raises(InvalidArgumentError, match=told):
            replay(file)
    (await journal(True)).write(file)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[1:]))
    with pytest.raises(InvalidArgumentError, match="has no beginning or a gap"):
        replay(file)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidArgumentError, match=r"no \*\.json"):
        replay(tmp_path / "empty")


async def test_a_function_that_nobody_defines_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "journal.json"
    async with MemoryRuntime().opened() as runtime:
        runtime.stub("nobodys", unheard_of=1)
        handle = await runtime.client.start("nobodys", "unheard_of", id="other")
        await handle.result()
        (await RecordedJournal.fetch(runtime.client, "other")).write(file)
    with pytest.raises(NotFoundError, match="nobodys/unheard_of"):
        replay(file)


CODE = """
    from perdure import DurableContext, durable

    @durable.step
    async def pack(item: str) -> str:
        raise AssertionError("a replay has no effects")

    @durable.function(service="replayed_shop")
    async def order(ctx: DurableContext, item: str) -> dict:
        packed = await ctx.run("pack", pack, {argument})
        await ctx.sleep(60)
        return {{"sent": await ctx.call("shipping", "send", packed)}}
    """


async def test_the_command_ends_with_1_and_the_diff_when_the_code_does_not_fit(
    tmp_path: Path,
) -> None:
    (await journal(True)).write(tmp_path / "journal.json")
    for argument, code in (("item", 0), ("item.upper()", 1)):
        (tmp_path / "app.py").write_text(dedent(CODE).format(argument=argument))
        done = subprocess.run(
            [sys.executable, "-m", "perdure", "replay", ".", "--code", "app.py", "-o", "json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        report = json.loads(done.stdout)
        assert report["matches"] is (code == 0)
        assert ("app.py:10, in order" in report["diff"]) is (code == 1)
