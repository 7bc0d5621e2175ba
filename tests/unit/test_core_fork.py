"""Forks (semantics, sections 1 and 8): what is copied, what is refused, and whose keys they use."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from perdure_runtime.core import requests
from perdure_runtime.core.effects import SetTimer
from perdure_runtime.core.entries import (
    AttemptStarted,
    CallIssued,
    CommandReused,
    Entry,
    ExecutionCreated,
    ExecutionEnded,
    Recorded,
    StateWritten,
    StepCompleted,
    StepFailed,
    Target,
    TimerFired,
    TimerStarted,
)
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError
from perdure_runtime.core.ids import ExecutionKey, root_key_base
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.machine import ReplayMachine
from perdure_runtime.core.requests.fork import (
    COMPLETES,
    OPENS,
    RUN,
    SIGNALS,
    STARTS_ANEW,
    WHOLE,
)
from perdure_runtime.core.rows import ExecutionRow, TimerKind
from perdure_runtime.testing.history import KEY, START_MS, TARGET, History, payload, writes
from tests.unit.core_history import FLOW, call, step
from tests.unit.core_history import History as Coordinator
from tests.unit.machine_driving import Desk

FORK = ExecutionKey("default", "fork-1")


def row(**fields: object) -> ExecutionRow:
    made = ExecutionRow(KEY, 0, TARGET, Status.FAILED, 1)
    return msgspec.structs.replace(made, **fields)


def copied(history: History, at: str) -> list[Recorded]:
    return requests.fork(row(), history.entries, at, FORK, START_MS + 10**6)[1]


def bodies(entries: list[Recorded]) -> list[Entry]:
    return [recorded.entry for recorded in entries[1:]]


def as_history(entries: list[Recorded]) -> History:
    history = History(key=FORK)
    history.entries = entries
    history.current_attempt = 1
    return history


def test_every_kind_of_entry_has_its_place_in_a_fork() -> None:
    placed = (*WHOLE, *OPENS, *COMPLETES, *RUN, *STARTS_ANEW, *SIGNALS)
    assert set(get_args(Entry)) == set(placed)
    assert len(placed) == len(set(placed))


def test_what_was_delivered_before_the_completion_is_copied_with_its_times() -> None:
    history = History().attempt().step("0:1", "a", result=payload(1)).timer("0:2").fired("0:2")
    history.step("0:3", "b", result=payload(2)).add(ExecutionEnded(Status.COMPLETED, payload(3)))
    entries = copied(history, "0:3")
    assert bodies(history.entries[:5]) == bodies(entries)
    assert [r.time_ms for r in history.entries[:5]] == [r.time_ms for r in entries]


def test_commands_without_a_completion_in_there_are_issued_anew() -> None:
    history = History().attempt().call("0:1", "open", written=writes(a=1)).timer("0:2")
    history.step_failed("0:3", "tried").fired("0:3").call("0:4", "done").called("0:4", payload(1))
    history.call("0:5", "sent", detached=True).step("0:6", "last", result=payload(2))
    kinds = [type(entry) for entry in bodies(copied(history, "0:6"))]
    calls = [e for e in bodies(copied(history, "0:6")) if isinstance(e, CallIssued)]
    names = [entry.target.method for entry in calls]
    assert ["done", "sent"] == names
    assert StateWritten in kinds, "writes that rode with a dropped command stay in their place"
    assert not {TimerStarted, TimerFired, StepFailed} & set(kinds), "a tried step starts anew"


def test_a_command_that_is_still_open_is_forked_at_the_end() -> None:
    history = History().attempt().step("0:1", "a", result=payload(1)).call("0:2", "f")
    assert 3 == len(copied(history, "0:2"))


def test_a_retried_step_completes_with_its_last_try() -> None:
    history = History().attempt().step_failed("0:1", "s").fired("0:1").step("0:2", "b")
    history.step("0:1", "s", result=payload(1), tries=2)
    assert ["b"] == [e.name for e in bodies(copied(history, "0:1")) if isinstance(e, StepCompleted)]


def test_the_last_attempt_that_has_the_path_is_forked_and_keeps_what_it_took_over() -> None:
    history = History().attempt().step("0:1", "a", result=payload(1), written=writes(a=1))
    history.step("0:2", "unused", result=payload(0), written=writes(b=1)).attempt_failed().attempt()
    history.reused("0:1", "step", "a", 2).step("0:2", "b", result=payload(2))
    entries = copied(history, "0:2")
    names = [type(entry).__name__ for entry in bodies(entries)]
    assert ["AttemptStarted", "StepCompleted", "StateWritten", "AttemptEnded"] == names[:4]
    reused = entries[-1].entry
    assert isinstance(reused, CommandReused)
    assert isinstance(entries[reused.source_index].entry, StepCompleted)
    assert [r.index for r in entries] == list(range(len(entries)))


def test_an_unknown_path_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="has no command"):
        copied(History().attempt(), "0:9")


def test_a_cancellation_is_not_copied() -> None:
    history = History().attempt().step("0:1", "a", result=payload(1)).cancel()
    history.step("0:2", "clean up", result=payload(1))
    assert 2 == len(copied(history, "0:1"))
    with pytest.raises(InvalidArgumentError, match="cancelled or had timed out"):
        copied(history, "0:2")


def test_a_method_of_an_object_cannot_be_forked() -> None:
    with pytest.raises(InvalidArgumentError, match="method of an object"):
        requests.fork(row(target=Target("s", "m", "k")), [], "0:1", FORK, 0)


def test_the_fork_is_queued_as_a_run_of_its_own_with_its_clocks_started() -> None:
    spec = msgspec.structs.replace(FLOW, attempt_timeout_ms=300)
    source = Coordinator(execution_timeout_ms=5_000).grant(spec)
    source.append(step("0:1"), call("0:2"))
    made, entries, decision = requests.fork(
        source.execution.row, source.entries, "0:2", FORK, 50_000
    )
    created = entries[0].entry
    assert isinstance(created, ExecutionCreated)
    assert created.forked is not None
    assert ("a", 1, "0:2") == (created.forked.id, created.forked.run, created.forked.path)
    assert (2, root_key_base(FORK, 2), None) == (created.run, created.key_base, created.parent)
    assert (Status.QUEUED, 2, 1) == (made.row.status, made.row.run, made.row.attempt)
    due = {e.kind: e.due_ms for e in decision.effects if isinstance(e, SetTimer)}
    assert {TimerKind.ATTEMPT: 50_300, TimerKind.EXECUTION: 55_000} == due


def machine_of(entries: list[Recorded], attempt: int) -> ReplayMachine:
    machine = ReplayMachine(FORK, 2, attempt, 7)
    machine.receive(entries, False)
    assert isinstance(machine.next_delivery(), AttemptStarted)
    return machine


def test_new_commands_of_a_fork_share_no_key_with_the_source() -> None:
    history = History().attempt().step("0:1", "a", result=payload(1))
    machine = machine_of(copied(history, "0:1"), 1)
    scope = root_key_base(FORK, 2)
    issued = machine.commands.issue("step", "0:1", scope, "a", payload(None).digest, None)
    assert not issued.reused
    assert issued.key != history.command_key("step", "a", payload(None).digest)


def test_a_later_attempt_of_a_fork_does_not_repeat_what_was_copied() -> None:
    history = History().attempt().step("0:1", "a", result=payload(1)).step("0:2", "b")
    fork = as_history(copied(history, "0:2")).attempt_failed().attempt()
    machine = machine_of(fork.entries, 2)
    scope = root_key_base(FORK, 2)
    digest = payload(None).digest
    assert machine.commands.issue("step", "0:1", scope, "a", digest, None).reused
    assert not machine.commands.issue("step", "0:2", scope, "a", digest, None).reused, "the second"
    assert not machine.commands.issue("step", "0:3", scope, "b", digest, None).reused


def test_a_compensation_in_the_copied_part_replays_and_counts() -> None:
    source = Desk(History().attempt().step("0:1", "a", result=payload(1)))
    source.machine.commands.forget("0:9", source.step("0:1", "a"))
    source.deliver_all()
    (written,) = source.sent()
    history = History().attempt().step("0:1", "a", result=payload(1)).add(written)
    history.step("0:2", "b", result=payload(2))
    entries = copied(history, "0:2")
    machine = machine_of(entries, 1)
    scope = root_key_base(FORK, 2)
    issued = machine.commands.issue("step", "0:1", scope, "a", payload(None).digest, None)
    machine.commands.forget("0:9", issued)
    assert machine.next_delivery() is issued
    assert machine.next_delivery() is None, "no mismatch: the same write is made again"
    again = machine_of(as_history(entries).attempt_failed().attempt().entries, 2)
    anew = again.commands.issue("step", "0:1", scope, "a", payload(None).digest, None)
    assert (1, False) == (anew.generation, anew.reused)
