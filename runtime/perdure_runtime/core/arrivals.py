"""Which wait of a body gets which event: the worker half of semantics, section 7.

The coordinator hands an event to a wait. If the body has cancelled that wait before the event is
delivered, the event belongs to the run's next wait for the id: the first open one, else the next
that is issued, in this attempt or in a later one. That second assignment is recorded as well
(`EventAwaited.source_index`) before the body sees the event, so every replay, and the lookup of
the next attempt, finds it where it went.

Everything here is a function of the delivered prefix of the journal and of what the body did:
an assignment once made is always sent, also when the wait is cancelled in the meantime.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from perdure_runtime.core.issued import EVENT, Issued
from perdure_runtime.core.payload import Failure, FailureCode, Payload


class Arrived(Struct, frozen=True):
    """An event that the run has received."""

    event_id: str
    sequence: int
    payload: Payload


class Wait(Struct, frozen=True):
    """What a wait says: the `request` of an issued command of kind `event`."""

    event_id: str
    timeout_ms: int | None = None
    since_start: bool = False


class Arrivals:
    """The received events of a run that no wait has got yet.

    Attributes:
        events: by journal index, all that the run has received.
        loose: indexes of those whose waits were cancelled.
        floor: sequence of the last event that is older than the run.
    """

    def __init__(self) -> None:
        self.events: dict[int, Arrived] = {}
        self.loose: set[int] = set()
        self.floor = 0

    def take_for(self, wait: Issued, waits: Iterable[Issued]) -> bool:
        """Assign the earliest loose event that this wait may take; return whether there is one.

        Not while an earlier one is assigned to a wait that was cancelled meanwhile: that one is
        loose as soon as the journal has the assignment, and this wait, recorded later, takes it.

        Args:
            waits: the open commands.
        """
        if not self.loose or wait.source_index:
            return False
        fitting = [index for index in self.loose if self._fits(wait, index)]
        if not fitting:
            return False
        first = min(fitting, key=lambda index: self.events[index].sequence)
        if self._comes_back_before(first, wait, waits):
            return False
        wait.source_index = first
        self.loose.discard(first)
        return True

    def _comes_back_before(self, first: int, wait: Issued, waits: Iterable[Issued]) -> bool:
        return any(
            each.kind == EVENT
            and each.abandoned
            and each.source_index
            and self.events[each.source_index].sequence < self.events[first].sequence
            and self._fits(wait, each.source_index)
            for each in waits
        )

    def offer(self, index: int, waits: Iterable[Issued]) -> Issued | None:
        """An event has lost its wait: assign it to the first of these that may take it, or keep it.

        Args:
            waits: the open commands in the order in which the body issued them.
        """
        for wait in waits:
            if wait.kind == EVENT and self._is_open(wait) and self._fits(wait, index):
                wait.source_index = index
                return wait
        self.loose.add(index)
        return None

    def due(self, waits: Iterable[Issued]) -> bool:
        """Whether a wait that is on its way to the journal will take a loose event there."""
        return bool(self.loose) and any(
            wait.kind == EVENT
            and not (wait.recorded or wait.abandoned or wait.reused or wait.source_index)
            and any(self._fits(wait, index) for index in self.loose)
            for wait in waits
        )

    def unclaimed(self, waits: Iterable[Issued]) -> tuple[int, ...]:
        """What no wait of this attempt has got, assigned or not."""
        assigned = {wait.source_index for wait in waits if wait.kind == EVENT and wait.source_index}
        return tuple(sorted(self.loose | assigned))

    @staticmethod
    def _is_open(wait: Issued) -> bool:
        """Whether the coordinator looks for an event for this wait, and the body wants one."""
        return wait.recorded and not (wait.abandoned or wait.reused or wait.source_index)

    def _fits(self, wait: Issued, index: int) -> bool:
        event, request = self.events[index], wait.request
        return request.event_id == event.event_id and (
            not request.since_start or event.sequence > self.floor
        )


def no_event(wait: Issued) -> Failure:
    """Its timeout came before any event."""
    seconds = (wait.request.timeout_ms or 0) / 1000
    return Failure(
        "EventTimeoutError",
        f"no event {wait.name!r} came within {seconds:g} s",
        FailureCode.TIMEOUT,
        module="perdure_runtime.core.errors",
        qualname="EventTimeoutError",
    )
