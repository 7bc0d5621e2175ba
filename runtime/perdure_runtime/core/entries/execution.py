"""The first and the last entry of a run."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.dependencies import Dependency
from perdure_runtime.core.entries.call import Target
from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.events import Consumed
from perdure_runtime.core.ids import ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import Retry
from perdure_runtime.core.tasks import TaskOptions
from perdure_runtime.core.version import JOURNAL_VERSION


class StartOptions(Struct, frozen=True):
    """What a start may say beside target and input; None leaves it to the function's definition.

    `delay_ms` counts from the acceptance of the start on the coordinator's clock; the later of it
    and `start_at_ms` holds. `labels` are what lists filter by. With `task` no worker gets it:
    whoever claims it completes it. It waits for the ends of the executions in `after`.
    """

    priority: int = 0
    start_at_ms: int | None = None
    attempt_timeout_ms: int | None = None
    execution_timeout_ms: int | None = None
    retry: Retry | None = None
    handler_retry: Retry | None = None
    metadata: dict[str, str] = {}
    delay_ms: int = 0
    labels: dict[str, str] = {}
    task: TaskOptions | None = None
    after: tuple[Dependency, ...] = ()


class Forked(Struct, frozen=True):
    """Where a forked run comes from: `id`, its `run`, and the command `path` it was forked at.

    `bases` are the key bases that the keys of copied entries derive from, the source's own first;
    the last one seeds the random streams, so that a replay of the copied part draws the same.
    """

    id: str
    run: int
    path: str
    bases: tuple[bytes, ...]


class ExecutionCreated(Struct, frozen=True):
    """A run begins. `key_base` is what all idempotency keys of the run derive from.

    `held` are the objects ("Class/id") that those hold who await this run (semantics, section 6).
    `event_sequence` is that of the last event sent before; `consumed` what an earlier run of the
    execution, or the one it was forked from, had consumed of the mailboxes. `writes` is the state
    that an earlier run left.
    """

    target: Target
    input: Payload
    key_base: bytes
    run: int = 1
    options: StartOptions = StartOptions()
    parent: ParentLink | None = None
    trace: dict[str, str] = {}
    journal_version: int = JOURNAL_VERSION
    held: tuple[str, ...] = ()
    event_sequence: int = 0
    consumed: tuple[Consumed, ...] = ()
    forked: Forked | None = None
    writes: tuple[StateWrite, ...] = ()

    @property
    def seed(self) -> bytes:
        """What random streams are seeded with."""
        return self.forked.bases[-1] if self.forked else self.key_base


class ExecutionContinued(Struct, frozen=True):
    """The run ended by `ctx.continue_as_new`; the `ExecutionCreated` of the next one follows."""

    writes: tuple[StateWrite, ...] = ()


class ExecutionEnded(Struct, frozen=True):
    """The run has its outcome: `completed` with a result, otherwise a failure.

    `object_state` is the new state of the object whose method ended, None: as it was.
    `unclaimed_events`: see `AttemptEnded`.
    """

    status: Status
    result: Payload | None = None
    failure: Failure | None = None
    writes: tuple[StateWrite, ...] = ()
    object_state: Payload | None = None
    unclaimed_events: tuple[int, ...] = ()


class ExecutionRetried(Struct, frozen=True):
    """An operator asked for a new attempt of an ended or parked run, maybe with new input."""

    input: Payload | None = None
