"""No kill at any fail point changes what any flow of the corpus does (see `enumeration`).

Here with bodies kept alive at all points, and with a replay at every await where replays are hit;
`python -m tests.crashpoints` runs everything in both ways.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from perdure_coordinator.engine.asking import Asking
from perdure_coordinator.engine.committer import Committer
from tests.crashpoints.corpus import CASES, Case
from tests.crashpoints.enumeration import draw_pairs, enumerate_points, replay
from tests.integration.telling import say
from tests.proof.counting import tried

PAIRS = 12
REPLAYED = [case for case in CASES if case.name != "tasks"]  # those have no body to replay
BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_no_kill_at_any_point_is_seen(case: Case) -> None:
    tally = await enumerate_points([case])
    say(f"{case.name}: {tally.faults} kills: {dict(tally.fired)}")
    tried(cases=tally.cases)
    assert not tally.violations, "\n".join(tally.violations)
    assert tally.faults >= 20


@pytest.mark.parametrize("case", REPLAYED, ids=lambda case: case.name)
async def test_no_kill_in_a_replay_is_seen(case: Case) -> None:
    tally = await enumerate_points([case], ["mid-replay", "timer-fired"], always_suspend=True)
    tried(cases=tally.cases)
    assert not tally.violations, "\n".join(tally.violations)
    assert tally.faults


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_no_two_kills_are_seen(case: Case) -> None:
    twice = 0
    for draw, always_suspend in ((Random(case.name), False), (Random(), False), (Random(), True)):
        tally = await draw_pairs(case, PAIRS, draw, always_suspend=always_suspend)
        tried(cases=tally.cases, faults=tally.faults)
        assert not tally.violations, "\n".join(tally.violations)
        twice += tally.fired["2 kills"]
    assert twice >= PAIRS // 4  # the others went another way after the first


async def test_a_worker_that_outlived_two_coordinators_is_there_when_its_work_is() -> None:
    """Else what is queued is refused in between: this service has no worker."""
    await replay("after", ("timer-fired", 2), ("before-commit", 1))


async def test_a_broken_engine_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "remember", lambda *_: None)
    tally = await enumerate_points([BY_NAME["control"]], ["after-commit-before-ack"])
    assert "only a paused or blocked one can be resumed" in "\n".join(tally.violations)


async def test_answers_that_leave_before_their_commit_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Committer._write

    async def hasty(self: Any, pending: Any) -> None:
        self._release(pending)
        pending.replies, pending.messages, pending.items = [], {}, {}
        await write(self, pending)

    monkeypatch.setattr(Committer, "_write", hasty)
    tally = await enumerate_points([BY_NAME["attempts"], BY_NAME["promise"]], ["before-commit"])
    assert tally.violations
