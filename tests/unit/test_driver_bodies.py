"""Real bodies on a driver: what they see, how they end (semantics, sections 4, 5 and 8)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
from typing import Any

import pytest

from perdure_runtime.core.entries import (
    AttemptTimedOut,
    CallIssued,
    CommandReused,
    StepCompleted,
    Target,
    TimerStarted,
)
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.driver import Body, CommandFuture, Driver, TornDown
from perdure_runtime.testing.history import History, digest, payload, value_of
from tests.replay.world import OPTIONS, World


async def got(future: CommandFuture) -> Any:
    """The value of a command that succeeds."""
    outcome = await future
    assert isinstance(outcome, Payload), outcome
    return value_of(outcome)


def step(body: Body, name: str, input: Any = None) -> CommandFuture:
    """Issue a step."""
    return body.step(name, digest(input), name)


def call(body: Body, name: str) -> CommandFuture:
    """Issue a call."""
    return body.call(Target("tests", name), payload(None))


def result_of(world: World) -> Any:
    """The result of an execution that completes."""
    finish = world.run()
    assert finish.failure is None, finish.failure
    assert finish.result is not None
    return value_of(finish.result)


def test_steps_calls_timers_and_branches_in_one_body() -> None:
    async def body(b: Body) -> Any:
        async def part() -> Payload:
            return payload([await got(step(b, "inner")), await got(call(b, "deep"))])

        first = await got(step(b, "first"))
        both = await asyncio.gather(got(call(b, "x")), got(step(b, "y")))
        await asyncio.sleep(2)
        return [first, both, await got(b.branch("part", digest(1), part))]

    assert ["first", ["x", "y"], ["inner", "deep"]] == result_of(World(body))


def test_time_is_virtual_and_moves_with_entries_only() -> None:
    seen = []

    async def body(b: Body) -> Any:
        before, wall = b.now(), time.time()
        await asyncio.sleep(3600)
        seen.append(b.now() - before)
        return wall == before

    assert result_of(World(body))
    assert 3600 <= seen[0] < 3601


def test_a_timer_never_travels_shorter_than_asked() -> None:
    async def body(b: Body) -> None:
        await asyncio.gather(asyncio.sleep(0.1), asyncio.sleep(0.0001), asyncio.sleep(1e300))

    world = World(body)
    delays = [r.entry.delay_ms for r in world.entries if isinstance(r.entry, TimerStarted)]
    assert [100, 1, 1 << 53] == delays


def test_random_numbers_and_uuids_repeat_in_every_attempt() -> None:
    async def body(b: Body) -> Any:
        return [random.random(), b.random().random(), str(b.uuid4())]

    first = World(body)
    second = World(body, entries=History().attempt().attempt_failed().attempt().entries)
    assert result_of(first) == result_of(second)


def test_a_raised_exception_is_the_failure_of_the_attempt() -> None:
    async def body(b: Body) -> None:
        raise ValueError("no")

    assert Failure("ValueError", "no") == World(body).run().failure


def test_an_unencodable_result_fails_without_retry() -> None:
    async def body(b: Body) -> Any:
        return object()

    finish = World(body).run()
    assert finish.failure is not None
    assert FailureCode.SERIALIZATION is finish.failure.code
    assert not finish.failure.retryable


def test_system_exit_ends_the_attempt_not_the_worker() -> None:
    async def body(b: Body) -> None:
        raise SystemExit(3)

    finish = World(body).run()
    assert finish.failure is not None
    assert "SystemExit" == finish.failure.type_name


def test_a_busy_wait_fails_the_attempt() -> None:
    async def body(b: Body) -> None:
        while True:
            await asyncio.sleep(0)

    finish = World(body).run()
    assert finish.failure is not None
    assert "NotDeterministicError" == finish.failure.type_name


def test_a_busy_wait_that_catches_everything_fails_too() -> None:
    async def body(b: Body) -> None:
        while True:
            with contextlib.suppress(Exception):
                await asyncio.sleep(0)

    finish = World(body).run()
    assert finish.failure is not None
    assert "NotDeterministicError" == finish.failure.type_name


# --- the end of a body ----------------------------------------------------------------------------


def test_remaining_tasks_are_cancelled_and_may_clean_up_durably() -> None:
    async def body(b: Body) -> str:
        async def background() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                await step(b, "cleanup")

        left = asyncio.ensure_future(background())
        await step(b, "work")
        assert not left.done()
        return "done"

    world = World(body)
    assert "done" == result_of(world)
    names = [r.entry.name for r in world.entries if isinstance(r.entry, StepCompleted)]
    assert ["work", "cleanup"] == names


def test_an_unawaited_call_is_reported_live_and_never_on_replay() -> None:
    warnings: list[str] = []
    options = dataclasses.replace(OPTIONS, warn=warnings.append)

    async def body(b: Body) -> str:
        call(b, "forgotten")
        await step(b, "work")
        return "done"

    world = World(body, options=options)
    assert "done" == result_of(world)
    assert 1 == len(warnings)
    assert "call 'tests/forgotten' (0:1)" in warnings[0]


def test_a_send_just_before_the_end_is_recorded() -> None:
    async def body(b: Body) -> str:
        return b.call(Target("tests", "audit"), payload(1), detached=True).child_id

    world = World(body)
    child_id = result_of(world)
    assert [child_id] == [
        r.entry.child_id for r in world.entries if isinstance(r.entry, CallIssued)
    ]


def test_a_crash_before_the_outcome_is_recorded_repeats_it() -> None:
    async def body(b: Body) -> Any:
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(got(call(b, "x"))), asyncio.ensure_future(got(call(b, "y")))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        return [task.result() for task in done]

    world = World(body)
    world.deliver()
    world.end_call("0:2")
    world.end_call("0:1")  # recorded, but the body has ended by then
    world.deliver()
    first = world.finish
    world.finish = None
    world.crash()
    again = world.run()
    assert first is not None
    assert (first.result, first.consumed) == (again.result, again.consumed)


# --- cancel and timeouts --------------------------------------------------------------------------


def test_a_cancel_reaches_the_current_await() -> None:
    seen: list[Any] = []

    async def body(b: Body) -> None:
        try:
            await call(b, "slow")
        except asyncio.CancelledError:
            seen.append((b.cancelled, b.cancel_reason))
            raise

    world = World(body)
    world.cancel("enough")
    world.deliver()
    assert [(True, "enough")] == seen
    assert world.finish is not None
    assert world.finish.cancelled
    assert world.finish.result is None


def test_a_swallowed_cancel_is_delivered_again_at_the_next_await() -> None:
    swallowed = []

    async def body(b: Body) -> str:
        for _ in range(3):
            try:
                await call(b, "slow")
            except asyncio.CancelledError:
                swallowed.append(1)
        return "ignored it"

    world = World(body)
    world.cancel()
    world.deliver()
    assert 3 == len(swallowed)
    assert world.finish is not None
    assert world.finish.cancelled  # an outcome made after the cancel was consumed


def test_a_body_that_swallows_every_cancel_does_not_hang_the_worker() -> None:
    async def body(b: Body) -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)

    world = World(body)
    world.cancel()
    world.deliver()
    assert world.finish is None
    world.driver.evict()


@pytest.mark.parametrize("shape", ["finally", "except", "nested", "context", "group", "generator"])
def test_cleanup_may_use_the_context_after_a_cancel(shape: str) -> None:
    async def cleanup(b: Body) -> None:
        await step(b, "cleanup-1")
        await asyncio.sleep(1)
        await call(b, "cleanup-2")

    async def stream(b: Body) -> Any:
        try:
            yield await step(b, "slow")
        finally:
            await cleanup(b)

    async def body(b: Body) -> None:
        match shape:
            case "finally":
                try:
                    await call(b, "slow")
                finally:
                    await cleanup(b)
            case "except":
                try:
                    await call(b, "slow")
                except asyncio.CancelledError:
                    await cleanup(b)
            case "nested":
                try:
                    try:
                        await call(b, "slow")
                    finally:
                        raise ValueError("from cleanup")
                except ValueError:
                    await cleanup(b)
            case "context":
                try:
                    await asyncio.gather(call(b, "slow"), asyncio.sleep(1000))
                finally:
                    await asyncio.gather(cleanup(b), asyncio.sleep(1))
            case "group":

                async def child() -> None:
                    try:
                        await call(b, "slow")
                    finally:
                        await cleanup(b)

                async with asyncio.TaskGroup() as group:
                    group.create_task(child())
            case _:
                async for _ in stream(b):
                    pass

    def recorded(world: World) -> list[str]:
        return [
            getattr(r.entry, "name", "") or "call"
            for r in world.entries
            if isinstance(r.entry, StepCompleted)
        ]

    world = World(body)
    world.cancel()
    world.deliver()
    finish = world.run()
    assert finish.cancelled
    assert "cleanup-1" in recorded(world)
    assert any(
        isinstance(r.entry, CallIssued) and r.entry.target.method == "cleanup-2"
        for r in world.entries
    )


def test_an_outcome_made_before_the_cancel_wins() -> None:
    async def body(b: Body) -> str:
        await call(b, "x")
        return "made it"

    world = World(body)
    world.deliver()
    world.end_call("0:1")
    world.cancel()
    world.deliver()
    assert world.finish is not None
    assert not world.finish.cancelled
    assert payload("made it") == world.finish.result


def test_the_attempts_timeout_is_delivered_like_a_cancel() -> None:
    async def body(b: Body) -> None:
        await call(b, "slow")

    world = World(body)
    world.news(AttemptTimedOut(1))
    world.deliver()
    assert world.finish is not None
    assert (True, False) == (world.finish.timed_out, world.finish.cancelled)


def test_a_body_that_cancels_itself_fails_and_is_not_retried() -> None:
    async def body(b: Body) -> None:
        raise asyncio.CancelledError

    finish = World(body).run()
    assert finish.failure is not None
    assert not finish.cancelled
    assert not finish.failure.retryable


# --- commands -------------------------------------------------------------------------------------


def test_cancelling_a_task_abandons_what_it_awaits() -> None:
    async def body(b: Body) -> str:
        task = asyncio.ensure_future(got(step(b, "slow")))
        other = asyncio.ensure_future(got(call(b, "slow")))
        await asyncio.sleep(1)
        task.cancel()
        other.cancel()
        await asyncio.sleep(1)
        return "done"

    world = World(body)
    world.deliver()
    world.fire(min(world.timers))
    world.deliver()
    assert ["0:1"] == [path for output in world.outputs for path in output.abandon]
    assert ["0:2"] == world.cancelled_calls
    world.crash()
    assert {} == world.steps  # a replay does not start the cancelled step again
    assert "done" == result_of(world)


def test_the_recorded_result_of_a_cancelled_step_is_reused_in_attempt_2() -> None:
    async def body(b: Body) -> Any:
        try:
            async with asyncio.timeout(1):
                return await got(step(b, "slow"))
        except TimeoutError:
            if b.attempt == 1:
                await step(b, "wait")
            raise

    world = World(body)
    world.deliver()
    world.fire("0:1")
    world.deliver()
    world.end_step("0:2")
    world.deliver()
    world.end_step("0:3")
    world.deliver()
    assert world.finish is not None
    assert world.finish.failure is not None
    world.next_attempt(world.finish.failure)
    assert "slow" == result_of(world)
    assert 2 == len(world.started)
    assert any(isinstance(r.entry, CommandReused) for r in world.entries)


def test_a_cancelled_branch_cleans_up_before_its_future_is_done() -> None:
    order: list[str] = []

    async def body(b: Body) -> None:
        async def part() -> Payload:
            try:
                await call(b, "slow")
            finally:
                await step(b, "cleanup")
                order.append("cleaned")
            return payload(None)

        branch = b.branch("part", digest(1), part)
        await asyncio.sleep(0)
        branch.cancel()
        try:
            await branch
        except asyncio.CancelledError:
            order.append("cancelled")

    World(body).run()
    assert ["cleaned", "cancelled"] == order


def test_a_branch_that_is_cancelled_before_it_ran_is_cancelled() -> None:
    async def body(b: Body) -> bool:
        async def part() -> Payload:
            raise AssertionError("ran")

        branch = b.branch("part", digest(1), part)
        branch.cancel()
        await asyncio.wait([branch])
        return branch.cancelled()

    assert result_of(World(body))


def test_an_exception_that_leaves_a_branch_is_its_failure() -> None:
    async def body(b: Body) -> Any:
        async def part() -> Payload:
            raise ValueError("no")

        outcome = await b.branch("part", digest(1), part)
        assert isinstance(outcome, Failure)
        return outcome.message

    assert "no" == result_of(World(body))


def test_the_scope_inside_a_branch_is_its_key_in_its_children_too() -> None:
    async def body(b: Body) -> Any:
        async def inner() -> bytes:
            return b.scope

        async def part() -> Payload:
            scopes = {b.scope, await asyncio.ensure_future(inner()), branch.key}
            return payload(len(scopes))

        branch = b.branch("part", digest(1), part)
        assert b.scope == b.key_base
        return await got(branch)

    assert 1 == result_of(World(body))


def test_retries_of_a_step_go_through_the_journal() -> None:
    async def body(b: Body) -> Any:
        return await got(step(b, "flaky"))

    world = World(body, retries={"flaky": 2})
    assert "flaky" == result_of(world)
    assert 3 == len(world.started)


def test_max_concurrent_steps_bounds_what_runs() -> None:
    async def body(b: Body) -> int:
        return len(await asyncio.gather(*(step(b, "s", n) for n in range(7))))

    options = dataclasses.replace(OPTIONS, max_concurrent_steps=2)
    world = World(body, options=options)
    most = 0
    while world.finish is None:
        most = max(most, len(world.steps))
        assert world.turn()
    assert 2 == most


# --- replay, mismatch, tear-down ------------------------------------------------------------------


def test_a_mismatch_names_the_line_and_writes_nothing() -> None:
    async def body(b: Body) -> None:
        await step(b, "other")  # here

    history = History().attempt().step("0:1", "fetch", result=payload(1))
    world = World(body, entries=history.entries)
    assert world.blocked is not None
    assert "recorded:  step 'fetch'" in world.blocked
    assert f"{__file__}:" in world.blocked
    assert [] == world.started
    assert history.entries == world.entries
    assert world.driver.blocked


def test_a_mismatch_of_a_non_deterministic_body_fails_the_attempt() -> None:
    async def body(b: Body) -> None:
        b.state_set("a", payload(1))
        await step(b, "other")

    history = History().attempt().step("0:1", "fetch", result=payload(1))
    options = dataclasses.replace(OPTIONS, deterministic=False)
    world = World(body, entries=history.entries, options=options)
    assert world.finish is not None
    assert world.finish.failure is not None
    assert "JournalMismatchError" == world.finish.failure.type_name
    assert world.finish.failure.retryable
    assert () == world.finish.writes


def test_is_replaying_until_the_last_recorded_entry() -> None:
    seen = []

    async def body(b: Body) -> None:
        for name in ("a", "b", "c"):
            seen.append(b.is_replaying)
            await step(b, name)

    history = History().attempt().step("0:1", "a", result=payload(1))
    World(body, entries=history.entries)
    assert [True, False] == seen


def test_eviction_unwinds_all_tasks_and_records_nothing() -> None:
    seen: list[str] = []

    async def body(b: Body) -> None:
        async def child() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                seen.append("child")

        task = asyncio.ensure_future(child())
        try:
            assert not task.done()
            await call(b, "slow")
        except Exception:
            seen.append("caught")
        finally:
            try:
                step(b, "cleanup")
            except TornDown:
                seen.append("refused")
                raise

    world = World(body)
    driver = world.driver
    driver.evict()
    driver.evict()
    assert ["child", "refused"] == sorted(seen)
    output = driver.advance()
    assert ([], [], []) == (output.messages, output.start, output.abandon)
    driver.step_finished("0:9", payload(1))
    assert driver.closed


def test_the_context_is_refused_outside_of_its_body() -> None:
    async def body(b: Body) -> None:
        await call(b, "slow")

    world = World(body)
    assert world.driver.body is not None
    with pytest.raises(Exception, match="outside of its body"):
        world.driver.body.step("x", b"", None)


def test_an_async_generators_finalizer_may_issue_no_command() -> None:
    errors: list[str] = []

    async def body(b: Body) -> str:
        async def numbers() -> Any:
            try:
                yield 1
                yield 2
            finally:
                try:
                    b.state_set("a", payload(1))
                except Exception as error:
                    errors.append(str(error))
                await step(b, "cleanup")

        async for _ in numbers():
            break
        await asyncio.sleep(1)
        return "done"

    world = World(body)
    assert "done" == result_of(world)
    assert "may not write state" in errors[0]
    assert [] == world.started


def test_attempt_2_reuses_what_succeeded_and_keeps_the_state() -> None:
    async def body(b: Body) -> Any:
        count = b.state_get("count")
        tries = 1 + (value_of(count) if count else 0)
        b.state_set("count", payload(tries))
        await step(b, "transform")
        await call(b, "load")
        if tries < 3:
            raise ValueError("again")
        return tries

    world = World(body)
    for _ in range(2):
        failed = world.run().failure
        assert failed is not None
        world.next_attempt(failed)
        # The last writes of an attempt are in its end; this world has recorded them with commands.
    assert 3 == result_of(world)
    assert ["0:1"] == world.started


def test_the_first_advance_may_deliver_in_portions() -> None:
    async def body(b: Body) -> int:
        for _ in range(10):
            await step(b, "s")
        return 10

    history = History().attempt()
    for ordinal in range(1, 11):
        history.step(f"0:{ordinal}", "s", occurrence=ordinal, result=payload(1))
    driver = Driver(history.activate(), body, OPTIONS)
    portions = 0
    output = driver.advance(max_deliveries=3)
    while output.more:
        assert not output.messages
        portions += 1
        output = driver.advance(max_deliveries=3)
    assert 3 == portions
    assert driver.ended


def test_cached_says_where_the_worker_is() -> None:
    async def body(b: Body) -> None:
        await asyncio.gather(step(b, "s"), call(b, "c"))

    world = World(body)
    world.deliver()
    cached = world.driver.cached()
    assert (1, 2, 1) == (cached.attempt, cached.last_index, cached.acknowledged)
