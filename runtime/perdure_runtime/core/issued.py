"""A command as the body issued it, with all that the machine knows of its fate.

Mutable on purpose: one exists per command of the hot path. Plain data without rules; those are in
`perdure_runtime.core.machine`.
"""

from __future__ import annotations

from types import CodeType
from typing import Any, Final

from msgspec import Struct

from perdure_runtime.core.entries import Entry, StepCompleted, Target
from perdure_runtime.core.ids import command_key, unkeyed_command_key
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import Retry

STEP: Final = "step"
CALL: Final = "call"
SEND: Final = "send"
BRANCH: Final = "branch"
TIMER: Final = "timer"
EMIT: Final = "emit"
FORGET: Final = "forget"
EVENT: Final = "event"
EVENT_SEND: Final = "event send"
PROMISE: Final = "promise"
SAVE: Final = "save"
"""Name of the step that `await self.save()` in an object's method is."""
LEAVING: Final = (SEND, EMIT, FORGET, EVENT_SEND)
"""What is done once it is recorded: nobody awaits more of it."""


class CallRequest(Struct, frozen=True):
    """What a call says beside its key: the fields of `CallIssued` that the body chooses."""

    target: Target
    input: Payload
    timeout_ms: int | None = None
    retry: Retry | None = None
    handler_retry: Retry | None = None
    detached: bool = False
    delay_ms: int = 0
    child_id: str = ""


class EventRequest(Struct, frozen=True):
    """What a body sends: the fields of `EventSent` that it chooses."""

    event_id: str
    payload: Payload
    execution_id: str = ""
    dedupe_id: str = ""

    def name(self) -> str:
        """What keys hash and a replay compares."""
        return event_send_name(self.event_id, self.execution_id)


class PromiseRequest(Struct, frozen=True):
    """The clocks of a promise."""

    timeout_ms: int | None = None
    heartbeat_timeout_ms: int | None = None


def event_send_name(event_id: str, execution_id: str) -> str:
    """The name of the command that sends an event."""
    return f"{event_id} to {execution_id}" if execution_id else event_id


class Issued:
    """One issued command.

    Attributes:
        path: its address, "lineage:ordinal".
        kind: `step`, `call`, `send` (a detached call), `branch`, `timer`, `emit`, `forget`, `event`
            (a wait for one), `event send` or `promise`.
        digest: of the input; b"" when the encoding has none.
        occurrence: its number among the commands of the scope with this kind, name and digest.
        cancel_asked: its callee is to be cancelled, and its outcome is still awaited.
        compensates: key (generation 0) of the operation that it undoes, b"" for most.
        interrupted: a step that runs at most once and has begun elsewhere, with no outcome.
        start_recorded: a step that runs at most once and may begin here.
        first_scope: the scope; in a fork, the one that it was in the first source.
        generation: how many compensations removed this operation before this attempt.
        object_state: what the step saves instead of running; None for all but a method's `save`.
        request: a step's spec (opaque), a call's `CallRequest`, a timer's delay in ms, a value, ...
        source_index: of a wait: the entry of the event that it takes over from a cancelled one.
        outcome: the recorded result or failure, once delivered; what a branch reported before.
        waiter: whatever the driver put here; the machine never looks at it.
        where: code object and instruction that issued it, for the mismatch diff.
    """

    __slots__ = (
        "_key",
        "abandoned",
        "attempt",
        "backing_off",
        "cancel_asked",
        "child_id",
        "compensates",
        "digest",
        "done",
        "first_scope",
        "generation",
        "holds_slot",
        "interrupted",
        "kind",
        "name",
        "object_state",
        "occurrence",
        "outcome",
        "path",
        "recorded",
        "reported",
        "request",
        "reused",
        "scope",
        "single_start",
        "source_index",
        "start_recorded",
        "tries",
        "waiter",
        "where",
    )

    def __init__(
        self,
        kind: str,
        path: str,
        scope: bytes,
        name: str,
        digest: bytes,
        request: Any,
        attempt: int,
        occurrence: int,
    ) -> None:
        self.kind = kind
        self.path = path
        self.scope = scope
        self.name = name
        self.digest = digest
        self.request = request
        self.attempt = attempt
        self.occurrence = occurrence
        self.generation = 0
        self.child_id = ""
        self.tries = 0
        self.compensates = b""
        self.cancel_asked = False
        self.source_index = 0
        self.object_state: Payload | None = None
        self.first_scope = scope
        self.outcome: Payload | Failure | None = None
        self.waiter: Any = None
        self.where: tuple[CodeType, int] | None = None
        self.single_start = False
        self.start_recorded = False
        self.interrupted = False
        self.holds_slot = False
        self.reused = False
        self.reported = False
        self.backing_off = False
        self.recorded = False
        self.abandoned = False
        self.done = False
        self._key: bytes | None = None

    def __repr__(self) -> str:
        return f"<Issued {self.kind} {self.name!r} at {self.path}>"

    def is_step_of(self, entry: Entry) -> bool:
        """Whether the entry records just this step, at its first success."""
        return (
            type(entry) is StepCompleted
            and entry.path == self.path
            and entry.name == self.name
            and entry.digest == self.digest
            and self.kind == STEP
        )

    @property
    def key(self) -> bytes:
        """The idempotency key; computed when first asked for, a replay seldom needs it."""
        if self._key is None:
            self._key = self.key_of_generation(self.generation)
        return self._key

    @property
    def first_key(self) -> bytes:
        """What compensations call this operation: its key before any of them, and before forks."""
        return self.key_in(self.first_scope, 0)

    def key_of_generation(self, generation: int) -> bytes:
        """The key this operation has after so many compensations."""
        return self.key_in(self.scope, generation)

    def key_in(self, scope: bytes, generation: int) -> bytes:
        """The key this operation would have in another scope."""
        if not self.digest:
            return unkeyed_command_key(scope, self.kind, self.name, self.attempt, self.path)
        return command_key(scope, self.kind, self.name, self.digest, self.occurrence, generation)
