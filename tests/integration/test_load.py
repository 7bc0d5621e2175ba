"""Much of everything, scaled to what CI has time for; `make load` runs it whole.

Overload and readers that stop reading are in `test_overload`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration import load

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]


async def test_timers_at_one_instant(tmp_path: Path) -> None:
    await load.timers_at_one_instant(tmp_path, 1_500, 8.0)


async def test_waiting_executions(tmp_path: Path) -> None:
    await load.waiting_executions(tmp_path, 3_000, restart_within_s=10.0)


async def test_duplicate_starts(tmp_path: Path) -> None:
    await load.duplicate_starts(tmp_path, 100)


async def test_a_long_journal_costs_no_more_at_its_end(tmp_path: Path) -> None:
    await load.long_journal(tmp_path, 3_000, 300, ratio=3.0)


async def test_a_slow_consumer(tmp_path: Path) -> None:
    await load.slow_consumer(tmp_path, 2_000)
