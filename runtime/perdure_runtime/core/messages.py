"""What workers and the coordinator say to each other, as plain values.

One frame on the wire is a batch of these; the embedded link hands over the same values without a
wire. `epoch` names one activation (a lease on one execution): it is unique for ever, so messages
about an activation carry it and nothing else. A message with an epoch that is not current is
rejected whole (semantics, section 1: a stale worker can never write).
"""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries import Command, Recorded, StateWrite, Target
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.rates import Rate
from perdure_runtime.core.retry import Retry
from perdure_runtime.core.version import PROTOCOL_MAX, PROTOCOL_MIN

# --- worker -> coordinator ---------------------------------------------------------------------


class MethodSpec(Struct, frozen=True):
    """What a worker offers. `kind` is `function`, `flow`, `handler` or `object`.

    An object method is named "Class.method" and called with a key; `shared` ones only read.
    `max_concurrency` (0: any) and `rate` limit its executions (`core.rates`).
    `attempt_timeouts_ms`, when there are any, are the timeouts of attempt 1, 2 and so on, instead
    of `attempt_timeout_ms`; the last one holds for all that follow.
    """

    service: str
    method: str
    kind: str
    version: str = ""
    retry: Retry | None = None
    attempt_timeout_ms: int | None = None
    execution_timeout_ms: int | None = None
    on_exhausted: str = "fail"
    input_schema: str = ""
    output_schema: str = ""
    shared: bool = False
    max_concurrency: int = 0
    rate: Rate | None = None
    attempt_timeouts_ms: tuple[int, ...] = ()


class Cached(Struct, frozen=True):
    """An execution that a reconnecting worker still holds alive in its cache.

    `last_index` is the last journal entry it received (acknowledgements of its own included);
    `acknowledged` counts its own commands of this attempt that were acknowledged. The times are
    those of the run's first entry and of the one at `last_index`; 0: it does not say.
    """

    key: ExecutionKey
    run: int
    attempt: int
    epoch: int
    last_index: int
    acknowledged: int
    first_time_ms: int = 0
    last_time_ms: int = 0


class Hello(Struct, frozen=True):
    """First message of a session. `worker_id` is the process's own and survives reconnects."""

    worker_id: str
    namespace: str
    methods: tuple[MethodSpec, ...]
    slots: int = 200
    build_id: str = ""
    labels: dict[str, str] = {}
    encodings: tuple[str, ...] = ("json",)
    cached: tuple[Cached, ...] = ()
    protocol_min: int = PROTOCOL_MIN
    protocol_max: int = PROTOCOL_MAX


class Progress(Struct, frozen=True):
    """How far an execution is; coalesced and monotone in `done`."""

    done: float
    total: float | None = None
    message: str = ""


class Append(Struct, frozen=True):
    """Commands for the journal, in the order the body issued them.

    `base` is how many commands of this attempt precede `commands`; what is already recorded is
    dropped: its acknowledgement came with `Adopt`. `consumed` is the index of the last journal
    entry delivered to the body. `idle` says that the body waits and no step runs: the slot is
    free. `cancel_calls` and `cancel_timers` are paths nobody awaits any more; they are hints that
    a replay repeats.
    """

    epoch: int
    base: int
    consumed: int
    commands: tuple[Command, ...] = ()
    cancel_calls: tuple[str, ...] = ()
    cancel_timers: tuple[str, ...] = ()
    idle: bool = False
    progress: Progress | None = None


class Finish(Struct, frozen=True):
    """The body ended: with `result`, or with `failure`, or (`cancelled`) by consuming a cancel.

    `object_state` is the new state of an exclusive method's object, None: as it was.
    `unclaimed_events` are indexes of events that the run received and no wait of the body took.
    With `continue_input` the next run begins, with that input and `state`.
    """

    epoch: int
    base: int
    consumed: int
    result: Payload | None = None
    failure: Failure | None = None
    cancelled: bool = False
    timed_out: bool = False
    writes: tuple[StateWrite, ...] = ()
    progress: Progress | None = None
    object_state: Payload | None = None
    unclaimed_events: tuple[int, ...] = ()
    continue_input: Payload | None = None
    state: tuple[StateWrite, ...] = ()


class Mismatch(Struct, frozen=True):
    """The code does not issue what the journal recorded; `diff` is for people."""

    epoch: int
    diff: str


class Release(Struct, frozen=True):
    """The worker dropped an idle execution from its cache, or cannot serve an activation."""

    epoch: int
    reason: str = ""


class Heartbeat(Struct, frozen=True):
    """The worker is alive; sent at a third of `lease_ms`."""


class DrainWorker(Struct, frozen=True):
    """The worker takes no new work and hands its leases back when they are idle."""


WorkerMessage = Hello | Append | Finish | Mismatch | Release | Heartbeat | DrainWorker

# --- coordinator -> worker ---------------------------------------------------------------------


class Welcome(Struct, frozen=True):
    """Answer to `Hello`: the session is registered and may receive activations."""

    session_id: str
    protocol: int
    coordinator_id: str
    lease_ms: int
    resume_ms: int
    server_time_ms: int


class Activate(Struct, frozen=True):
    """Hands over an execution with its journal (the first page of it).

    `entries` starts with the run's `ExecutionCreated`; `more` says that `Journal` pages follow.
    `patches` are the ids that the open attempt has decided, on whatever page they stand;
    `progress` is the last that was reported.
    """

    epoch: int
    key: ExecutionKey
    run: int
    attempt: int
    target: Target
    kind: str
    entries: tuple[Recorded, ...]
    more: bool = False
    patches: tuple[str, ...] = ()
    progress: Progress | None = None


class Journal(Struct, frozen=True):
    """A further page of an activation's journal."""

    epoch: int
    entries: tuple[Recorded, ...]
    more: bool = False


class Ack(Struct, frozen=True):
    """`count` of the worker's own commands were recorded at `first_index` and following."""

    first_index: int
    count: int
    time_ms: int


class Entries(Struct, frozen=True):
    """News for a cached execution, in journal order: acknowledgements, completions, signals."""

    epoch: int
    items: tuple[Ack | Recorded, ...]


class Adopt(Struct, frozen=True):
    """After a reconnect: the cached execution gets a new epoch; `items` is what it missed."""

    old_epoch: int
    epoch: int
    items: tuple[Ack | Recorded, ...]


class Evict(Struct, frozen=True):
    """The activation is over for this worker: tear the body down, record nothing."""

    epoch: int
    reason: str = ""


class DrainCoordinator(Struct, frozen=True):
    """The coordinator is about to stop: finish slices, expect the stream to end, reconnect."""


class Refused(Struct, frozen=True):
    """The session cannot go on (unknown protocol version, bad registration); the stream ends."""

    code: str
    message: str


CoordinatorMessage = (
    Welcome | Activate | Journal | Entries | Adopt | Evict | DrainCoordinator | Refused | Heartbeat
)
