"""The rows that rest beside the journal: what is known of an execution, and its timers."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import ExecutionKey, ObjectKey, ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.tasks import TaskState, TaskStatus


class ExecutionRow(Struct):
    """What is known of an execution without its journal. Written whole (insert or replace)."""

    key: ExecutionKey
    shard: int
    target: Target
    status: Status
    created_ms: int
    input_digest: bytes = b""
    run: int = 1
    run_index: int = 0  # where in the journal that run begins
    attempt: int = 0
    priority: int = 0
    kind: str = ""
    parent: ParentLink | None = None
    due_ms: int = 0  # scheduled: when it becomes queued
    started_ms: int = 0
    ended_ms: int = 0
    updated_ms: int = 0
    crash_count: int = 0
    crash_index: int = -1
    build_id: str = ""
    error: str = ""  # "TypeName: message" of the last failure, for lists
    detail: str = ""  # reason of `paused`, diff of `blocked`
    progress: bytes = b""  # JSON of the last progress
    held: bytes = b""  # JSON: what was left of each timeout (ms) while paused or blocked
    lane_order: int = 0  # place in the lane of its object, over all lanes; 0: in none
    held_objects: tuple[str, ...] = ()  # "Class/id", held by those who await it
    labels: dict[str, str] = {}  # what lists filter by; never changed
    has_place: bool = False  # it counts for the limit of its method
    after: tuple[str, ...] = ()  # ids of the executions that it still waits for
    task: TaskState | None = None  # of a task, whose work is done outside
    task_status: TaskStatus | None = None  # derived, for lists
    damage: str = ""  # what is wrong with its journal: it is quarantined


def last_progress(row: ExecutionRow) -> Progress | None:
    """The last progress that was reported."""
    return msgspec.json.decode(row.progress, type=Progress) if row.progress else None


class ObjectRow(Struct, frozen=True):
    """The last committed state of a durable object, and the service of the method that saved it.

    `damage` says what is wrong with it as it was read; its state is not to be used then.
    """

    key: ObjectKey
    service: str
    state: Payload
    updated_ms: int
    damage: str = ""


class TimerKind(StrEnum):
    """What a durable timer is for."""

    TIMER = "timer"  # a body's timer, or the back-off of a step
    START = "start"  # the start of an execution, or of an attempt after its back-off
    ATTEMPT = "attempt"  # the attempt's timeout
    EXECUTION = "execution"  # the execution's timeout
    HEARTBEAT = "heartbeat"  # of a promise: the end of the time without one
    SCHEDULE = "schedule"  # the next tick of a schedule; in no store: the schedule knows it
    RATE = "rate"  # the next start that a rate allows; in no store
    GRACE = "grace"  # the end of a cancellation's grace
    CLAIM = "claim"  # the end of the lease on a task


class Timer(Struct, frozen=True):
    """A durable timer. (`key`, `kind`, `path`) is its identity; setting it again replaces it.

    `kind` is a `TimerKind`; `path` is "" for all but `timer` and `heartbeat`.
    """

    key: ExecutionKey
    shard: int
    kind: str
    path: str
    due_ms: int
    run: int = 1
    attempt: int = 0


class TimerKey(Struct, frozen=True):
    """Identity of a timer."""

    key: ExecutionKey
    kind: str
    path: str
