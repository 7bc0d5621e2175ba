"""What activations need of their worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from perdure.worker.threads import StepThreads
from perdure_runtime.core.messages import (
    Adopt,
    Cached,
    Entries,
    Journal,
    WorkerMessage,
)
from perdure_runtime.serde import Serializers

if TYPE_CHECKING:
    from perdure.worker.watch import SliceWatch


class Activation(Protocol):
    """One lease on one execution, held by this worker."""

    @property
    def epoch(self) -> int:
        """The lease's; another one after `Adopt`."""
        ...

    @property
    def can_leave(self) -> bool:
        """Whether nothing runs, so that it may leave the cache; it is replayed when it returns."""
        ...

    @property
    def is_idle(self) -> bool:
        """Whether it also waits for something other than its own acknowledgements."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be heard of it: a mismatch was reported."""
        ...

    def receive(self, message: Journal | Entries | Adopt) -> None:
        """Queue what the coordinator says; `advance` follows. Raises `ProtocolError`."""
        ...

    def advance(self, outbox: list[WorkerMessage]) -> bool:
        """Work on what was queued, in a bounded portion; True when there is more to do."""
        ...

    @property
    def awaits_records(self) -> bool:
        """Whether something is to be told once what was sent is recorded, even after the end."""
        ...

    def recorded_late(self, message: Entries) -> None:
        """Acknowledgements that came when it had left."""
        ...

    def cached(self) -> Cached | None:
        """What a reconnecting worker says of it; None when it cannot be adopted yet."""
        ...

    def evict(self) -> None:
        """Tear it down and tell nothing. Twice is once."""
        ...


@dataclass(slots=True)
class Host:
    """The parts of a worker that activations share.

    Args:
        ready: says that an activation has something to do.
        resources: what the lifespan of each service gave.
        reports: how many step results wait for the next batch of messages.
    """

    loop: asyncio.AbstractEventLoop
    threads: StepThreads
    serializers: Serializers
    watch: SliceWatch
    ready: Callable[[Activation], None]
    resources: dict[str, Any] = field(default_factory=dict)
    reports: int = 0
