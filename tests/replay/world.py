"""A world for one execution: a tiny coordinator, the outside, and a driver that can be crashed.

The coordinator gives every command an index, acknowledges it, and fires timers; the outside
completes steps and calls, in an order that a random stream decides. Both are small on purpose: the
real coordinator has its own tests. What the driver may not do is asserted on the way.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    Command,
    Entry,
    ExecutionCreated,
    Recorded,
    StepFailed,
    StepStarted,
    TimerFired,
    TimerStarted,
    is_command,
)
from perdure_runtime.core.ids import root_key_base
from perdure_runtime.core.messages import Ack, Activate, Adopt, Append, Entries, Finish, Mismatch
from perdure_runtime.core.outbox import WAKING
from perdure_runtime.core.payload import NULL, Failure, Payload
from perdure_runtime.driver import Driver, DriverOptions, Output, StartStep
from perdure_runtime.testing.history import KEY, START_MS, TARGET, payload

Answer = Payload | Failure
Outside = Callable[[str], Answer]
"""What a step or a call gives, by its name: a function of the name alone."""


def encode_failure(error: BaseException) -> Failure:
    """Type and message, enough for these tests."""
    return Failure(type(error).__name__, str(error))


OPTIONS = DriverOptions(encode_result=payload, encode_failure=encode_failure)


def answer(name: str) -> Answer:
    """Names that start with "bad" fail, others give their name back."""
    return Failure("ValueError", name) if name.startswith("bad") else payload(name)


class World:
    """One execution and everything around it."""

    def __init__(
        self,
        factory: Any,
        *,
        options: DriverOptions = OPTIONS,
        seed: int = 0,
        outside: Outside = answer,
        entries: list[Recorded] | None = None,
        retries: dict[str, int] | None = None,
        slow_wire: bool = False,
    ) -> None:
        self.factory = factory
        self.options = options
        self.slow_wire = slow_wire  # messages of the worker arrive later, or get lost
        self.random = random.Random(seed)
        self.outside = outside
        self.retries = retries or {}  # failing tries before a step succeeds, by name
        self.entries: list[Recorded] = []
        self.now_ms = START_MS
        self.epoch = 0
        self.attempt = 0
        self.commands = 0  # of the attempt
        self.timers: dict[str, int] = {}
        self.calls: dict[str, str] = {}
        self.queue: list[Ack | Recorded] = []  # on its way to the worker
        self.wire: list[Append | Finish | Mismatch] = []  # on its way from the worker
        self.steps: dict[str, StartStep] = {}
        self.abandoned: set[str] = set()
        self.started: list[str] = []  # every start of a step body, by path
        self.cancelled_calls: list[str] = []
        self.finish: Finish | None = None
        self.blocked: str | None = None
        self.idle = False
        self.wake_index = -1  # of the last entry that gives the worker something to do
        self.outputs: list[Output] = []
        if entries:
            for recorded in entries:
                self._fold(recorded)
        else:
            self._record(ExecutionCreated(TARGET, NULL, root_key_base(KEY, 1)))
            self._record(AttemptStarted(1))
        self.activate()

    # --- the coordinator ------------------------------------------------------------------

    def _record(self, entry: Entry) -> Recorded:
        self.now_ms += 1
        recorded = Recorded(len(self.entries), self.now_ms, entry)
        self._fold(recorded)
        return recorded

    def _fold(self, recorded: Recorded) -> None:
        assert recorded.index == len(self.entries)
        self.entries.append(recorded)
        self.now_ms = recorded.time_ms
        match recorded.entry:
            case AttemptStarted() as entry:
                self.attempt = entry.attempt
                self.commands = 0
                self.timers.clear()
            case TimerStarted() | StepFailed() as entry:
                self.timers[entry.path] = entry.due_ms
            case TimerFired() as entry:
                self.timers.pop(entry.path, None)
            case CallIssued() as entry:
                if not entry.detached:
                    self.calls[entry.path] = entry.target.method
            case CallCompleted() as entry:
                self.calls.pop(entry.path, None)
            case _:
                pass

    def news(self, entry: Entry) -> None:
        """Record something from outside and queue it for the worker."""
        self.idle = False
        self.queue.append(self._record(entry))
        self.wake_index = len(self.entries) - 1

    def _append(self, message: Append) -> None:
        assert message.epoch == self.epoch
        repeated = self.commands - message.base
        assert repeated >= 0, "the worker skipped commands"
        commands = message.commands[repeated:]
        if commands:
            first = len(self.entries)
            self.now_ms += 1
            for command in commands:
                self._fold(Recorded(len(self.entries), self.now_ms, self._accepted(command)))
                self.commands += 1
                if isinstance(command, WAKING):
                    self.wake_index = len(self.entries) - 1
            self.queue.append(Ack(first, len(commands), self.now_ms))
        for path in message.cancel_timers:
            self.timers.pop(path, None)
        for path in message.cancel_calls:
            if path in self.calls:
                self.cancelled_calls.append(path)
        self.idle = message.idle and message.consumed >= self.wake_index

    def _accepted(self, command: Command) -> Command:
        if isinstance(command, TimerStarted | StepFailed):
            return msgspec.structs.replace(command, due_ms=self.now_ms + command.delay_ms)
        if isinstance(command, StepStarted):
            return msgspec.structs.replace(command, epoch=self.epoch)
        return command

    # --- the worker -----------------------------------------------------------------------

    def activate(self, first_page: int | None = None) -> None:
        """Hand the execution to a fresh worker."""
        self.epoch += 1
        self.queue.clear()
        self.wire.clear()
        self.steps.clear()
        self.idle = False
        entries = tuple(self.entries)
        self.commands = sum(1 for recorded in self._of_attempt() if _is_command(recorded))
        self.driver = Driver(
            Activate(self.epoch, KEY, 1, self.attempt, TARGET, "function", entries),
            self.factory,
            self.options,
        )
        self.advance()

    def _of_attempt(self) -> list[Recorded]:
        starts = [r.index for r in self.entries if isinstance(r.entry, AttemptStarted)]
        return self.entries[starts[-1] :]

    def crash(self) -> None:
        """The worker dies and another takes over."""
        self.driver.evict()
        self.activate()

    def reconnect(self) -> None:
        """The stream breaks; what was on its way to the worker is sent again."""
        self._adopt(acknowledge=self.random.random() < 0.5)

    def usurp(self, turns: int) -> None:
        """Another worker has the execution for a while; then the first one comes back."""
        first, steps = self.driver, self.steps
        self.steps = {}
        self.activate()
        for _ in range(turns):
            if self.ended or not self.turn():
                break
        if self.ended:
            first.evict()
            return
        self.driver.evict()
        self.driver, self.steps = first, steps
        commands = (recorded for recorded in self._of_attempt() if _is_command(recorded))
        self.commands = sum(1 for _ in commands)
        self._adopt(acknowledge=False)

    def _adopt(self, acknowledge: bool) -> None:
        """Hand the worker what it missed. Only its own commands may come as acknowledgements."""
        missed: list[Ack | Recorded] = []
        for recorded in self.entries[self.driver.cached().last_index + 1 :]:
            if acknowledge and _is_command(recorded):
                missed.append(Ack(recorded.index, 1, recorded.time_ms))
            else:
                missed.append(recorded)
        self.idle = False
        self.wake_index = len(self.entries) - 1 if missed else -1
        self.queue.clear()
        self.wire.clear()
        old, self.epoch = self.epoch, self.epoch + 1
        self.driver.receive(Adopt(old, self.epoch, tuple(missed)))
        self.advance()

    def advance(self) -> None:
        """Let the worker run, and take what it says."""
        more = True
        while more:
            output = self.driver.advance()
            self.outputs.append(output)
            more = output.more
            self.wire += output.messages
            assert self.steps.keys() >= set(output.abandon)
            self.abandoned.update(output.abandon)
            for step in output.start:
                assert step.path not in self.steps or step.path in self.abandoned
                self.steps[step.path] = step
                self.started.append(step.path)
        if not self.slow_wire:
            self.transmit()

    def transmit(self, count: int | None = None) -> None:
        """Let the worker's messages arrive."""
        count = len(self.wire) if count is None else count
        messages, self.wire = self.wire[:count], self.wire[count:]
        for message in messages:
            self._message(message)
        if self.idle:
            assert self.slow_wire or not self.driver.running_steps

    def _message(self, message: Append | Finish | Mismatch) -> None:
        match message:
            case Append():
                assert self.finish is None
                self._append(message)
            case Finish():
                assert message.base == self.commands, "the worker skipped commands"
                self.finish = message
            case Mismatch():
                self.blocked = message.diff

    def deliver(self, count: int | None = None) -> None:
        """Send queued entries to the worker."""
        count = len(self.queue) if count is None else count
        items, self.queue = tuple(self.queue[:count]), self.queue[count:]
        if items:
            self.driver.receive(Entries(self.epoch, items))
        self.advance()

    # --- the outside ----------------------------------------------------------------------

    def end_step(self, path: str) -> None:
        """A step body returns or raises."""
        step = self.steps.pop(path)
        if step.tries < self.retries.get(step.name, 0):
            self.driver.step_failed(path, Failure("ValueError", "again"), 500)
        else:
            outcome = self.outside(step.name)
            if isinstance(outcome, Payload):
                self.driver.step_finished(path, outcome)
            else:
                self.driver.step_finished(path, None, outcome)
        self.advance()

    def end_call(self, path: str) -> None:
        """A call's child ends."""
        outcome = self.outside(self.calls[path])
        if isinstance(outcome, Payload):
            self.news(CallCompleted(path, self.attempt, outcome))
        else:
            self.news(CallCompleted(path, self.attempt, None, outcome))

    def fire(self, path: str) -> None:
        """A timer is due."""
        self.now_ms = max(self.now_ms, self.timers[path])
        self.news(TimerFired(path, self.attempt))

    def cancel(self, reason: str = "stop") -> None:
        """Ask for cancellation."""
        self.news(CancelRequested(reason))

    def choices(self) -> list[tuple[Callable[..., None], tuple[Any, ...]]]:
        """What may happen next."""
        found: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        found += [(self.end_step, (path,)) for path in self.steps]
        found += [(self.end_call, (path,)) for path in self.calls]
        if self.timers:
            found.append((self.fire, (min(self.timers, key=lambda path: self.timers[path]),)))
        if self.queue:
            found += [(self.deliver, (self.random.randint(1, len(self.queue)),))] * 2
        if self.wire:
            found += [(self.transmit, (self.random.randint(1, len(self.wire)),))] * 2
        return found

    def turn(self) -> bool:
        """Let one thing happen; False when nothing can."""
        found = self.choices()
        if not found:
            return False
        action, arguments = self.random.choice(found)
        action(*arguments)
        return True

    def run(self, disturb: Callable[[World], None] | None = None, turns: int = 10_000) -> Finish:
        """Let things happen until the body has its outcome."""
        for _ in range(turns):
            if self.finish is not None:
                return self.finish
            assert self.blocked is None, self.blocked
            if disturb is not None:
                disturb(self)
            assert self.turn() or self.ended, "nothing can happen, and the body has not ended"
        raise AssertionError("the execution does not end")

    @property
    def ended(self) -> bool:
        """Whether the outcome has arrived."""
        return self.finish is not None

    def next_attempt(self, failure: Failure) -> None:
        """The attempt failed; another starts."""
        self.finish = None
        self._record(AttemptEnded(self.attempt, failure, 0))
        self._record(AttemptStarted(self.attempt + 1))
        self.activate()


def _is_command(recorded: Recorded) -> bool:
    return is_command(recorded.entry)
