"""The pytest plugin, seen from pytest runs of its own, under every runner of coroutines."""

from __future__ import annotations

from importlib.metadata import entry_points
from textwrap import dedent

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "perdure.testing.plugin"
APP = dedent(
    """
    from typing import Any
    import asyncio, time
    import pytest
    import perdure
    from perdure import DurableContext, durable

    @durable.function(max_retries=0)
    async def order(ctx: DurableContext, data: dict[str, Any]) -> dict[str, Any]:
        stock = await ctx.call("inventory", "check", data)
        await ctx.sleep(24 * 3600)
        paid = await ctx.call("payment", "charge", {"amount": 5})
        return {"stock": stock, "paid": paid}
    """
)


def run(pytester: pytest.Pytester, source: str, *args: str) -> pytest.RunResult:
    """A pytest run in a process of its own; what is installed may hold the entry point or not."""
    pytester.makepyfile(test_user=APP + dedent(source))
    installed = any(each.value == PLUGIN for each in entry_points(group="pytest11"))
    load = () if installed else ("-p", PLUGIN)
    pytester.makeini("[pytest]\nfilterwarnings =\n    error\n    ignore:The configuration option")
    return pytester.runpytest_subprocess(*load, "--strict-markers", *args)


RUNNERS = {
    "auto": ("-o", "asyncio_mode=auto"),
    "strict": ("-o", "asyncio_mode=strict"),
    "nobody": ("-p", "no:asyncio", "-p", "no:anyio"),
}
"""Who runs coroutines; in strict mode nobody runs those without pytest-asyncio's own marker."""

ORDER = """
    async def test_order(runtime, clock):
        inventory = runtime.stub("inventory", check=lambda data: {"ok": True, **data})
        payment = runtime.stub("payment", charge={"paid": True})
        handle = await order.start({"item": 1})
        await clock.advance(hours=23)
        assert inventory.check.calls == [{"item": 1}]
        assert payment.charge.count == 0
        await clock.advance(hours=1)
        assert payment.charge.count == 1
        assert await handle.result() == {"stock": {"ok": True, "item": 1}, "paid": {"paid": True}}
    """


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_durable_sleep_of_a_day_ends_when_the_clock_says_so(
    pytester: pytest.Pytester, runner: str
) -> None:
    run(pytester, ORDER, *RUNNERS[runner]).assert_outcomes(passed=1)


def test_it_runs_beside_the_marker_of_pytest_asyncio_in_strict_mode(
    pytester: pytest.Pytester,
) -> None:
    marked = "\n@pytest.mark.asyncio" + dedent(ORDER)
    run(pytester, marked, *RUNNERS["strict"]).assert_outcomes(passed=1)


def test_time_jumps_to_the_next_timer_when_a_test_without_the_clock_only_waits(
    pytester: pytest.Pytester,
) -> None:
    source = """
        @pytest.mark.perdure
        async def test_direct_call(runtime):
            runtime.stub("inventory", check=1)
            runtime.stub("payment", charge=2)
            began = runtime.clock.now()
            assert await order({}) == {"stock": 1, "paid": 2}
            assert (runtime.clock.now() - began).days == 1
        """
    run(pytester, source).assert_outcomes(passed=1)


@pytest.mark.parametrize("suspend", [False, True])
def test_every_entry_runs_the_test_again_with_a_crash_at_every_journal_write(
    pytester: pytest.Pytester, suspend: bool
) -> None:
    source = f"""
        runs = []

        @pytest.mark.perdure(crash="every-entry", always_suspend={suspend})
        async def test_order(runtime):
            runs.append(1)
            stock = runtime.stub("inventory", check=1)
            runtime.stub("payment", charge=2)
            assert await order({{}}) == {{"stock": 1, "paid": 2}}
            assert stock.check.count == 1

        def test_count():
            # created, call, its start and end, timer, its end, call, its start and end, the end;
            # some of these are one write. Twice each, a run without, one that finds no more.
            assert len(runs) > 2 * 6
            assert len(runs) % 2 == 1
        """
    run(pytester, source).assert_outcomes(passed=2)


