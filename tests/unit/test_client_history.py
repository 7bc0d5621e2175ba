"""Journal entries and descriptions as people read them."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from perdure.client.history import HistoryEntry, history_entry
from perdure.client.query import execution_info, statuses_of
from perdure.errors import InvalidArgumentError
from perdure_runtime.core.client import Description
from perdure_runtime.core.dependencies import Dependency
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    AttemptTimedOut,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    CommandReused,
    DependencyChange,
    DependencyChanged,
    Entry,
    EventAwaited,
    EventReceived,
    EventSent,
    ExecutionContinued,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Forgotten,
    PatchDecided,
    Paused,
    PromiseCreated,
    PromiseSettled,
    Recorded,
    Resumed,
    StateWrite,
    StateWritten,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    Target,
    TaskMoved,
    TaskReported,
    TimerFired,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.tasks import TaskStatus, WorkerRef
from perdure_runtime.serde import TYPED_JSON

BOOM = Failure("ValueError", "boom")
ADA = WorkerRef("ada", "human", "Ada")
D, K = b"d" * 16, b"k" * 16
ONE = Payload(b"1")
TARGET = Target("orders", "process")

CASES: list[tuple[str, Entry]] = [
    ("run 1 of orders/process created", ExecutionCreated(TARGET, ONE, K)),
    ("execution completed", ExecutionEnded(Status.COMPLETED, ONE)),
    ("execution failed: ValueError: boom", ExecutionEnded(Status.FAILED, failure=BOOM)),
    ("execution timed_out: ValueError: boom", ExecutionEnded(Status.TIMED_OUT, failure=BOOM)),
    ("a new attempt was asked for", ExecutionRetried()),
    ("attempt 2 started", AttemptStarted(2)),
    ("attempt 1 failed: ValueError: boom", AttemptEnded(1, BOOM, 5)),
    ("attempt 1 timed out", AttemptTimedOut(1)),
    ("step charge completed", StepCompleted("0:0", "charge", D, K, ONE)),
    ("step charge completed after 3 tries", StepCompleted("0:0", "charge", D, K, ONE, tries=3)),
    ("step charge failed: ValueError: boom", StepCompleted("0:0", "charge", D, K, failure=BOOM)),
    (
        "try 1 of step charge failed: ValueError: boom; next in 1.5 s",
        StepFailed("0:0", "charge", D, K, BOOM, 1, 1_500),
    ),
    ("branch load completed", BranchCompleted("0:0", "load", D, K, ONE)),
    ("call of orders/process as ~1", CallIssued("0:0", TARGET, ONE, K, "~1")),
    ("sent to orders/process as ~1", CallIssued("0:0", TARGET, ONE, K, "~1", detached=True)),
    ("call completed", CallCompleted("0:0", 1, ONE)),
    ("call failed: ValueError: boom", CallCompleted("0:0", 1, failure=BOOM)),
    ("timer of 1.5 s started", TimerStarted("0:0", 1_500)),
    ("timer fired", TimerFired("0:0", 1)),
    ("step charge has the result of entry 4", CommandReused("0:0", "step", "charge", D, K, 4)),
    ("value emitted", ValueEmitted("0:1", ONE, K)),
    ("state written: a, b", StateWritten((StateWrite("a", ONE), StateWrite("b", None)))),
    ("step charge begins", StepStarted("0:0", "charge", D, K, 7)),
    ("checkpoint half", StepCheckpointed("0:0", K, 1, "half", ONE)),
    ("patch tax is in force", PatchDecided("tax")),
    ("charge is forgotten: a later attempt runs it anew", Forgotten("0:0", "charge", K)),
    ("value emitted", ValueEmitted("0:0", ONE, K)),
    ("the run continues as new", ExecutionContinued()),
    ("waits for event approval", EventAwaited("0:1", "approval", K)),
    ("waits for event approval for 1.5 s", EventAwaited("0:1", "approval", K, 1_500)),
    (
        "the wait for event approval takes entry 4",
        EventAwaited("0:1", "approval", K, source_index=4),
    ),
    ("event 7 received", EventReceived("0:1", 1, 7, ONE)),
    ("the wait for an event was cancelled", EventReceived("0:1", 1, 0)),
    ("event approval sent", EventSent("0:1", "approval", ONE, K)),
    ("event approval sent to order-7", EventSent("0:1", "approval", ONE, K, "order-7")),
    ("promise answer made", PromiseCreated("0:1", "answer", K)),
    ("promise completed", PromiseSettled("0:1", 1, K, ONE)),
    ("promise failed: ValueError: boom", PromiseSettled("0:1", 1, K, failure=BOOM)),
    ("cancel requested: stop", CancelRequested("stop")),
    ("cancelled by its timeout", CancelRequested(timed_out=True)),
    ("paused: by hand", Paused("by hand")),
    ("resumed", Resumed()),
    ("task assigned by Ada", TaskMoved(TaskStatus.ASSIGNED, "assigned", ADA, 1)),
    ("task released: late", TaskMoved(TaskStatus.QUEUED, "released", message="late")),
    ("task progress 25 % by Ada: read", TaskReported("progress", ADA, "read", 25.0)),
    ("comment by Ada: fine", TaskReported("comment", ADA, "fine")),
    (
        "dependency settled: execution a completed",
        DependencyChanged(DependencyChange.SETTLED, Dependency("a"), Status.COMPLETED),
    ),
    ("dependency added: execution a", DependencyChanged(DependencyChange.ADDED, Dependency("a"))),
]


@pytest.mark.parametrize(("summary", "entry"), CASES)
def test_each_entry_is_told_in_one_line(summary: str, entry: Entry) -> None:
    assert summary == history_entry(Recorded(0, 0, entry), TYPED_JSON).summary


def test_every_kind_of_entry_has_a_case() -> None:
    assert {type(entry) for _, entry in CASES} == set(get_args(Entry))


def test_an_entry_carries_its_place_its_values_and_its_writes() -> None:
    writes = (StateWrite("seen", Payload(b"[1]")), StateWrite("old", None))
    step = StepCompleted("0.1:2", "charge", D, K, Payload(b'{"ok":true}'), writes=writes)
    assert HistoryEntry(
        index=7,
        time=datetime(2030, 1, 1, tzinfo=UTC),
        kind="step_completed",
        path="0.1:2",
        name="charge",
        summary="step charge completed",
        value={"ok": True},
        error="",
        state={"seen": [1], "old": None},
    ) == history_entry(Recorded(7, 1_893_456_000_000, step), TYPED_JSON)


def test_a_value_that_cannot_be_read_here_is_left_out() -> None:
    step = StepCompleted("0:0", "charge", D, K, Payload(b"\x80", "cloudpickle"))
    assert history_entry(Recorded(0, 0, step), TYPED_JSON).value is None


def test_a_description_has_times_with_zones_and_none_for_what_has_not_happened() -> None:
    info = execution_info(
        Description(
            id="order-1",
            namespace="default",
            target=TARGET,
            kind="flow",
            status=Status.RUNNING,
            run=1,
            attempt=2,
            priority=0,
            created_ms=1_893_456_000_000,
            started_ms=1_893_456_000_250,
            ended_ms=0,
        )
    )
    assert ("orders/process", datetime(2030, 1, 1, tzinfo=UTC)) == (info.target, info.created)
    assert datetime(2030, 1, 1, 0, 0, 0, 250_000, UTC) == info.started
    assert info.finished is None
    assert info.status == "running"


def test_statuses_are_words() -> None:
    assert () == statuses_of(None)
    assert (Status.RUNNING,) == statuses_of("running")
    assert (Status.FAILED, Status.TIMED_OUT) == statuses_of(["failed", "timed_out"])
    with pytest.raises(InvalidArgumentError, match=r"no such status in .*'ready'.*; there are sch"):
        statuses_of("ready")
