"""Random bodies, events, crashes and delays: every event goes to one wait of the run, none is lost.

Both pure halves are joined by two queues, as a worker and a coordinator are: an event may be
recorded for a wait that the body cancels before it hears of it. Bodies are lists of actions, one
for each delivery, so that a replay repeats them.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure_runtime.core import effects as fx
from perdure_runtime.core import requests
from perdure_runtime.core.arrivals import Wait
from perdure_runtime.core.entries import AttemptStarted, EventReceived, Recorded
from perdure_runtime.core.events import Event
from perdure_runtime.core.ids import wait_digest
from perdure_runtime.core.issued import EVENT, TIMER, Issued
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.machine import ReplayMachine
from perdure_runtime.core.messages import Ack, Append
from perdure_runtime.core.payload import Payload
from tests.unit.core_history import KEY, History

ACTION = st.one_of(
    st.tuples(st.just("wait"), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 3)),
)
PROGRAM = st.lists(st.lists(ACTION, max_size=3), min_size=1, max_size=12)
MOVES = st.lists(
    st.sampled_from(
        ["send", "look", "look", "up", "down", "gulp", "gulp", "tick", "tick", "crash", "evict"]
    ),
    max_size=80,
)
OLD = 2  # events that are older than the run


class Body:
    """The body of one activation: it acts at each delivery."""

    def __init__(self, program: list[list[Any]], history: History) -> None:
        self.machine = ReplayMachine(KEY, 1, 1, history.epoch)
        self.machine.receive(tuple(history.entries), False)
        self.got: list[tuple[str, bytes]] = []
        self._program = deque(program)
        self._ordinal = 0
        self._waits: list[Issued] = []

    def run(self) -> Append | None:
        """Take all deliveries, then say what goes out."""
        while (delivery := self.machine.next_delivery()) is not None:
            if isinstance(delivery, Issued) and delivery.kind == EVENT:
                assert isinstance(delivery.outcome, Payload)
                assert not delivery.abandoned
                assert int(delivery.outcome.data) > (OLD if delivery.request.since_start else 0)
                self._waits.remove(delivery)
                self.got.append((delivery.path, delivery.outcome.data))
            ticked = isinstance(delivery, Issued) and delivery.kind == TIMER
            if ticked or isinstance(delivery, AttemptStarted):
                self.machine.commands.issue_timer(self._path(), 1)
            for action, number in self._program.popleft() if self._program else ():
                self._act(action, number)
        return self.machine.flush()

    def _path(self) -> str:
        self._ordinal += 1
        return f"0:{self._ordinal}"

    def _act(self, action: str, number: int) -> None:
        if action == "wait":
            since_start = bool(number)
            wait = self.machine.commands.issue(
                EVENT,
                self._path(),
                b"scope",
                "e",
                wait_digest(since_start),
                Wait("e", None, since_start),
            )
            self._waits.append(wait)
        elif self._waits:
            self.machine.commands.abandon(self._waits.pop(number % len(self._waits)))

    @property
    def waiting(self) -> list[Issued]:
        """Waits that the body still wants."""
        return self._waits


class World:
    """A coordinator with one mailbox, and the worker of one execution."""

    def __init__(self, program: list[list[Any]]) -> None:
        self.program = program
        self.history = History(event_sequence=OLD)
        self.events = [Event(n, Payload(b"%d" % n)) for n in range(1, OLD + 1)]
        self.body: Body | None = None
        self.up: deque[Append] = deque()
        self.down: deque[Ack | Recorded] = deque()
        self.activate()

    def activate(self) -> None:
        if self.body is None and self.history.status is Status.QUEUED:
            self.history.grant()
            self.body = Body(self.program, self.history)
            self.speak()

    def speak(self) -> None:
        assert self.body is not None
        append = self.body.run()
        if append is not None:
            self.up.append(append)

    def recorded(self, before: int) -> None:
        """What a decision recorded is on its way to the worker."""
        acked = sum(effect.count for effect in self.history.effects(fx.Acknowledge))
        if acked:
            self.down.append(Ack(before, acked, self.history.now_ms))
        self.down.extend(self.history.entries[before + acked :])
        if not self.history.execution.epoch:
            self.down.clear()
        self.activate()

    def move(self, move: str) -> None:
        history = self.history
        before = len(history.entries)
        match move:
            case "send":
                sequence = len(self.events) + 1
                self.events.append(Event(sequence, Payload(b"%d" % sequence)))
            case "look":
                execution = history.execution
                after = requests.subscription(execution, "e")
                if after is not None:
                    found = [event for event in self.events if event.sequence > after]
                    history.did(requests.deliver_events(execution, "e", found, (), history.now_ms))
                    self.recorded(before)
            case "up" if self.up:
                history.did(requests.append(history.execution, self.up.popleft(), 1_000, 0.0))
                self.recorded(before)
            case "down" if self.down:
                assert self.body is not None
                self.body.machine.receive_items([self.down.popleft()])
                self.speak()
            case "gulp" if self.down:
                assert self.body is not None
                self.body.machine.receive_items(list(self.down))
                self.down.clear()
                self.speak()
            case "tick" if history.timers:
                history.fire_next()
                self.recorded(before)
            case "crash" if self.body is not None:
                self.gone()
                history.lose_worker(max_crashes=1_000)
                self.activate()
            case "evict" if self.body is not None and self.body.machine.idle and not self.up:
                if not self.down:
                    self.gone()
                    history.release()
                    self.activate()
            case _:
                pass

    def gone(self) -> None:
        self.body = None
        self.up.clear()
        self.down.clear()

    def settle(self) -> None:
        """Everything that is on its way arrives; the body stays where it waits."""
        for _ in range(1_000):
            length = len(self.history.entries)
            busy = bool(self.up or self.down)
            for move in ("up", "down", "look"):
                self.move(move)
            if not busy and len(self.history.entries) == length:
                return
        raise AssertionError("it never settles")


@settings(max_examples=1_500, deadline=None)
@given(PROGRAM, MOVES)
def test_every_event_goes_to_one_wait_and_none_is_lost(
    program: list[list[Any]], moves: list[str]
) -> None:
    world = World(program)
    for move in moves:
        world.move(move)
    world.settle()
    # A replay from the journal alone comes to the same place.
    replayed = Body(program, world.history)
    replayed.run()
    if world.body is not None:
        assert replayed.got == world.body.got
    got = [int(data) for _, data in replayed.got]
    assert len(got) == len(set(got)), "no event twice"
    entries = {r.index: r.entry for r in world.history.entries}
    received = {
        entry.sequence
        for entry in entries.values()
        if isinstance(entry, EventReceived) and entry.payload is not None
    }
    unclaimed = {
        entry.sequence
        for index in replayed.machine.commands.unclaimed
        if isinstance(entry := entries[index], EventReceived)
    }
    assert received == set(got) | unclaimed, (
        "what the run received, a wait has or the next one gets"
    )
    assert not set(got) & unclaimed
    # Whoever still waits has nothing to wait for.
    for wait in replayed.waiting:
        floor = OLD if wait.request.since_start else 0
        assert [
            e.sequence for e in world.events if e.sequence > floor and e.sequence not in got
        ] == []
    # The cursor for a next run holds what was taken, and what was not is given back.
    left = requests.consumed_events(world.history.execution, replayed.machine.commands.unclaimed)
    for sequence in range(1, len(world.events) + 1):
        consumed = any(row.after < sequence <= row.upto for row in left)
        assert consumed == (sequence in got)
