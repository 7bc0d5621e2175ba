"""The frames of the golden fixtures, as plain values: whole worker sessions in order."""

from __future__ import annotations

from perdure_runtime.core.entries import (
    AttemptStarted,
    CallCompleted,
    CancelRequested,
    TimerStarted,
)
from perdure_runtime.core.messages import (
    Ack,
    Activate,
    Adopt,
    Append,
    Cached,
    CoordinatorMessage,
    DrainCoordinator,
    DrainWorker,
    Entries,
    Evict,
    Finish,
    Heartbeat,
    Hello,
    Journal,
    MethodSpec,
    Mismatch,
    Progress,
    Refused,
    Release,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.retry import Retry
from tests.unit.wire_journals import (
    FLOW,
    JOURNALS,
    KEY,
    PAYMENT,
    RESULT,
    START_MS,
    call,
    created,
    recorded,
    step,
)

# One frame: who sends it, and its messages.
Frame = tuple[str, tuple[WorkerMessage, ...] | tuple[CoordinatorMessage, ...]]

EPOCH = (3 << 32) | 41
NEXT_EPOCH = (4 << 32) | 1
WELCOME = Welcome("s-1", 1, "c-1", 10_000, 1_000, START_MS)
HELLO = Hello(
    worker_id="w-1",
    namespace="default",
    methods=(
        MethodSpec(
            "shop",
            "order",
            "flow",
            version="2",
            retry=Retry(max_retries=1, delay_ms=500),
            attempt_timeout_ms=60_000,
            execution_timeout_ms=600_000,
            on_exhausted="pause",
            input_schema='{"type":"object"}',
            output_schema="{}",
        ),
        MethodSpec(
            "shop",
            "parcel",
            "handler",
            retry=Retry(max_retries=2, delays_ms=(0, 1_500)),
            attempt_timeouts_ms=(1_000, 30_000),
        ),
    ),
    slots=100,
    build_id="a1",
    labels={"zone": "b"},
    encodings=("json", "cloudpickle"),
)
BEGIN = recorded((created(), AttemptStarted(1)))
REPLY = recorded(JOURNALS["call"][1])[3].entry
assert isinstance(REPLY, CallCompleted)

SESSIONS: dict[str, tuple[str, tuple[Frame, ...]]] = {
    "session": (
        "A flow to its end: hello, welcome, activate, append, entries, finish, evict.",
        (
            ("worker", (HELLO,)),
            ("coordinator", (WELCOME,)),
            ("coordinator", (Activate(EPOCH, KEY, 1, 1, FLOW, "flow", BEGIN),)),
            (
                "worker",
                (
                    Append(
                        EPOCH,
                        base=0,
                        consumed=1,
                        commands=(step("0:1", "validate"), call("0:2")),
                        progress=Progress(1, 3, "validated"),
                    ),
                    Heartbeat(),
                ),
            ),
            ("coordinator", (Entries(EPOCH, (Ack(2, 2, START_MS + 20),)), Heartbeat())),
            ("worker", (Append(EPOCH, base=2, consumed=3, idle=True),)),
            ("coordinator", (Entries(EPOCH, (recorded(JOURNALS["flow"][1])[4],)),)),
            (
                "worker",
                (
                    Append(
                        EPOCH,
                        base=2,
                        consumed=4,
                        commands=(TimerStarted("0:3", 1_000),),
                        cancel_calls=("0:9",),
                        cancel_timers=("0:8",),
                        idle=True,
                    ),
                ),
            ),
            ("coordinator", (Entries(EPOCH, (Ack(5, 1, START_MS + 50),)),)),
            (
                "worker",
                (Finish(EPOCH, base=3, consumed=5, result=RESULT, progress=Progress(3, 3)),),
            ),
            ("coordinator", (Evict(EPOCH, "ended"),)),
        ),
    ),
    "handler": (
        "The polyglot minimum: a worker of one plain handler.",
        (
            (
                "worker",
                (Hello("node-1", "default", (MethodSpec("payments", "charge", "handler"),), 10),),
            ),
            ("coordinator", (WELCOME,)),
            (
                "coordinator",
                (
                    Activate(
                        EPOCH,
                        KEY,
                        1,
                        1,
                        PAYMENT,
                        "handler",
                        recorded(JOURNALS["handler"][1][:2]),
                    ),
                ),
            ),
            (
                "worker",
                (Finish(EPOCH, base=0, consumed=1, result=Payload(b'{"payment":"p-1"}')),),
            ),
        ),
    ),
    "reconnect": (
        "After a broken stream: the cached execution is adopted under a new epoch.",
        (
            (
                "worker",
                (
                    Hello(
                        "w-1",
                        "default",
                        HELLO.methods,
                        cached=(Cached(KEY, 1, 1, EPOCH, 3, 2, START_MS, START_MS + 20),),
                    ),
                ),
            ),
            ("coordinator", (WELCOME,)),
            (
                "coordinator",
                (
                    Adopt(
                        EPOCH,
                        NEXT_EPOCH,
                        (Ack(4, 1, START_MS + 40), recorded(JOURNALS["flow"][1])[6]),
                    ),
                ),
            ),
            ("worker", (Append(NEXT_EPOCH, base=3, consumed=6),)),
        ),
    ),
    "other": (
        "The remaining kinds: paging, cancel, mismatch, release, drain, refusal.",
        (
            (
                "coordinator",
                (
                    Activate(EPOCH, KEY, 1, 1, FLOW, "flow", BEGIN, more=True),
                    Journal(EPOCH, recorded(JOURNALS["flow"][1])[2:4], more=True),
                    Journal(EPOCH, recorded(JOURNALS["flow"][1])[4:6]),
                ),
            ),
            (
                "coordinator",
                (
                    Entries(EPOCH, recorded((CancelRequested("stop", timed_out=True),))),
                    DrainCoordinator(),
                ),
            ),
            (
                "worker",
                (
                    Finish(EPOCH, base=3, consumed=6, cancelled=True),
                    Mismatch(EPOCH, "recorded step validate, attempted step check at 0:1"),
                    Release(EPOCH, "evicted"),
                    DrainWorker(),
                ),
            ),
            ("coordinator", (Refused("ProtocolError", "no common protocol version"),)),
        ),
    ),
}
