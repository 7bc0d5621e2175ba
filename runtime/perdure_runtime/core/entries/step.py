"""Steps: recorded user code with effects. One entry holds command and result."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Failure, Payload


class StepStarted(Struct, frozen=True):
    """A try of an `at_most_once` step is about to begin.

    `epoch` is that of the activation that runs it, filled in by the coordinator. A step that was
    started in another activation and has no outcome was interrupted.
    """

    path: str
    name: str
    digest: bytes
    key: bytes
    epoch: int = 0
    writes: tuple[StateWrite, ...] = ()


class StepCompleted(Struct, frozen=True):
    """A step has its final result: exactly one of `result` and `failure` is set.

    `tries` counts body starts that were reported, this one included. `compensates` is the key
    (generation 0) of the operation that it undoes when it succeeds. `object_state` is what
    `await self.save()` in an object's method saved: the object's new state.
    """

    path: str
    name: str
    digest: bytes
    key: bytes
    result: Payload | None = None
    failure: Failure | None = None
    tries: int = 1
    writes: tuple[StateWrite, ...] = ()
    compensates: bytes = b""
    object_state: Payload | None = None


class StepCheckpointed(Struct, frozen=True):
    """A running step, or a handler (path ""), has got so far; a later run of it is told.

    `key` is the step's, `number` counts the checkpoints of that key; the last of a `name` counts.
    """

    path: str
    key: bytes
    number: int
    name: str
    value: Payload
    writes: tuple[StateWrite, ...] = ()


class StepFailed(Struct, frozen=True):
    """One try failed and another follows after `delay_ms`; `due_ms` is the coordinator's."""

    path: str
    name: str
    digest: bytes
    key: bytes
    failure: Failure
    tries: int
    delay_ms: int
    due_ms: int = 0
    writes: tuple[StateWrite, ...] = ()
