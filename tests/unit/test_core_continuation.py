"""Runs that continue as new, in the coordinator: nothing of the run before counts any more."""

from __future__ import annotations

from perdure_runtime.core.effects import CancelChild, CompleteCall, Ended, Enqueue
from perdure_runtime.core.entries import ExecutionContinued, ExecutionCreated, StateWrite
from perdure_runtime.core.ids import ExecutionKey, ParentLink, root_key_base
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Finish
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.requests import finish
from tests.unit.core_history import KEY, RETRIED, History, call, step

NEXT = Payload(b"2", digest=b"n" * 16)
STATE = (StateWrite("seen", Payload(b"1")),)


def continues(history: History, consumed: int | None = None) -> History:
    """The body continues as new."""
    execution = history.execution
    last = execution.length - 1 if consumed is None else consumed
    request = Finish(execution.epoch, execution.commands, last, continue_input=NEXT, state=STATE)
    return history.did(finish(execution, request, history.now_ms, 0.5, event_sequence=9))


def test_the_next_run_begins_behind_the_last_with_its_own_key_base_and_the_state() -> None:
    history = continues(History().grant().append(step("0:1")))
    ended, begun = history.new
    assert ExecutionContinued() == ended
    assert isinstance(begun, ExecutionCreated)
    assert (2, NEXT, STATE, 9) == (begun.run, begun.input, begun.writes, begun.event_sequence)
    assert root_key_base(KEY, 2) == begun.key_base
    execution = history.execution
    assert (2, 0, execution.length - 1) == (
        execution.row.run,
        execution.row.attempt,
        execution.row.run_index,
    )
    assert history.status is Status.QUEUED
    assert history.effects(Enqueue)
    assert not history.effects(Ended)
    assert not history.effects(CompleteCall)


def test_the_runs_of_a_child_that_is_made_again_have_the_same_keys() -> None:
    """Found by simulation: attempt 2 of the caller makes another child of the same call."""
    bases = []
    for attempt in (1, 2):
        parent = ParentLink(ExecutionKey("default", "caller"), 1, attempt, "0:1")
        key = ExecutionKey("default", f"child-{attempt}")
        history = History(key=key, parent=parent, key_base=b"k" * 16)
        for _ in range(2):
            continues(history.grant())
            (begun,) = [entry for entry in history.new if isinstance(entry, ExecutionCreated)]
            bases.append(begun.key_base)
    assert bases[:2] == bases[2:]
    assert len(set(bases)) == 2


def test_attempts_and_retries_count_anew() -> None:
    history = continues(History().grant(RETRIED))
    history.grant(RETRIED)
    assert 1 == history.execution.attempt
    assert 0 == history.execution.commands
    assert 2 == history.execution.row.run


def test_open_calls_are_cancelled_and_their_completions_dropped() -> None:
    history = continues(History().grant().append(call("0:1")))
    assert 1 == len(history.effects(CancelChild))
    length = history.execution.length
    history.complete_call("0:1", run=1)
    assert length == history.execution.length
    assert not history.execution.calls


def test_a_cancel_that_the_body_has_not_seen_ends_the_execution_all_the_same() -> None:
    history = History().grant()
    history.cancel()
    continues(history, consumed=1)
    assert history.status is Status.CANCELLED


def test_the_input_of_the_first_run_decides_who_attaches() -> None:
    history = History().grant()
    digest = history.execution.row.input_digest
    assert digest == continues(history).execution.row.input_digest
