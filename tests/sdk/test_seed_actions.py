"""The page on actions: AT0.1 to AT0.5, each under its heading (seed 000)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import RateLimit, RetryPolicy
from perdure.actions import (
    DB,
    Action,
    ActionCancelledError,
    ActionContext,
    ActionFailedError,
    ActionNotDefinedError,
    ActionNotFoundError,
    ActionStateError,
    services,
)
from perdure.errors import AlreadyExistsError, InvalidArgumentError
from perdure.testing import MemoryRuntime
from perdure.testing.crashes import run_with_crashes
from tests.integration.apps.images import PROCESSED
from tests.sdk.backends import Backend
from tests.seeds import actions as seed

actions = seed.actions
GATES: dict[str, asyncio.Event] = {}
SEEN: list[Any] = []
FAILS: list[str] = []


def gate(name: str) -> asyncio.Event:
    return GATES.setdefault(name, asyncio.Event())


@actions.define("generatePosts")
async def generate_posts(input: Any, context: ActionContext) -> list[str]:
    titles = []
    for number in range(input["count"]):
        titles.append(f"{input['type']} {number}")
        context.progress(number + 1, input["count"])
        if number + 1 == 47:
            await gate(context.action_id).wait()
    return titles


@actions.define("fails", retry=RetryPolicy(2, delay=0))
async def fails(input: Any, context: ActionContext) -> str:
    SEEN.append((context.attempt, context.checkpoints, context.last_progress))
    await context.checkpoint("attempt", context.attempt)
    context.progress(context.attempt, 9)
    if FAILS:
        raise ValueError(FAILS.pop())
    return "done"


@actions.define("each", retry=RetryPolicy(3, delay=0))
async def each(items: Any, context: ActionContext) -> list[Any]:
    double = await context.step("double", lambda: [2 * item for item in items])
    async for item in context.each(double):
        SEEN.append(item)
        if FAILS and item == 4:
            raise ValueError(FAILS.pop())
    return double


@actions.define("in a thread")
def in_a_thread(input: Any, context: ActionContext) -> str:
    context.progress(1, 1)
    return f"{input} {context.attempt}"


@actions.define("two at a time", max_concurrency=2)
async def two_at_a_time(input: Any, context: ActionContext) -> None:
    SEEN.append(1)
    assert sum(SEEN) <= 2
    for _ in range(10):
        await asyncio.sleep(0)
    SEEN.append(-1)


@actions.define("slowly", rate_limit=RateLimit(1, burst=2), retry=0)
async def slowly(input: Any, context: ActionContext) -> None:
    SEEN.append(input)


actions.define("processImages", seed.process_images)
SERVICES = services()


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    GATES.clear()
    SEEN.clear()
    FAILS.clear()
    PROCESSED.clear()


async def until(id: str, wanted: str, progress: float = 0) -> Action:
    async with asyncio.timeout(30):
        async for action in actions.watch(id):
            if action.status == wanted and action.progress >= progress:
                return action
    raise AssertionError(f"{id} ended before it was {wanted}")


class TestOperations:
    """AT0.1."""

    async def test_start_get_list_result(self, backend: Backend) -> None:
        action = await seed.start()
        assert action.id.startswith("action_")
        assert "pending" == action.status
        await until(action.id, "active", 47)
        status = await seed.get(action)
        assert status is not None
        assert ("active", 47, 100) == (status.status, status.progress, status.total)
        assert 47 == status.percent
        waits = await actions.start("defined by nobody")
        pending, active, failed = await seed.lists()
        assert ([waits.id], [action.id], []) == tuple(
            [each.id for each in found] for found in (pending, active, failed)
        )
        gate(action.id).set()
        assert [f"Post {number}" for number in range(100)] == await seed.result(action)
        done = await seed.get(action)
        assert done is not None
        assert ("completed", 100, 100) == (done.status, done.progress, len(done.result))
        assert done.completed_at is not None
        await actions.cancel(waits.id)

    async def test_unknown_ones(self, backend: Backend) -> None:
        assert None is await actions.get("action_none")
        for operation in (actions.retry, actions.cancel, actions.result):
            with pytest.raises(ActionNotFoundError, match=r"^Action not found: action_none"):
                await operation("action_none")
        with pytest.raises(ActionNotFoundError):
            async for _ in actions.watch("action_none"):
                pass
        with pytest.raises(InvalidArgumentError, match="never 'done'"):
            await actions.list(status="done")
        with pytest.raises(ActionNotDefinedError, match="Action not defined: nobodys"):
            await actions.start("nobodys", strict=True)
        assert (await actions.start("in a thread", 1, strict=True)).id

    async def test_an_idempotency_key_gives_the_same_action(self, backend: Backend) -> None:
        one = await actions.start("in a thread", "x", idempotency_key="k", labels={"a": "b"})
        again = await actions.start("in a thread", "x", idempotency_key="k")
        assert one.id == again.id
        other = await actions.start("generatePosts", {"count": 0}, idempotency_key="k")
        assert other.id != one.id
        with pytest.raises(AlreadyExistsError):
            await actions.start("in a thread", "y", idempotency_key="k")
        assert "x 1" == await actions.result(one.id, 30)
        assert [one.id] == [each.id for each in await actions.list(labels={"a": "b"})]
        assert [other.id] == [each.id for each in await actions.list(name="generatePosts")]


class TestCustomActions:
    """AT0.2."""

    async def test_process_images(self, backend: Backend) -> None:
        action = await seed.custom_actions()
        assert {"processed": 3} == await seed.result(action)
        assert ["a.jpg", "b.jpg", "c.jpg"] == PROCESSED
        done = await seed.get(action)
        assert done is not None
        assert (3, 3) == (done.progress, done.total)

    async def test_each_item_once_and_a_retry_goes_on(self, backend: Backend) -> None:
        FAILS[:] = ["not yet", "nor yet"]
        action = await actions.start("each", [1, 2, 3])
        assert [2, 4, 6] == await actions.result(action.id, 30)
        assert [2, 4, 4, 4, 6] == SEEN
        done = await actions.get(action.id)
        assert done is not None
        assert (3, 3, 3) == (done.progress, done.total, done.attempts)

    @pytest.mark.parametrize("name", ["each", "processImages", "generate"])
    async def test_a_crash_at_every_journal_write(self, name: str) -> None:
        runtime = MemoryRuntime(services=services())
        seen: list[list[Any]] = []

        async def run() -> None:
            SEEN.clear()
            PROCESSED.clear()
            if name == "generate":
                action = await seed.db.generate(type="Post", count=3, data={"topic": "x"})
                posts = [{"title": f"Post {number} on x"} for number in range(3)]
                assert posts == await actions.result(action.id, 30)
            elif name == "each":
                action = await actions.start("each", [1, 2, 3])
                assert [2, 4, 6] == await actions.result(action.id, 30)
            else:
                action = await seed.custom_actions()
                assert {"processed": 3} == await seed.result(action)
            done = await actions.get(action.id)
            assert done is not None
            assert ("completed", 3, 3) == (done.status, done.progress, done.total)
            seen.append([*SEEN, *PROCESSED])

        await run_with_crashes(run, runtime, "every-entry")
        if name == "each":  # what a crash interrupted is given again, what was done is not
            for items in seen:
                assert [2, 4, 6] == sorted(set(items))
                assert items == sorted(items)
                assert len(items) <= 4

    async def test_a_definition_replaces_the_one_before(self, backend: Backend) -> None:
        assert "x 1" == await actions.result((await actions.start("in a thread", "x")).id, 30)
        try:
            await actions.define("in a thread", lambda input, context: "replaced")
            found = await actions.start("in a thread", "x")
            assert "replaced" == await actions.result(found.id, 30)
        finally:
            actions.define("in a thread", in_a_thread)


class TestBackgroundGeneration:
    """AT0.3."""

    async def test_db_generate(self, backend: Backend) -> None:
        shown, posts = await seed.background_generation()
        assert shown.split("/")[1] in ("None", "100")
        assert 100 == len(posts)
        assert {"title": "Post 99 on AI trends"} == posts[99]
        waited = await seed.db.generate(type="Post", count=1, data={"topic": "x"}, mode="wait")
        assert [{"title": "Post 0 on x"}] == waited.result

    async def test_what_cannot_be_generated(self) -> None:
        with pytest.raises(InvalidArgumentError, match=r"no type 'Author'.*Post"):
            await seed.db.generate(type="Author", count=1)
        with pytest.raises(InvalidArgumentError, match="mode must be"):
            await seed.db.generate(type="Post", count=1, mode="later")  # type: ignore[arg-type] # the point
        with pytest.raises(InvalidArgumentError, match="count"):
            await seed.db.generate(type="Post", count=-1)
        bare, _ = DB({"Post": {}})
        with pytest.raises(InvalidArgumentError, match="generator="):
            await bare.generate(type="Post", count=1)


class TestActionStatus:
    """AT0.4: pending -> active -> completed | failed -> (retry) -> pending; cancelled."""

    async def test_failed_retried_completed(self, backend: Backend) -> None:
        FAILS[:] = ["c", "b", "a"]
        action = await actions.start("fails")
        with pytest.raises(ActionFailedError, match=r"^c$") as failed:
            await actions.result(action.id, 30)
        assert isinstance(failed.value.__cause__, ValueError)
        seen = await actions.get(action.id)
        assert seen is not None
        assert ("failed", "c", 3) == (seen.status, seen.error, seen.attempts)
        assert [action.id] == [each.id for each in await actions.list(status="failed")]
        again = await actions.retry(action.id)
        assert again.status in ("pending", "active", "completed")
        assert "done" == await actions.result(action.id, 30)
        attempts = [(attempt, noted.get("attempt")) for attempt, noted, _ in SEEN]
        assert [(1, None), (2, 1), (3, 2), (4, 3)] == attempts
        assert [None, 1, 2, 3] == [last and last.done for _, _, last in SEEN]
        with pytest.raises(ActionStateError, match=f"^Can only retry failed actions: {action.id}"):
            await actions.retry(action.id)

    async def test_a_retried_action_is_pending_until_it_starts(self) -> None:
        async with MemoryRuntime(services=services()).opened():
            FAILS[:] = ["c", "b", "a"]
            action = await actions.start("fails")
            with pytest.raises(ActionFailedError):
                await actions.result(action.id, 30)
            assert "pending" == (await actions.retry(action.id)).status
            statuses = [str(each.status) async for each in actions.watch(action.id)]
            assert "completed" == statuses[-1]
            assert statuses == sorted(statuses, key=["pending", "active", "completed"].index)

    async def test_cancelled(self, backend: Backend) -> None:
        action = await seed.start()
        await until(action.id, "active", 47)
        await seed.cancel(action)
        with pytest.raises(ActionCancelledError):
            await actions.result(action.id, 30)
        assert "cancelled" == (await until(action.id, "cancelled")).status
        with pytest.raises(ActionStateError, match=f"^Cannot cancel finished action: {action.id}"):
            await actions.cancel(action.id)
        with pytest.raises(ActionStateError, match="Can only retry failed"):
            await actions.retry(action.id)


class TestActionFeatures:
    """AT0.5."""

    async def test_retries_back_off(self) -> None:
        async with MemoryRuntime(services=services()).opened() as runtime:
            began = runtime.clock.now()
            action = await actions.start("processImages", {"images": None})  # no list: it fails
            with pytest.raises(ActionFailedError):
                await actions.result(action.id, 30)
            seen = await actions.get(action.id)
            assert seen is not None
            assert 3 == seen.attempts
            assert 3 <= (runtime.clock.now() - began).total_seconds() <= 5, "1 s, 2 s and jitter"

    async def test_progress_is_pushed_and_never_goes_back(self, backend: Backend) -> None:
        action = await seed.start()
        gate(action.id).set()
        progress = [each.progress async for each in actions.watch(action.id)]
        assert progress == sorted(progress)
        assert 100 == progress[-1]

    async def test_batching_and_concurrency(self, backend: Backend) -> None:
        started = await actions.start_many("two at a time", range(8), idempotency_key="batch")
        again = await actions.start_many("two at a time", range(8), idempotency_key="batch")
        assert [each.id for each in started] == [each.id for each in again]
        for each_action in started:
            await actions.result(each_action.id, 30)
        assert 0 == sum(SEEN)
        assert 16 == len(SEEN)

    async def test_rate(self) -> None:
        async with MemoryRuntime(services=services()).opened() as runtime:
            began = runtime.clock.now()
            for action in await actions.start_many("slowly", range(5)):
                await actions.result(action.id, 30)
            assert 3 == (runtime.clock.now() - began).total_seconds(), (
                "two at once, then one a second"
            )
            assert [0, 1, 2, 3, 4] == sorted(SEEN)

    async def test_priority(self) -> None:
        async with MemoryRuntime(services=services()).opened():
            await actions.start_many("slowly", ["first", "second"])
            later = await actions.start("slowly", "later")
            sooner = await actions.start("slowly", "sooner", priority=5)
            for action in (later, sooner):
                await actions.result(action.id, 30)
            assert SEEN.index("sooner") < SEEN.index("later")
