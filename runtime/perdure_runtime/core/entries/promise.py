"""Promises: results that somebody outside gives by token (semantics, sections 5 and 7)."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite
from perdure_runtime.core.payload import Failure, Payload


class PromiseCreated(Struct, frozen=True):
    """A body made a promise. Its token names `key`, which is the same in every attempt."""

    path: str
    name: str
    key: bytes
    timeout_ms: int | None = None
    heartbeat_timeout_ms: int | None = None
    due_ms: int = 0
    writes: tuple[StateWrite, ...] = ()


class PromiseSettled(Struct, frozen=True):
    """A promise has its outcome: exactly one of `result` and `failure` is set.

    `path` and `attempt` are those of its last creation. `timed_out`: nobody settled it in time;
    the next attempt may make it anew.
    """

    path: str
    attempt: int
    key: bytes
    result: Payload | None = None
    failure: Failure | None = None
    timed_out: bool = False
