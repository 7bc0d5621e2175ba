"""All pairs of the transition table, against the published one and against what requests do."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.lifecycle import TRANSITIONS, Status, is_end, transition

SPEC = Path(__file__).parents[2] / "proto" / "spec" / "lifecycle.md"


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Status, Status)))
def test_every_pair_is_allowed_or_refused_by_name(before: Status, after: Status) -> None:
    if before is after or after in TRANSITIONS[before]:
        assert transition(before, after) is after
        return
    with pytest.raises(InvalidTransitionError) as refused:
        transition(before, after, "execution 'a'")
    assert str(refused.value) == f"execution 'a' is {before.value}: it cannot become {after.value}"


def test_the_published_table_is_the_engines() -> None:
    table = SPEC.read_text().partition("| status | meaning |")[0]
    rows = re.findall(r"^\| ([a-z_]+) \| ([a-z_, ]+) \|$", table, re.MULTILINE)
    published = {
        name: set() if after == "nothing" else set(after.split(", "))
        for name, after in rows
        if name != "status"
    }
    assert published == {
        before.value: {status.value for status in after} for before, after in TRANSITIONS.items()
    }


def test_only_a_retry_leaves_an_end() -> None:
    ends = {status for status in Status if is_end(status)}
    assert ends == {Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT}
    for end in ends:
        assert TRANSITIONS[end] <= {Status.QUEUED, Status.SCHEDULED}


def test_every_status_can_still_be_cancelled() -> None:
    for status in Status:
        assert is_end(status) or Status.CANCELLED in TRANSITIONS[status]
