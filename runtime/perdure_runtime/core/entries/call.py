"""Calls: durable requests to a function, method or service; each makes a child execution."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import Retry


class Target(Struct, frozen=True):
    """What is called: service and method, and the id of the object for object methods."""

    service: str
    method: str
    key: str = ""

    def name(self) -> str:
        """The target as people read it and as keys hash it."""
        return (
            f"{self.service}/{self.method}/{self.key}"
            if self.key
            else f"{self.service}/{self.method}"
        )


class CallIssued(Struct, frozen=True):
    """A call left the body. `key` becomes the child's key base; replays compare `input.digest`.

    `retry` overrides the callee's own policy; `handler_retry` is used where the callee has none
    (plain handlers). `detached` calls outlive the caller and have no completion. `delay_ms`
    postpones the start. `compensates` is the key (generation 0) of what the call undoes.
    """

    path: str
    target: Target
    input: Payload
    key: bytes
    child_id: str
    timeout_ms: int | None = None
    retry: Retry | None = None
    handler_retry: Retry | None = None
    detached: bool = False
    delay_ms: int = 0
    writes: tuple[StateWrite, ...] = ()
    compensates: bytes = b""


class CallCompleted(Struct, frozen=True):
    """A call's child ended, or its timeout did: exactly one of `result` and `failure` is set."""

    path: str
    attempt: int
    result: Payload | None = None
    failure: Failure | None = None
