"""The pytest plugin: fixtures `runtime` and `clock`, and the marker `perdure`.

Loaded by every pytest run of an environment that holds Perdure, so it imports nothing of it until
a test asks. It opens the runtime inside of the test's own coroutine: whoever runs that one
(pytest-asyncio in either mode, anyio, or this plugin where there is nobody) gives the loop.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from perdure.testing.clock import VirtualClock
    from perdure.testing.runtime import MemoryRuntime

_MARKER = (
    "perdure(crash=None, always_suspend=False, auto_advance=None, start=None, patience=1.0): "
    'run a test in memory; crash="every-entry" runs it again with a crash of coordinator and '
    "worker before and after every journal write, crash=N only at the N-th; always_suspend replays "
    "at every await; auto_advance lets time jump to the next timer while the test only waits "
    "(default: unless it uses the fixture clock); start is the time at which the clock begins; "
    "patience is for how many real seconds the clock waits for running steps"
)


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def runtime(request: pytest.FixtureRequest) -> MemoryRuntime:
    """A Perdure in memory: `runtime.client`, `runtime.stub(...)`, `runtime.settle()`."""
    if not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        pytest.fail("the fixture `runtime` is for `async def` tests: it runs on the test's loop")
    return _runtime_of(request.node)


@pytest.fixture
def clock(runtime: MemoryRuntime) -> VirtualClock:
    """The clock of `runtime`; `await clock.advance(days=1)`."""
    return runtime.clock


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Open the runtime around the body of a test that asks for it."""
    if not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(item.obj):
        return
    wanted = item.get_closest_marker("perdure") is not None
    found = item.funcargs.get("runtime") if "runtime" in item.fixturenames else None
    if wanted or found is not None:
        from perdure.testing.runtime import MemoryRuntime

        if found is None or isinstance(found, MemoryRuntime):  # else a fixture of the user's
            item.obj = _in_runtime(item.obj, found or _runtime_of(item), _options(item))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Run the coroutine of such a test if nobody else does."""
    test = pyfuncitem.obj
    if not hasattr(test, "perdure_runtime") or not inspect.iscoroutinefunction(test):
        return None
    if pyfuncitem.get_closest_marker("anyio") is not None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(test(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def _options(item: pytest.Item) -> dict[str, Any]:
    """Keywords of all `perdure` markers of a test; the closest one counts."""
    options: dict[str, Any] = {}
    for marker in reversed([*item.iter_markers("perdure")]):
        options.update(_checked(item, **marker.kwargs))
        if marker.args:
            raise pytest.UsageError(f"{item.nodeid}: the marker perdure takes keywords only")
    return options


def _checked(item: pytest.Item, **keywords: Any) -> dict[str, Any]:
    known = {"crash", "always_suspend", "auto_advance", "start", "patience"}
    if unknown := sorted(keywords.keys() - known):
        raise pytest.UsageError(
            f"{item.nodeid}: the marker perdure has no {', '.join(unknown)}; it takes "
            f"{', '.join(sorted(known))}"
        )
    crash = keywords.get("crash")
    if crash not in (None, "every-entry") and not (type(crash) is int and crash > 0):
        raise pytest.UsageError(
            f'{item.nodeid}: crash={crash!r}; write "every-entry" or the number of a journal write'
        )
    return keywords


def _runtime_of(item: pytest.Item) -> MemoryRuntime:
    from datetime import datetime

    from perdure.testing.clock import START, VirtualClock
    from perdure.testing.runtime import MemoryRuntime

    options = _options(item)
    start = options.get("start") or START
    auto_advance = options.get("auto_advance")
    if auto_advance is None:
        auto_advance = "clock" not in getattr(item, "fixturenames", ())
    return MemoryRuntime(
        clock=VirtualClock(datetime.fromisoformat(start) if isinstance(start, str) else start),
        always_suspend=options.get("always_suspend", False),
        auto_advance=auto_advance,
        patience_s=options.get("patience", 1.0),
    )


def _in_runtime(
    test: Callable[..., Coroutine[Any, Any, Any]], runtime: MemoryRuntime, options: dict[str, Any]
) -> Callable[..., Coroutine[Any, Any, None]]:
    """The test with the runtime opened around it, and again for every crash."""

    @functools.wraps(test)
    async def wrapped(*args: Any, **kwargs: Any) -> None:
        from perdure.testing.crashes import run_with_crashes

        await run_with_crashes(lambda: test(*args, **kwargs), runtime, options.get("crash"))

    wrapped.perdure_runtime = runtime  # type: ignore[attr-defined]  # the mark for pyfunc_call
    return wrapped
