"""The journals of the golden fixtures, as plain values: one per primitive and one whole flow.

Times are invented and keys are real: they follow `perdure_runtime.core.ids`.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from perdure_runtime.core.dependencies import Dependency, OnDependency
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
    StartOptions,
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
from perdure_runtime.core.ids import (
    PROMISE_DIGEST,
    ExecutionKey,
    ParentLink,
    child_id,
    command_key,
    root_key_base,
    unkeyed_command_key,
    wait_digest,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.retry import Retry
from perdure_runtime.core.tasks import TaskOptions, TaskStatus, WorkerRef

START_MS = 1_700_000_000_000
KEY = ExecutionKey("default", "order-7")
BASE = root_key_base(KEY, 1)
FLOW = Target("shop", "order")
ADA = WorkerRef("ada", "human", "Ada")
PAYMENT = Target("payments", "charge")


def digest(canonical: bytes) -> bytes:
    """The digest of canonical JSON."""
    return blake2b(canonical, digest_size=16).digest()


def json_input(canonical: bytes) -> Payload:
    """A JSON payload with its digest, as inputs travel."""
    return Payload(canonical, digest=digest(canonical))


ORDER = json_input(b'{"amount":12,"item":"tea"}')
RESULT = Payload(b'{"ok":true}')
DECLINED = Failure(
    type_name="CardDeclined",
    message="Karte abgelehnt: \u20ac 12",
    module="shop.errors",
    qualname="CardDeclined",
    args=Payload(b'["Karte abgelehnt"]'),
    details=Payload(b'{"code":51}'),
    traceback_text="Traceback (most recent call last):\n  ...\n",
    cause=Failure("ConnectionResetError", "reset by peer", module="builtins", retryable=False),
    retry_after_ms=1_500,
)


def key_of(kind: str, name: str, input_digest: bytes, occurrence: int = 1) -> bytes:
    """The idempotency key of a command in the scope of the whole body."""
    return command_key(BASE, kind, name, input_digest, occurrence)


def step(path: str, name: str, result: Payload = RESULT, **rest: object) -> StepCompleted:
    """A step called with the order."""
    values = {"result": result} | rest
    return StepCompleted(path, name, ORDER.digest, key_of("step", name, ORDER.digest), **values)  # type: ignore[arg-type] # a fixture's shorthand


def checkpoint(number: int, name: str, value: bytes) -> StepCheckpointed:
    """A checkpoint of the step at 0:1."""
    key = key_of("step", "sum", ORDER.digest)
    return StepCheckpointed("0:1", key, number, name, Payload(value))


def call(path: str, attempt: int = 1, **rest: object) -> CallIssued:
    """A call of `payments/charge` with the order."""
    return CallIssued(
        path,
        PAYMENT,
        ORDER,
        key_of("call", PAYMENT.name(), ORDER.digest),
        child_id(KEY, 1, attempt, path),
        **rest,  # type: ignore[arg-type] # a fixture's shorthand
    )


def reused(path: str, kind: str, name: str, source_index: int) -> CommandReused:
    """A command whose earlier success is used again."""
    return CommandReused(
        path, kind, name, ORDER.digest, key_of(kind, name, ORDER.digest), source_index
    )


def created(target: Target = FLOW, **rest: object) -> ExecutionCreated:
    """The first entry."""
    return ExecutionCreated(target, ORDER, BASE, **rest)  # type: ignore[arg-type] # a fixture's shorthand


def run_of(*entries: Entry) -> tuple[Entry, ...]:
    """A journal that begins, starts one attempt, holds `entries` and completes."""
    done = ExecutionEnded(Status.COMPLETED, result=RESULT)
    return (created(), AttemptStarted(1), *entries, done)


def recorded(entries: Sequence[Entry]) -> tuple[Recorded, ...]:
    """The entries with indexes from 0 and invented times."""
    return tuple(
        Recorded(index, START_MS + 10 * index, entry) for index, entry in enumerate(entries)
    )


_WHOLE_FLOW: tuple[Entry, ...] = (
    created(
        options=StartOptions(priority=2, execution_timeout_ms=600_000, metadata={"tenant": "blue"}),
        trace={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    ),
    AttemptStarted(1, retry=Retry(max_retries=1, delay_ms=500), build_id="a1"),
    step("0:1", "validate"),
    call("0:2", timeout_ms=30_000),
    CallCompleted("0:2", 1, result=Payload(b'{"payment":"p-1"}')),
    TimerStarted(
        "0:3",
        1_000,
        START_MS + 1_050,
        writes=(StateWrite("phase", Payload(b'"charged"')), StateWrite("draft", None)),
    ),
    TimerFired("0:3", 1),
    StateWritten((StateWrite("retry_count", Payload(b"1")),)),
    AttemptEnded(
        1,
        DECLINED,
        START_MS + 1_580,
        writes=(StateWrite("last_error", Payload(b'"CardDeclined"')),),
    ),
    AttemptStarted(2, retry=Retry(max_retries=1, delay_ms=500), build_id="a1"),
    reused("0:1", "step", "validate", 2),
    reused("0:2", "call", PAYMENT.name(), 4),
    TimerStarted("0:3", 1_000, START_MS + 1_110),
    TimerFired("0:3", 2),
    step("0:4", "ship", tries=2),
    ExecutionEnded(
        Status.COMPLETED,
        result=Payload(b'{"shipped":true}'),
        writes=(StateWrite("phase", Payload(b'"shipped"')),),
    ),
)

JOURNALS: dict[str, tuple[str, tuple[Entry, ...]]] = {
    "flow": (
        "A whole flow: step, call, timer, state writes, a failed attempt, a second one that reuses "
        "what succeeded, the outcome.",
        _WHOLE_FLOW,
    ),
    "step": (
        "Steps: a plain result, a result in another encoding, a recorded failure.",
        run_of(
            step("0:1", "validate"),
            step("0:2", "load", Payload(b"\x80\x05", "cloudpickle", metadata={"python": "3.11"})),
            StepCompleted(
                "0:3",
                "charge",
                ORDER.digest,
                key_of("step", "charge", ORDER.digest),
                failure=DECLINED,
            ),
        ),
    ),
    "step_retried": (
        "A step that fails once: the failed try, its back-off, the final result.",
        run_of(
            StepFailed(
                "0:1",
                "charge",
                ORDER.digest,
                key_of("step", "charge", ORDER.digest),
                DECLINED,
                tries=1,
                delay_ms=1_500,
                due_ms=START_MS + 1_520,
            ),
            TimerFired("0:1", 1),
            step("0:1", "charge", tries=2),
        ),
    ),
    "checkpoints": (
        "A step that records how far it has got, fails, and goes on from there.",
        run_of(
            checkpoint(0, "sum", b"[1,3]"),
            checkpoint(1, "sum", b"[2,7]"),
            StepFailed(
                "0:1",
                "sum",
                ORDER.digest,
                key_of("step", "sum", ORDER.digest),
                DECLINED,
                tries=1,
                delay_ms=0,
                due_ms=START_MS + 20,
            ),
            TimerFired("0:1", 1),
            checkpoint(2, "sum", b"[3,12]"),
            step("0:1", "sum", tries=2),
        ),
    ),
    "call": (
        "Calls: awaited with policies, failed, timed out, detached with a delay.",
        run_of(
            call("0:1", retry=Retry(max_retries=5), handler_retry=Retry(max_retries=2)),
            CallCompleted("0:1", 1, result=RESULT),
            call("0:2"),
            CallCompleted("0:2", 1, failure=DECLINED),
            call("0:3", timeout_ms=50),
            CallCompleted(
                "0:3",
                1,
                failure=Failure("CallTimeoutError", "took longer", FailureCode.TIMEOUT),
            ),
            call("0:4", detached=True, delay_ms=60_000),
        ),
    ),
    "timer": (
        "A timer: due = acceptance + delay.",
        run_of(TimerStarted("0:1", 2_500, START_MS + 2_520), TimerFired("0:1", 1)),
    ),
    "branch": (
        "Two spawned branches, each a child task with paths of its own.",
        run_of(
            step("0.1:1", "pack"),
            step("0.2:1", "label"),
            BranchCompleted(
                "0:2",
                "label_all",
                ORDER.digest,
                key_of("branch", "label_all", ORDER.digest),
                failure=DECLINED,
            ),
            BranchCompleted(
                "0:1",
                "pack_all",
                ORDER.digest,
                key_of("branch", "pack_all", ORDER.digest),
                result=RESULT,
                writes=(StateWrite("packed", Payload(b"true")),),
            ),
        ),
    ),
    "state": (
        "State writes: alone, with a command, a delete, a value with a digest.",
        run_of(
            StateWritten((StateWrite("count", Payload(b"1")), StateWrite("old", None))),
            step("0:1", "validate", writes=(StateWrite("order", ORDER),)),
        ),
    ),
    "at_most_once": (
        "A step that runs at most once: its start, its outcome. One that a crash interrupted.",
        run_of(
            StepStarted(
                "0:1", "charge", ORDER.digest, key_of("step", "charge", ORDER.digest), 1 << 32
            ),
            step("0:1", "charge"),
            StepStarted("0:2", "ship", ORDER.digest, key_of("step", "ship", ORDER.digest), 1 << 32),
            StepCompleted(
                "0:2",
                "ship",
                ORDER.digest,
                key_of("step", "ship", ORDER.digest),
                failure=Failure(
                    "StepInterrupted",
                    "step 'ship' was interrupted, and it runs at most once",
                    FailureCode.INTERRUPTED,
                    retryable=False,
                ),
            ),
        ),
    ),
    "compensation": (
        "A step that a compensating branch undid, another that user code undid and forgot.",
        run_of(
            step("0:1", "reserve"),
            step("0:2", "charge"),
            step("0:3", "refund"),
            Forgotten("0:4", "charge", key_of("step", "charge", ORDER.digest)),
            BranchCompleted(
                "0:5",
                "compensate reserve",
                ORDER.digest,
                key_of("branch", "compensate reserve", ORDER.digest),
                Payload(b"null"),
                compensates=key_of("step", "reserve", ORDER.digest),
            ),
        ),
    ),
    "events": (
        "Waits: one gets an event, one is cancelled and its event goes on to the next, one times "
        "out; an event that is sent.",
        run_of(
            EventAwaited("0:1", "approval", key_of("event", "approval", wait_digest(False))),
            EventReceived("0:1", 1, 7, ORDER),
            EventAwaited(
                "0.1:1",
                "approval",
                key_of("event", "approval", wait_digest(True)),
                timeout_ms=86_400_000,
                since_start=True,
                due_ms=1_760_086_400_000,
            ),
            EventAwaited("0.2:1", "approval", key_of("event", "approval", wait_digest(False))),
            EventReceived("0.2:1", 1, 0),
            EventReceived("0.1:1", 1, 9, RESULT),
            EventAwaited(
                "0:2",
                "approval",
                key_of("event", "approval", wait_digest(False)),
                source_index=7,
            ),
            EventSent(
                "0:3", "shipped", ORDER, key_of("event send", "shipped", ORDER.digest), "order-8"
            ),
        ),
    ),
    "promises": (
        "Promises: completed, failed, timed out.",
        run_of(
            PromiseCreated("0:1", "answer", key_of("promise", "answer", PROMISE_DIGEST)),
            PromiseSettled("0:1", 1, key_of("promise", "answer", PROMISE_DIGEST), RESULT),
            PromiseCreated(
                "0:2", "other", key_of("promise", "other", PROMISE_DIGEST), 1_000, 500, 9
            ),
            PromiseSettled(
                "0:2",
                1,
                key_of("promise", "other", PROMISE_DIGEST),
                failure=DECLINED,
                timed_out=True,
            ),
        ),
    ),
    "patch": (
        "An attempt that runs patched code, and code whose patch is deprecated.",
        run_of(PatchDecided("2024-tax"), PatchDecided("old", deprecated=True), step("0:1", "tax")),
    ),
    "continued": (
        "A run that continues as new: the journal goes on, the next run has another key base.",
        (
            created(),
            AttemptStarted(1),
            step("0:1", "validate", writes=(StateWrite("seen", Payload(b"1")),)),
            ExecutionContinued((StateWrite("left", Payload(b"2")),)),
            ExecutionCreated(
                FLOW,
                json_input(b'{"amount":13,"item":"tea"}'),
                root_key_base(KEY, 2),
                run=2,
                writes=(StateWrite("seen", Payload(b"1")), StateWrite("left", Payload(b"2"))),
            ),
            AttemptStarted(1),
            ExecutionEnded(Status.COMPLETED, result=RESULT),
        ),
    ),
    "value": (
        "Emitted values: two equal ones, the second with a state write.",
        run_of(
            ValueEmitted("0:1", ORDER, key_of("emit", "", ORDER.digest)),
            ValueEmitted(
                "0:2",
                ORDER,
                key_of("emit", "", ORDER.digest, 2),
                writes=(StateWrite("told", Payload(b"2")),),
            ),
        ),
    ),
    "cancel": (
        "A cancelled execution.",
        (
            created(),
            AttemptStarted(1),
            CancelRequested("customer changed their mind"),
            step("0:1", "refund"),
            ExecutionEnded(
                Status.CANCELLED,
                failure=Failure("CancelledError", "", FailureCode.CANCELLED),
            ),
        ),
    ),
    "attempt_timeout": (
        "An attempt that took too long, and no retries are left.",
        (
            created(),
            AttemptStarted(1, timeout_ms=20, on_exhausted="pause"),
            AttemptTimedOut(1),
            ExecutionEnded(
                Status.TIMED_OUT,
                failure=Failure("TimeoutError", "attempt took longer", FailureCode.TIMEOUT),
            ),
        ),
    ),
    "pause_and_retry": (
        "Paused and resumed, failed, and retried by an operator with new input.",
        (
            created(),
            AttemptStarted(1),
            Paused("maintenance"),
            Resumed(),
            ExecutionEnded(Status.FAILED, failure=DECLINED),
            ExecutionRetried(json_input(b'{"amount":13,"item":"tea"}')),
            AttemptStarted(2),
            ExecutionEnded(Status.COMPLETED, result=RESULT),
        ),
    ),
    "object_method": (
        "An exclusive method of a durable object, awaited by one that holds another object: its "
        "first attempt changes the state and fails, the second goes on from there.",
        (
            created(
                Target("shop", "Cart.add", "c-7"),
                parent=ParentLink(KEY, 1, 1, "0:4"),
                held=("Customer/42",),
            ),
            AttemptStarted(1, retry=Retry(max_retries=1)),
            AttemptEnded(1, DECLINED, START_MS + 1_000, object_state=Payload(b'{"tries":1}')),
            AttemptStarted(2, retry=Retry(max_retries=1), object_state=Payload(b'{"tries":1}')),
            step("0:1", "reserve"),
            ExecutionEnded(
                Status.COMPLETED,
                result=RESULT,
                object_state=Payload(b'{"items":["tea"]}', metadata={"state_version": "2"}),
            ),
        ),
    ),
    "task": (
        "A task that waits for another one, is claimed, lost, claimed again by a person, and done.",
        (
            created(
                Target("desk", "review"),
                options=StartOptions(
                    priority=3,
                    task=TaskOptions(allowed="human", definition=Payload(b'{"title":"Read it"}')),
                    after=(Dependency("draft-1", OnDependency.FAIL, OnDependency.IGNORE),),
                ),
            ),
            DependencyChanged(DependencyChange.ADDED, Dependency("draft-2", OnDependency.CANCEL)),
            DependencyChanged(DependencyChange.REMOVED, Dependency("draft-2")),
            DependencyChanged(
                DependencyChange.SETTLED,
                Dependency("draft-1", OnDependency.FAIL, OnDependency.IGNORE),
                Status.COMPLETED,
            ),
            TaskMoved(TaskStatus.QUEUED, "queued"),
            TaskMoved(TaskStatus.ASSIGNED, "assigned", ADA, 1),
            TaskMoved(TaskStatus.QUEUED, "released", message="no sign of life"),
            TaskMoved(TaskStatus.ASSIGNED, "assigned", ADA, 2),
            TaskMoved(TaskStatus.IN_PROGRESS, "started", ADA),
            TaskReported("progress", ADA, "Chapter 2", 37.5, 60_000),
            TaskReported("comment", ADA, "Found an edge case"),
            TaskReported("updated", priority=5, definition=Payload(b'{"title":"Read all"}')),
            TaskMoved(TaskStatus.FAILED, "failed", ADA, 0, "", DECLINED, START_MS + 1_000),
            TaskMoved(TaskStatus.SCHEDULED, "retried", due_ms=START_MS + 1_000),
            ExecutionEnded(Status.COMPLETED, result=RESULT),
        ),
    ),
    "object_saved": (
        "A method that saves its object on its way, and then runs a step.",
        (
            created(Target("shop", "Cart.add", "c-7")),
            AttemptStarted(1),
            StepCompleted(
                "0:1",
                "save",
                b"",
                unkeyed_command_key(BASE, "step", "save", 1, "0:1"),
                Payload(b"null"),
                object_state=Payload(b'{"items":["tea"]}', metadata={"state_version": "2"}),
            ),
            step("0:2", "reserve"),
            ExecutionEnded(Status.COMPLETED, result=RESULT),
        ),
    ),
    "handler": (
        "A plain handler, called by a flow: all that a worker in another language has to know.",
        (
            created(
                PAYMENT,
                parent=ParentLink(KEY, 1, 1, "0:2"),
                options=StartOptions(handler_retry=Retry(max_retries=3)),
            ),
            AttemptStarted(1, retry=Retry(max_retries=3)),
            ExecutionEnded(Status.COMPLETED, result=Payload(b'{"payment":"p-1"}')),
        ),
    ),
}
