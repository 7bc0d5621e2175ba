"""`ctx.state` and progress: writes ride with commands (semantics, 2, 3 and 5)."""

from __future__ import annotations

import pytest

from perdure_runtime.core.entries import CallIssued, StateWritten, StepCompleted
from perdure_runtime.core.errors import JournalMismatchError
from perdure_runtime.core.messages import Finish, Progress
from perdure_runtime.core.outbox import Outcome
from perdure_runtime.testing.history import History, payload, writes
from tests.unit.machine_driving import Desk


def test_writes_ride_with_the_next_command() -> None:
    desk = Desk(History().attempt())
    desk.machine.writes.write("a", payload(1))
    desk.call("0:1", "f")
    sent = desk.sent()
    assert isinstance(sent[0], CallIssued)
    assert writes(a=1) == sent[0].writes


def test_writes_without_a_command_go_alone() -> None:
    desk = Desk(History().attempt())
    desk.machine.writes.write("a", payload(1))
    desk.machine.writes.write("b", None)
    assert (StateWritten(writes(a=1, b=None)),) == desk.sent()
    assert () == desk.sent()


def test_writes_wait_for_the_result_of_a_running_step() -> None:
    desk = Desk(History().attempt())
    desk.machine.writes.write("a", payload(1))
    desk.step("0:1", "f")
    assert () == desk.sent()
    desk.machine.commands.step_finished("0:1", payload(1), None)
    completed = desk.sent()[0]
    assert isinstance(completed, StepCompleted)
    assert writes(a=1) == completed.writes


def test_a_checkpoint_interval_lets_writes_wait() -> None:
    history = History().attempt()
    for path in ("0:1", "0:2", "0:3"):
        history.call(path, "f")
    desk = Desk(history, checkpoint_interval=3)
    for path in ("0:1", "0:2", "0:3"):
        desk.call(path, "f")
    desk.flush()
    desk.machine.writes.write("a", payload(1))
    sent = []
    for path in ("0:1", "0:2", "0:3"):
        history = History().attempt().called(path, payload(1))
        desk.news(history.entries[-1].entry)
        sent.append(desk.sent())
    assert [(), (StateWritten(writes(a=1)),), ()] == sent


def test_finish_flushes_the_writes() -> None:
    desk = Desk(History().attempt(), checkpoint_interval=100)
    desk.machine.writes.write("a", payload(1))
    desk.flush()
    desk.machine.body_ended()
    messages = desk.machine.finish(Outcome(result=payload(1)))
    assert [Finish(7, 0, 1, payload(1), writes=writes(a=1))] == messages


def test_a_replay_does_not_send_recorded_writes_again() -> None:
    history = History().attempt().written(a=1).call("0:1", "f", written=writes(b=2))
    desk = Desk(history)
    desk.machine.writes.write("a", payload(1))
    desk.machine.writes.write("b", payload(2))
    desk.machine.writes.write("c", payload(3))
    desk.call("0:1", "f")
    assert (StateWritten(writes(c=3)),) == desk.sent()


def test_state_starts_with_what_it_held_at_the_end_of_the_last_attempt() -> None:
    history = History().attempt().step("0:1", "f", result=payload(1), written=writes(a=1, b=2))
    history.attempt_failed(writes(a=5, b=None)).attempt()
    assert {"a": payload(5)} == Desk(history).machine.writes.state


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"a": 2}, "attempted: set 'a' to b'2'"),
        ({"b": 1}, "attempted: set 'b' to b'1'"),
        ({"a": None}, "attempted: delete 'a'"),
        ({}, "attempted: no further write"),
    ],
)
def test_another_write_than_recorded_is_a_mismatch(made: dict[str, object], message: str) -> None:
    desk = Desk(History().attempt().written(a=1))
    for key, value in made.items():
        desk.machine.writes.write(key, None if value is None else payload(value))
    with pytest.raises(JournalMismatchError) as caught:
        desk.deliver()
    assert "recorded:  set 'a' to b'1'" in str(caught.value)
    assert message in str(caught.value)


def test_hidden_keys_are_not_shown() -> None:
    desk = Desk(History().attempt())
    desk.machine.writes.write("\0ours", payload(1))
    desk.machine.writes.write("a", payload(1))
    assert ["a"] == desk.machine.writes.keys()


def test_progress_is_coalesced_monotone_and_silent_on_replay() -> None:
    history = History().attempt().step("0:1", "f", result=payload(1))
    desk = Desk(history)
    desk.step("0:1", "f")
    desk.machine.note_progress(Progress(1))  # replayed: nobody needs to hear it alone
    desk.deliver()
    desk.call("0:2", "g")
    append = desk.flush()
    assert append is not None
    assert Progress(1) == append.progress
    for done in (3, 5, 4):
        desk.machine.note_progress(Progress(done))
    append = desk.flush()
    assert append is not None
    assert ((), Progress(5)) == (append.commands, append.progress)
    assert desk.flush() is None
