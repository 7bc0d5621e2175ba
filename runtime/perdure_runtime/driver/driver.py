"""The driver: joins a replay machine with a deterministic loop and runs one body on them.

Single-threaded; slices run inside `advance`, a plain call. It sends nothing, starts no step and
reads no clock: it says what to send and what to start (`Output`). Matching, queues and messages
are the machine's, time and tasks the loop's; here is only what happens between deliveries.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from perdure_runtime.core.entries import AttemptStarted, CancelRequested, Command
from perdure_runtime.core.errors import (
    JournalMismatchError,
    NotDeterministicError,
    SerializationError,
)
from perdure_runtime.core.issued import TIMER, Issued
from perdure_runtime.core.machine import Delivery, Phase, ReplayMachine
from perdure_runtime.core.messages import Activate, Adopt, Cached, Entries, Journal, Mismatch
from perdure_runtime.core.outbox import Outcome
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.driver.body import Body
from perdure_runtime.driver.cancelling import Cancellation
from perdure_runtime.driver.options import ContinueAsNew, DriverOptions, Output, StartStep, TornDown
from perdure_runtime.loop import (
    DeterministicLoop,
    DurableTimer,
    ExceptionContext,
    Task,
    tear_down,
)

BodyFactory = Callable[[Body], Coroutine[Any, Any, Any]]
"""Makes the root coroutine; called once, in the first slice's place."""

MAX_DELAY_MS: Final = 1 << 53


