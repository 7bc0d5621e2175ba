"""A replay machine at the start of an attempt, and short words for what bodies do with it."""

from __future__ import annotations

from typing import Any

from perdure_runtime.core.entries import AttemptStarted, Command, Recorded, Target
from perdure_runtime.core.ids import root_key_base
from perdure_runtime.core.issued import CallRequest, Issued
from perdure_runtime.core.machine import Delivery, ReplayMachine
from perdure_runtime.core.messages import Ack, Append
from perdure_runtime.testing.history import KEY, History, digest, payload

BASE = root_key_base(KEY, 1)


class Desk:
    """One machine, driven by hand."""

    def __init__(self, history: History, **options: Any) -> None:
        self.machine = ReplayMachine(KEY, 1, history.current_attempt, 7, **options)
        self.machine.receive(history.entries, False)
        first = self.machine.next_delivery()
        assert isinstance(first, AttemptStarted)

    def step(self, path: str, name: str, input: Any = None, **options: Any) -> Issued:
        """The body issues a step."""
        return self.machine.commands.issue("step", path, BASE, name, digest(input), None, **options)

    def call(
        self, path: str, method: str, input: Any = None, detached: bool = False, **options: Any
    ) -> Issued:
        """The body issues a call."""
        request = CallRequest(Target("tests", method), payload(input), detached=detached)
        return self.machine.commands.issue(
            "send" if detached else "call",
            path,
            BASE,
            f"tests/{method}",
            digest(input),
            request,
            **options,
        )

    def branch(self, path: str, name: str, input: Any = None) -> Issued:
        """The body spawns a branch."""
        return self.machine.commands.issue("branch", path, BASE, name, digest(input), None)

    def deliver(self) -> Delivery | None:
        """The next delivery."""
        return self.machine.next_delivery()

    def deliver_all(self) -> list[Delivery]:
        """All deliveries, for bodies that issue nothing in between."""
        deliveries = []
        while (delivery := self.machine.next_delivery()) is not None:
            deliveries.append(delivery)
        return deliveries

    def flush(self) -> Append | None:
        """Deliver what is there, then say what goes out."""
        self.deliver_all()
        return self.machine.flush()

    def sent(self) -> tuple[Command, ...]:
        """The commands that go out now."""
        append = self.flush()
        return append.commands if append else ()

    def starts(self) -> list[str]:
        """Paths of the steps that start now."""
        starts = [issued.path for issued in self.machine.commands.starts]
        self.machine.commands.starts.clear()
        return starts

    def ack(self, count: int = 1) -> None:
        """The coordinator recorded commands."""
        first = self.machine.received
        self.machine.receive_items([Ack(first, count, self.machine.time_ms + 1)])

    def news(self, entry: Any) -> None:
        """The coordinator recorded something else."""
        recorded = Recorded(self.machine.received, self.machine.time_ms + 1, entry)
        self.machine.receive_items([recorded])