def test_a_failure_after_a_crash_says_where_it_crashed(pytester: pytest.Pytester) -> None:
    source = """
        runs = []

        @pytest.mark.perdure(crash="every-entry")
        async def test_order(runtime):
            runs.append(1)
            runtime.stub("inventory", check=1)
            runtime.stub("payment", charge=2)
            await order({})
            assert len(runs) < 5
        """
    result = run(pytester, source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a run that crashed after journal write 2;*crash=2*"])


def test_a_result_that_a_crash_changes_fails_the_test(pytester: pytest.Pytester) -> None:
    """What a handler gives is not recorded yet when the crash comes, and it gives another value."""
    source = """
        answers = [0]

        def changing(data):
            answers[0] += 1
            return answers[0]

        @pytest.mark.perdure(crash="every-entry")
        async def test_order(runtime):
            answers[0] = 0
            runtime.stub("inventory", check=changing)
            runtime.stub("payment", charge=2)
            await order({})
        """
    result = run(pytester, source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*CrashChangedResult: execution-1*"])


def test_an_unknown_service_fails_at_once(pytester: pytest.Pytester) -> None:
    source = """
        async def test_unknown(runtime, clock):
            runtime.stub("inventory_service", check=1)
            handle = await order.start({})
            with pytest.raises(perdure.ExecutionFailed, match="did you mean 'inventory_service'"):
                await handle.result()
            assert (await handle.describe()).error.startswith("ServiceUnavailableError")

        async def test_unknown_method(runtime, clock):
            runtime.stub("inventory", chek=1)
            handle = await order.start({})
            with pytest.raises(perdure.ExecutionFailed, match="did you mean 'chek'"):
                await handle.result()
        """
    run(pytester, source).assert_outcomes(passed=2)


def test_what_fixtures_stub_is_there_in_every_run_and_counts_anew(
    pytester: pytest.Pytester,
) -> None:
    source = """
        @pytest.fixture
        def shop(runtime):
            runtime.stub("payment", charge=2)
            return runtime.stub("inventory", check=1)

        @pytest.mark.perdure(crash="every-entry")
        async def test_order(shop):
            await order({})
            assert shop.check.count == 1
        """
    run(pytester, source).assert_outcomes(passed=1)


def test_backoffs_and_timeouts_run_in_virtual_time(pytester: pytest.Pytester) -> None:
    source = """
        @durable.function(max_retries=3, retry_delay=3600, timeout=100)
        async def hangs(ctx):
            await asyncio.get_running_loop().create_future()

        async def test_timeout(runtime, clock):
            handle = await hangs.start()
            await clock.advance(seconds=99)
            assert (await handle.describe()).attempt == 1
            await clock.advance(seconds=1)
            await clock.advance(days=2)
            with pytest.raises(perdure.ExecutionTimedOut):
                await handle.result()
            assert (await handle.describe()).attempt == 4
        """
    run(pytester, source).assert_outcomes(passed=1)


def test_wrong_use_is_told(pytester: pytest.Pytester) -> None:
    source = """
        def test_sync(runtime): ...

        @pytest.mark.perdure(crashes="every-entry")
        async def test_unknown_option(runtime): ...

        @pytest.mark.perdure(crash="sometimes")
        async def test_unknown_crash(runtime): ...

        async def test_back(runtime, clock):
            with pytest.raises(perdure.PerdureError, match="time does not go back"):
                await clock.advance(-1)
        """
    result = run(pytester, source)
    result.assert_outcomes(passed=1, errors=3)
    result.stdout.fnmatch_lines(["*is for `async def` tests*", "*has no crashes;*"])


def test_the_plugin_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = f"import sys, pytest, {PLUGIN}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint(
        {"grpc", "google", "msgspec", "perdure_runtime", "perdure_coordinator"}
    )
