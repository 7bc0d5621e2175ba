"""What steps record of their own progress: what is ours, what is another worker's."""

from __future__ import annotations

import pytest

from perdure_runtime.core.checkpoints import Checkpoints
from perdure_runtime.core.entries import StepCheckpointed
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.payload import Payload

KEY = b"k" * 16
ONE, TWO = Payload(b"1"), Payload(b"2")


def test_what_was_made_here_is_told_when_it_is_recorded() -> None:
    checkpoints = Checkpoints()
    made = checkpoints.make("0:1", KEY, "done", ONE)
    assert {} == checkpoints.of(KEY)
    checkpoints.take_in(made, is_running=True)
    assert {"done": ONE} == checkpoints.of(KEY)
    assert [("0:1", 0)] == checkpoints.take_recorded()
    assert [] == checkpoints.take_recorded()


@pytest.mark.parametrize("value", [TWO, ONE])
@pytest.mark.parametrize("name", ["done", "other"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_step_that_runs_here_takes_no_checkpoint_of_another_worker(
    value: Payload, name: str, number: int
) -> None:
    checkpoints = Checkpoints()
    checkpoints.make("0:1", KEY, "done", ONE)
    theirs = StepCheckpointed("0:1", KEY, number, name, value)
    if (value, name, number) == (ONE, "done", 0):
        checkpoints.take_in(theirs, is_running=True)  # this run has got as far
        return
    with pytest.raises(ProtocolError, match="another worker has recorded checkpoint"):
        checkpoints.take_in(theirs, is_running=True)
    assert [] == checkpoints.take_recorded()


def test_a_step_that_has_not_begun_here_begins_with_all_there_is() -> None:
    checkpoints = Checkpoints()
    checkpoints.take_in(StepCheckpointed("0:1", KEY, 0, "done", ONE))
    checkpoints.take_in(StepCheckpointed("0:1", KEY, 1, "done", TWO))
    assert {"done": TWO} == checkpoints.of(KEY)
    assert 2 == checkpoints.make("0:1", KEY, "done", ONE).number
