"""Sessions: the workers' streams with what each offers, holds and may still take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import CoordinatorMessage, Hello, MethodSpec
from perdure_runtime.wire.v1.pages import StoredPage


class SessionPort(Protocol):
    """The way back to a worker. No method may block."""

    def send(self, messages: Sequence[CoordinatorMessage]) -> None:
        """Queue messages; called after the commit that covers them."""
        ...

    def send_page(self, page: StoredPage) -> None:
        """Queue a page of a journal."""
        ...

    def close(self, reason: str) -> None:
        """End the stream after what is queued."""
        ...


class Session:
    """One worker's stream."""

    def __init__(self, id: str, port: SessionPort, hello: Hello, now_s: float) -> None:
        self.id = id
        self.port = port
        self.worker_id = hello.worker_id
        self.namespace = hello.namespace
        self.build_id = hello.build_id
        self.slots = hello.slots
        self.methods: dict[tuple[str, str], MethodSpec] = {
            (spec.service, spec.method): spec for spec in hello.methods
        }
        self.services = frozenset(spec.service for spec in hello.methods)
        self.leases: dict[int, ExecutionKey] = {}
        self.active: set[int] = set()  # epochs that use a slot
        self.alone_epoch = 0  # of an execution that nothing may run beside
        self.reserved_for: ExecutionKey | None = None  # waits until nothing runs here
        self.connected = True
        self.draining = False
        self.seen_s = now_s

    @property
    def free_slots(self) -> int:
        """How many more executions may run here."""
        if self.reserved_for is not None or (self.alone_epoch and self.alone_epoch in self.active):
            return 0
        return 0 if self.draining or not self.connected else self.slots - len(self.active)

    def may_run_alone(self, key: ExecutionKey) -> bool:
        """Whether an execution could have the whole worker now."""
        is_open = self.connected and not self.draining and self.slots > 0
        return is_open and not self.active and self.reserved_for in (None, key)


class Sessions:
    """All live sessions, by id, and when the set of each service's sessions last changed."""

    def __init__(self) -> None:
        self.by_id: dict[str, Session] = {}
        self.changed_s: dict[tuple[str, str], float] = {}

    def add(self, session: Session, now_s: float) -> None:
        """Register a session."""
        self.by_id[session.id] = session
        self._note_change(session, now_s)

    def remove(self, session: Session, now_s: float) -> None:
        """Forget a session."""
        if self.by_id.pop(session.id, None) is not None:
            self._note_change(session, now_s)

    def of_worker(self, namespace: str, worker_id: str) -> list[Session]:
        """The sessions of a worker process: the live one and those it reconnects from."""
        return [
            s for s in self.by_id.values() if s.worker_id == worker_id and s.namespace == namespace
        ]

    def offering(self, namespace: str, service: str, method: str) -> list[Session]:
        """Sessions that could run the method, whether or not they have a free slot."""
        return [
            s
            for s in self.by_id.values()
            if s.namespace == namespace and (service, method) in s.methods
        ]

    def serving(self, namespace: str, service: str) -> list[Session]:
        """Sessions with any method of the service."""
        return [
            s for s in self.by_id.values() if s.namespace == namespace and service in s.services
        ]

    def _note_change(self, session: Session, now_s: float) -> None:
        for service in session.services:
            self.changed_s[session.namespace, service] = now_s
