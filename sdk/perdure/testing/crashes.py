"""Runs of a test with a crash at each journal write, compared with the run without one.

Exhaustive, not random: the n-th run crashes at the n-th write, until a run has fewer writes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import count
from typing import TYPE_CHECKING, Any

from perdure.testing.runtime import MemoryRuntime, RunReport, difference

if TYPE_CHECKING:
    from perdure._compose.kit import CrashPoint

Test = Callable[[], Coroutine[Any, Any, object]]


class CrashChangedResult(AssertionError):
    """An execution ended in another way because coordinator and worker had crashed."""


async def run_with_crashes(test: Test, runtime: MemoryRuntime, crash: str | int | None) -> int:
    """Run a test; then, if `crash` says so, again with crashes. Returns how often it crashed.

    Args:
        crash: "every-entry", or the number of the only journal write to crash at.

    Raises:
        CrashChangedResult: outcomes differ from those of the run without a crash.
        what the test raises, with a note on where that run had crashed.
    """
    calm = await _run(test, runtime, None)
    if crash is None:
        return 0
    from perdure._compose.kit import CrashPoint

    crashes = 0
    for write in count(1) if crash == "every-entry" else (int(crash),):
        before = crashes
        for recorded in (False, True):
            point = CrashPoint(write, recorded)
            report = await _run(test, runtime, point)
            crashes += report.crashes
            if report.crashes and (text := difference(calm, report)):
                raise _noted(CrashChangedResult(text), point)
        if crashes == before:
            break
    return crashes


async def _run(test: Test, runtime: MemoryRuntime, point: CrashPoint | None) -> RunReport:
    async with runtime.opened(point):
        try:
            await test()
        except BaseException as error:
            if point is not None:
                _noted(error, point)
            raise
        return await runtime.report()


def _noted(error: BaseException, point: CrashPoint) -> BaseException:
    error.add_note(
        f"in a run that crashed {point}; @pytest.mark.perdure(crash={point.write}) runs only this"
    )
    return error
