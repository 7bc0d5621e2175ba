"""Journals as tests write them: a history is what is recorded when a worker comes to it.

    History().attempt().step("0:1", "fetch", result=payload(1)).timer("0:2").fired("0:2").activate()

Times move by one millisecond per entry unless `at_ms` says otherwise. Checks nothing: tests want
broken journals too.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, Final

from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    CommandReused,
    Entry,
    ExecutionCreated,
    Recorded,
    StateWrite,
    StateWritten,
    StepCompleted,
    StepFailed,
    Target,
    TimerFired,
    TimerStarted,
)
from perdure_runtime.core.ids import ExecutionKey, command_key, root_key_base
from perdure_runtime.core.messages import Activate
from perdure_runtime.core.payload import NULL, Failure, Payload

KEY: Final = ExecutionKey("default", "history-1")
TARGET: Final = Target("tests", "body")
START_MS: Final = 1_700_000_000_000


def payload(value: Any) -> Payload:
    """A JSON payload with a digest of its canonical form."""
    data = json.dumps(value, sort_keys=True).encode()
    return Payload(data, digest=blake2b(data, digest_size=16).digest())


def value_of(encoded: Payload) -> Any:
    """The value of such a payload."""
    return json.loads(encoded.data)


def digest(value: Any) -> bytes:
    """The digest of an input."""
    return payload(value).digest


def failure(message: str = "boom", retryable: bool = True) -> Failure:
    """A failure as a `ValueError` makes it."""
    return Failure("ValueError", message, module="builtins", retryable=retryable)


def writes(**values: Any) -> tuple[StateWrite, ...]:
    """State writes; None deletes."""
    return tuple(
        StateWrite(key, None if value is None else payload(value)) for key, value in values.items()
    )


class History:
    """A journal under construction; every method returns the history itself."""

    def __init__(
        self, input: Payload = NULL, key: ExecutionKey = KEY, event_sequence: int = 0
    ) -> None:
        self.key = key
        self.key_base = root_key_base(key, 1)
        self.entries: list[Recorded] = []
        self.current_attempt = 0
        created = ExecutionCreated(TARGET, input, self.key_base, event_sequence=event_sequence)
        self.add(created)

    def add(self, entry: Entry, at_ms: int = 0) -> History:
        """Record any entry."""
        index = len(self.entries)
        before_ms = self.entries[-1].time_ms if self.entries else START_MS - 1
        self.entries.append(Recorded(index, at_ms or before_ms + 1, entry))
        return self

    def attempt(self) -> History:
        """The next attempt starts."""
        self.current_attempt += 1
        return self.add(AttemptStarted(self.current_attempt))

    def attempt_failed(self, written: tuple[StateWrite, ...] = ()) -> History:
        """The attempt ended with a failure."""
        return self.add(AttemptEnded(self.current_attempt, failure(), 0, written))

    def command_key(self, kind: str, name: str, input_digest: bytes, occurrence: int = 1) -> bytes:
        """The key of a command in the scope of the body."""
        return command_key(self.key_base, kind, name, input_digest, occurrence)

    def step(
        self,
        path: str,
        name: str,
        *,
        input: Any = None,
        result: Payload | None = None,
        failed: Failure | None = None,
        occurrence: int = 1,
        tries: int = 1,
        written: tuple[StateWrite, ...] = (),
    ) -> History:
        """A step completed."""
        key = self.command_key("step", name, digest(input), occurrence)
        return self.add(
            StepCompleted(path, name, digest(input), key, result, failed, tries, written)
        )

    def step_failed(self, path: str, name: str, *, input: Any = None, tries: int = 1) -> History:
        """One try of a step failed."""
        key = self.command_key("step", name, digest(input))
        return self.add(StepFailed(path, name, digest(input), key, failure(), tries, 1000))

    def call(
        self,
        path: str,
        method: str,
        *,
        input: Any = None,
        child_id: str = "~000-child",
        detached: bool = False,
        written: tuple[StateWrite, ...] = (),
    ) -> History:
        """A call left the body."""
        target = Target("tests", method)
        kind = "send" if detached else "call"
        key = self.command_key(kind, target.name(), digest(input))
        return self.add(
            CallIssued(
                path,
                target,
                payload(input),
                key,
                child_id,
                detached=detached,
                writes=written,
            )
        )

    def called(
        self,
        path: str,
        result: Payload | None = None,
        failed: Failure | None = None,
        attempt: int = 0,
    ) -> History:
        """A call completed."""
        return self.add(CallCompleted(path, attempt or self.current_attempt, result, failed))

    def timer(self, path: str, delay_ms: int = 1000) -> History:
        """A timer started."""
        return self.add(TimerStarted(path, delay_ms))

    def fired(self, path: str, at_ms: int = 0) -> History:
        """A timer, or the back-off of a step, is due."""
        return self.add(TimerFired(path, self.current_attempt), at_ms)

    def branch(
        self, path: str, name: str, *, input: Any = None, result: Payload | None = None
    ) -> History:
        """A branch completed."""
        key = self.command_key("branch", name, digest(input))
        return self.add(BranchCompleted(path, name, digest(input), key, result))

    def reused(
        self, path: str, kind: str, name: str, source_index: int, *, input: Any = None
    ) -> History:
        """A success of an earlier attempt stood in for a command."""
        key = self.command_key(kind, name, digest(input))
        return self.add(CommandReused(path, kind, name, digest(input), key, source_index))

    def written(self, **values: Any) -> History:
        """State was written."""
        return self.add(StateWritten(writes(**values)))

    def cancel(self, reason: str = "stop") -> History:
        """Cancellation was asked for."""
        return self.add(CancelRequested(reason))

    def activate(self, epoch: int = 1, first_page: int | None = None) -> Activate:
        """Hand the history to a worker, the whole of it or a first page."""
        entries = tuple(self.entries[:first_page])
        return Activate(
            epoch,
            self.key,
            1,
            self.current_attempt,
            TARGET,
            "function",
            entries,
            len(entries) < len(self.entries),
        )
