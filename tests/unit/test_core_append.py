"""Appends: what is new, what is acknowledged, when an execution suspends."""

from __future__ import annotations

from typing import Any

import pytest

from perdure_runtime.core.effects import Acknowledge, CancelChild, ClearTimer, SetTimer, StartChild
from perdure_runtime.core.entries import Command, StepFailed, TimerStarted
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_DUE_MS
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import Failure
from perdure_runtime.core.rows import TimerKind
from tests.unit.core_history import BOOM, History, address, call, step


def failed(path: str, failure: Failure = BOOM, delay_ms: int = 100) -> StepFailed:
    return StepFailed(path, "s", b"d" * 16, b"k" * 16, failure, 1, delay_ms)


def test_commands_are_recorded_in_order_and_acknowledged_at_once() -> None:
    history = History().grant().append(step("0:1"), step("0:2"))
    assert [step("0:1"), step("0:2")] == history.new
    assert [Acknowledge(2)] == history.last.effects
    assert history.status is Status.RUNNING


def test_what_is_recorded_already_is_not_recorded_again() -> None:
    history = History().grant().append(step("0:1"), step("0:2"))
    history.append(step("0:2"), step("0:3"), base=1)
    assert [step("0:3")] == history.new
    assert [Acknowledge(1)] == history.last.effects
    assert [] == history.append(step("0:3"), base=2).new


def test_a_worker_that_skips_commands_is_refused() -> None:
    with pytest.raises(ProtocolError, match="only 0 are recorded"):
        History().grant().append(step("0:2"), base=1)


def test_a_relative_timer_is_due_at_acceptance_plus_delay() -> None:
    history = History().grant().append(TimerStarted("0:1", 50))
    assert [TimerStarted("0:1", 50, history.now_ms + 50)] == history.new
    assert [SetTimer(TimerKind.TIMER, "0:1", history.now_ms + 50)] == history.effects(SetTimer)


@pytest.mark.parametrize(("delay_ms", "due_ms"), [(-5, 1_000), (2**63 - 1, MAX_DUE_MS)])
def test_a_delay_is_never_negative_nor_beyond_what_a_store_holds(
    delay_ms: int, due_ms: int
) -> None:
    history = History().grant().append(TimerStarted("0:1", delay_ms))
    assert due_ms == history.execution.timers["0:1"]


def test_a_failed_try_waits_for_its_back_off() -> None:
    history = History().grant().append(failed("0:1"), idle=True)
    assert history.status is Status.SUSPENDED
    assert 100 == history.due_in(TimerKind.TIMER, "0:1")


def test_an_idle_worker_suspends_the_execution() -> None:
    history = History().grant().append(call("0:1"), idle=True)
    assert history.status is Status.SUSPENDED
    assert [StartChild(address("0:1"), call("0:1"))] == history.effects(StartChild)


def test_a_worker_that_is_idle_without_the_latest_news_has_work_to_do() -> None:
    history = History().grant().append(call("0:1"), TimerStarted("0:2", 1))
    before = history.execution.length - 1
    history.complete_call("0:1")
    assert history.append(idle=True, consumed=before).status is Status.RUNNING
    assert history.append(idle=True).status is Status.SUSPENDED


def test_a_step_result_on_its_way_back_keeps_the_execution_running() -> None:
    history = History().grant()
    consumed = history.execution.length - 1
    assert history.append(step("0:1"), idle=True, consumed=consumed).status is Status.RUNNING
    assert history.append(idle=True, consumed=consumed).status is Status.RUNNING
    assert history.append(idle=True).status is Status.SUSPENDED


def test_a_suspended_execution_whose_worker_is_busy_after_all_runs() -> None:
    assert History().grant().append(idle=True).append().status is Status.RUNNING


def test_progress_is_kept_in_the_row() -> None:
    history = History().grant().append(progress=Progress(1.0, 2.0))
    assert history.execution.row.progress == b'{"done":1.0,"total":2.0,"message":""}'


@pytest.mark.parametrize("together", [False, True])
def test_the_hint_that_nobody_awaits_a_call_cancels_its_child(together: bool) -> None:
    history = History().grant()
    commands: tuple[Command, ...] = (call("0:1"),)
    if not together:
        history.append(*commands)
        commands = ()
    history.append(*commands, cancel_calls=("0:1", "0:9"))
    expected = CancelChild(call_key("0:1"), address("0:1"), "the caller stopped waiting")
    assert [expected] == history.effects(CancelChild)
    assert (1, "0:1") in history.execution.calls, "it stays open until its child has ended"


def test_a_detached_call_is_not_cancelled_by_a_hint() -> None:
    history = History().grant().append(call("0:1", detached=True), cancel_calls=("0:1",))
    assert [] == history.effects(CancelChild)
    assert {} == history.execution.calls


def test_the_hint_that_nobody_awaits_a_timer_clears_it() -> None:
    history = History().grant().append(TimerStarted("0:1", 50), cancel_timers=("0:1",))
    assert [ClearTimer(TimerKind.TIMER, "0:1")] == history.effects(ClearTimer)
    assert {} == history.timers


@pytest.mark.parametrize(
    "command",
    [
        call("0:1", child_id="~00000000000000000000000000000000000"),
        call("0:1", attempt=2),
        call("0:1", child_id="line\nbreak"),
        call("0:1", child_id="x" * 256),
    ],
)
def test_a_child_id_that_is_not_the_calls_own_is_refused(command: Command) -> None:
    with pytest.raises(ProtocolError):
        History().grant().append(command)


def call_key(path: str) -> Any:
    history = History().grant().append(call(path))
    return history.execution.calls[1, path].child