class Driver:
    """One activation of one execution.

    Args:
        activate: the first page of the journal.
        factory: makes the coroutine of the body.

    Raises:
        ProtocolError: the journal is broken.
    """

    def __init__(self, activate: Activate, factory: BodyFactory, options: DriverOptions) -> None:
        self.body: Body | None = None
        self._activate = activate
        self._factory = factory
        self._options = options
        self._machine = ReplayMachine(
            activate.key,
            activate.run,
            activate.attempt,
            activate.epoch,
            max_concurrent_steps=options.max_concurrent_steps,
            checkpoint_interval=options.checkpoint_interval,
            patches=activate.patches,
        )
        self._machine.receive(activate.entries, activate.more)
        self._loop: DeterministicLoop | None = None
        self._root: Task | None = None
        self._cancellation: Cancellation | None = None
        self._cancelled = False
        self._timed_out = False
        self._ending = False
        self._outcome: Outcome | None = None
        self._given_up: Failure | None = None
        self._finish_due = False
        self._blocked = False
        self._closed = False

    # --- what the executor sees -------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The current epoch of the activation."""
        return self._machine.outbox.epoch

    @property
    def created_ms(self) -> int:
        """When the run was created."""
        entries = self._activate.entries
        return entries[0].time_ms if entries else 0

    @property
    def running_steps(self) -> int:
        """How many steps were started, or are about to be, and not reported."""
        commands = self._machine.commands
        return len(commands.running) + len(commands.starting)

    @property
    def replaying(self) -> bool:
        """Whether recorded entries are still to be delivered, or to come."""
        return self._machine.is_replaying

    @property
    def idle(self) -> bool:
        """Whether the body waits for something from outside and may be evicted for room."""
        return self._machine.idle and not self._closed

    @property
    def ended(self) -> bool:
        """Whether the outcome is out."""
        return self._machine.phase is Phase.FINISHED

    @property
    def blocked(self) -> bool:
        """Whether a mismatch is out; the body is torn down."""
        return self._blocked

    @property
    def closed(self) -> bool:
        """Whether the driver was evicted."""
        return self._closed

    def cached(self) -> Cached:
        """What a reconnecting worker says of this activation."""
        activate, machine = self._activate, self._machine
        return Cached(
            activate.key,
            activate.run,
            activate.attempt,
            machine.outbox.epoch,
            machine.received - 1,
            machine.outbox.recorded,
            self.created_ms,
            machine.received_ms,
        )

    def watch_recorded(self, tell: Callable[[Command], None]) -> None:
        """Have `tell` called with each command sent from here, once it is in the journal."""
        self._machine.on_recorded = tell

    def receive(self, message: Journal | Entries | Adopt) -> None:
        """Take a message for this activation; nothing runs before `advance`.

        Raises:
            ProtocolError: an entry is missing or was sent twice.
        """
        match message:
            case Entries():
                self._machine.receive_items(message.items)
            case Journal():
                self._machine.receive(message.entries, message.more)
            case Adopt():
                self._machine.adopt(message.epoch, message.items)
                self._finish_due = self._outcome is not None or self._given_up is not None

    def step_finished(
        self, path: str, result: Payload | None = None, failure: Failure | None = None
    ) -> None:
        """A step has its final result: exactly one of `result` and `failure`."""
        self._machine.commands.step_finished(path, result, failure)

    def step_failed(self, path: str, failure: Failure, delay_ms: int) -> None:
        """A try of a step failed and another follows after `delay_ms`."""
        self._machine.commands.step_failed(path, failure, delay_ms)

    def step_checkpoint(self, path: str, name: str, value: Payload) -> int | None:
        """A running step has got so far: the number that `Output.checkpoints` names when it is in
        the journal. None: nobody runs this step here any more."""
        return self._machine.commands.checkpoint(path, name, value)

    def advance(self, max_deliveries: int = 1000) -> Output:
        """Deliver what was received, run slices, and say what is to be sent and started.

        Raises:
            ProtocolError: the journal is broken.
        """
        output = Output()
        if self._closed or self._blocked:
            return output
        try:
            output.more = self._deliver(max_deliveries)
        except JournalMismatchError as error:
            self._mismatch(error, output)
            return output
        machine = self._machine
        if self._outcome is None and self._given_up is None:
            append = machine.flush()
            if append is not None:
                output.messages.append(append)
        elif self._finish_due and machine.complete:
            self._finish_due = False
            output.messages += self._finish()
        self._take_steps(output)
        return output

    def evict(self) -> None:
        """Give the body up: nothing is recorded any more, all its tasks are unwound."""
        if not self._closed:
            self._closed = True
            self._machine.close()
            self._tear_down()

    # --- between deliveries -------------------------------------------------------------------

    def _deliver(self, max_deliveries: int) -> bool:
        machine = self._machine
        if self._given_up is not None:
            return False
        for _ in range(max_deliveries):
            delivery = machine.next_delivery()
            if delivery is None:
                return False
            if self._outcome is None:  # else the rest of the journal is only checked
                self._apply(delivery)
                self._run()
        return not machine.complete

    def _apply(self, delivery: Delivery) -> None:
        if isinstance(delivery, AttemptStarted):
            self._start(delivery)
            return
        loop = self._loop
        assert loop is not None
        loop.advance_to(self._machine.time_ms / 1000)
        loop.note_progress()
        if isinstance(delivery, Issued):
            waiter, delivery.waiter = delivery.waiter, None  # which knows it: no circle is left
            if delivery.kind == TIMER:
                waiter.fire()
            elif not waiter.done():
                waiter.set_result(delivery.outcome)
        else:
            self._cancel(delivery.reason if isinstance(delivery, CancelRequested) else None)

    def _start(self, started: AttemptStarted) -> None:
        machine = self._machine
        created = machine.earlier.created
        assert created is not None
        loop = self._loop = DeterministicLoop(
            seed=created.seed,
            now=machine.time_ms / 1000,
            virtual=self._options.deterministic,
        )
        loop.on_timer_cancelled = self._timer_cancelled
        loop.on_exception = self._exception_lost
        self.body = Body(self._activate, created, started, loop, machine, self._options)
        self._root = loop.create_root(self._factory(self.body), scope=created.key_base)

    def _run(self) -> None:
        """Run to quiescence; then see to cancellations, the end of the body and new timers."""
        loop, root = self._loop, self._root
        assert loop is not None
        assert root is not None
        while True:
            try:
                loop.run_until_quiescent()
            except SystemExit:
                continue  # the task that raised it has it; what is left of the slice runs
            except NotDeterministicError as error:
                self._end_body(Outcome(failure=self._options.encode_failure(error)))
                return
            if root.done():
                if not self._ending:
                    self._ending = True
                    if loop.cancel_all_except(root):
                        continue
                if not loop.live_tasks():
                    self._end_body(self._outcome_of(root))
                    return
            elif self._cancellation is not None and self._cancellation.deliver_again():
                continue
            break
        for timer in loop.unissued_timers():
            self._issue_timer(timer)

    def _issue_timer(self, timer: DurableTimer) -> None:
        timer.issued = True
        # Whole microseconds first: the noise of a float must not cost a millisecond.
        delay_ms = min(math.ceil(round(timer.delay * 1000, 3)), MAX_DELAY_MS)
        issued = self._machine.commands.issue_timer(timer.path, delay_ms)
        issued.waiter = timer
        issued.where = timer.where

    def _timer_cancelled(self, timer: DurableTimer) -> None:
        issued = self._machine.commands.open.get(timer.path)
        if issued is not None:
            self._machine.commands.abandon(issued)

    def _cancel(self, reason: str | None) -> None:
        """Deliver a cancellation; None: the attempt's timeout. Too late for a body that ended."""
        root = self._root
        assert root is not None
        assert self.body is not None
        if root.done():
            return
        if reason is None:
            self._timed_out = True
        else:
            self._cancelled = True
        self.body.cancelled = True
        self.body.cancel_requested = self._cancelled
        self.body.cancel_reason = "attempt timed out" if reason is None else reason
        self._cancellation = Cancellation(root)

    # --- the end ------------------------------------------------------------------------------

    def _outcome_of(self, root: Task) -> Outcome:
        error: BaseException | None
        error = asyncio.CancelledError() if root.cancelled() else root.exception()
        if isinstance(error, KeyboardInterrupt):
            raise error
        if self._cancelled or self._timed_out:
            return Outcome(
                cancelled=self._cancelled, timed_out=self._timed_out and not self._cancelled
            )
        if isinstance(error, ContinueAsNew):
            return Outcome(continue_input=error.input)
        if error is None:
            try:
                return Outcome(result=self._options.encode_result(root.result()))
            except Exception as unencodable:  # a user's type may raise anything
                return Outcome(failure=_not_encodable(unencodable))
        failure = self._options.encode_failure(error)
        if isinstance(error, asyncio.CancelledError):
            failure = msgspec.structs.replace(failure, retryable=False)
        return Outcome(failure=failure)

    def _end_body(self, outcome: Outcome) -> None:
        self._outcome = self._options.conclude(outcome)
        self._finish_due = True
        left = self._machine.body_ended()
        if left and not self._machine.is_replaying:
            names = ", ".join(f"{issued.kind} {issued.name!r} ({issued.path})" for issued in left)
            self._options.warn(f"the body ended without awaiting {names}; they were cancelled")
        self._tear_down()

    def _finish(self) -> list[Any]:
        if self._given_up is not None:
            return [*self._machine.give_up(self._given_up)]
        assert self._outcome is not None
        return [*self._machine.finish(self._outcome)]

    def _mismatch(self, error: JournalMismatchError, output: Output) -> None:
        """Nothing is written; bodies that never promised determinism get another attempt."""
        self._tear_down()
        if self._options.deterministic:
            self._machine.close()
            self._blocked = True
            output.messages.append(Mismatch(self.epoch, str(error)))
            return
        self._given_up = Failure(
            "JournalMismatchError",
            str(error),
            FailureCode.NOT_DETERMINISTIC,
            module="perdure_runtime.core.errors",
            qualname="JournalMismatchError",
        )
        output.messages += self._finish()

    def _take_steps(self, output: Output) -> None:
        commands = self._machine.commands
        if commands.starts:
            output.start = [
                StartStep(
                    issued.path,
                    issued.name,
                    issued.key,
                    issued.digest,
                    issued.tries,
                    issued.request,
                    commands.checkpoints.of(issued.key),
                )
                for issued in commands.starts
            ]
            commands.starts.clear()
        if commands.checkpoints.recorded:
            output.checkpoints = commands.checkpoints.take_recorded()
        if commands.stops:
            output.abandon = [issued.path for issued in commands.stops]
            commands.stops.clear()

    def _tear_down(self) -> None:
        if self.body is not None:
            self.body.closed = True
        loop = self._loop
        if loop is not None and not loop.is_closed():
            stubborn = tear_down(loop, TornDown)
            if stubborn:
                self._options.warn(f"tasks closed by force: {', '.join(stubborn)}")

    def _exception_lost(self, context: ExceptionContext) -> None:
        if not self._machine.is_replaying:
            error = context.get("exception")
            told = "" if error is None else f": {_type_and_place(error)}"
            self._options.warn(f"{context.get('message')}{told}")


def _not_encodable(error: Exception) -> Failure:
    code = FailureCode.SERIALIZATION
    name = SerializationError.__name__
    message = f"the result cannot be encoded: {error}"
    return Failure(name, message, code, SerializationError.__module__, name, retryable=False)


def _type_and_place(error: BaseException) -> str:
    """An exception for logs: without its text, which may hold anything that a user's code knows."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    return f"{type(error).__name__} at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
