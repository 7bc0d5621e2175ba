"""Counts what was tried and what was broken on purpose, for each test that runs.

Every run counts; `--prove` prints the table of promises at its end. Tests that look at many cases,
or hurt something in ways that are not seen from here, say so with `tried`.
"""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.proof.promises import METHODS, PROMISES, Method

_CASES: Final = "cases"
_VIOLATIONS: Final = "violations"
_now: Counter[str] = Counter()  # of the test that runs
_by_method: dict[str, Counter[str]] = {method.name: Counter() for method in METHODS}
_notes: list[str] = []


def tried(*, cases: int = 0, faults: int = 0, note: str = "") -> None:
    """The running test has looked at so many more cases and injected so many faults.

    Args:
        note: a line for the end of the table, such as the seeds.
    """
    _now[_CASES] += cases
    _now["faults"] += faults
    if note:
        _notes.append(note)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--prove`."""
    parser.addoption("--prove", action="store_true", help="print the table of promises")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Attribute what happens to the test's method."""
    _now.clear()
    _watch_the_kit()
    method = _method_of(item.nodeid)
    failed = True
    try:
        result = yield
        failed = False
        return result
    except pytest.skip.Exception:
        failed = False
        raise
    finally:
        if method is not None:
            if not _now[_CASES]:
                _now[_CASES] = 1
            _now[_VIOLATIONS] += failed
            _by_method[method.name].update(_now)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table."""
    if not config.getoption("--prove"):
        return
    write = terminalreporter.write_line
    write("")
    write(f"{'':4} {'method':40} {'cases':>7} {'faults':>7} {'violations':>10}")
    for promise, text in PROMISES.items():
        write(f"{promise:4} {text}", bold=True)
        for method in METHODS:
            counts = _by_method[method.name]
            if promise in method.promises and counts[_CASES]:
                write(
                    f"{'':4} {method.name:40} {counts[_CASES]:7,} {counts['faults']:7,} "
                    f"{counts[_VIOLATIONS]:10}"
                )
    total = sum((_by_method[method.name] for method in METHODS), Counter[str]())
    write(
        f"{'all':4} {'(each case counted once)':40} {total[_CASES]:7,} {total['faults']:7,} "
        f"{total[_VIOLATIONS]:10}"
    )
    for note in _notes:
        write(note)


def _method_of(nodeid: str) -> Method | None:
    path = nodeid.partition("::")[0].removeprefix("tests/")
    for method in METHODS:
        if any(path == place or path.startswith(f"{place}/") for place in method.paths):
            return method
    return None


def _watch_the_kit() -> None:
    """Count what the testing kit kills; it is imported by the tests, not by this."""
    kit = sys.modules.get("perdure._compose.kit")
    coordinator = getattr(kit, "KitCoordinator", None)
    if coordinator is None or hasattr(coordinator.kill, "__wrapped__"):
        return
    kill = coordinator.kill

    @functools.wraps(kill)
    def counted(*args: Any, **options: Any) -> Any:
        _now["faults"] += 1
        return kill(*args, **options)

    coordinator.kill = counted
