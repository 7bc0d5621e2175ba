"""An activation of a plain handler: no journal of its own, one try, one outcome."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterable
from typing import Any

import msgspec

from perdure.context.step_context import StepContext
from perdure.context.step_notes import StepNotes
from perdure.definition import Definition
from perdure.worker.host import Host
from perdure.worker.spans import enter_attempt
from perdure.worker.tries import Try
from perdure_runtime.core.checkpoints import Checkpoints
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    Command,
    Entry,
    ExecutionCreated,
    ExecutionRetried,
    Recorded,
    StepCheckpointed,
)
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.messages import (
    Ack,
    Activate,
    Adopt,
    Cached,
    Entries,
    Journal,
    Progress,
    WorkerMessage,
)
from perdure_runtime.core.outbox import Outbox, Outcome
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.failpoints import failpoint
from perdure_runtime.serde import encode_exception


class HandlerActivation:
    """See `Activation`. Nothing of it can leave the cache; an unfinished one is adopted."""

    can_leave = False
    is_idle = False
    is_over = False
    awaits_records = False

    def __init__(self, host: Host, activate: Activate, definition: Definition) -> None:
        self.epoch = activate.epoch
        self._host = host
        self._activate = activate
        self._definition = definition
        self._created: ExecutionCreated | None = None
        self._input: Payload | None = None
        self._last_index = -1
        self._previous_failure: Failure | None = None
        self._last_time_ms = 0
        self._signal: CancelRequested | AttemptTimedOut | None = None
        self._try: Try | None = None
        self._finish: Outcome | None = None
        self._progress_due: Progress | None = None
        self._outbox = Outbox(activate.epoch)
        self._checkpoints = Checkpoints()
        self._commands: list[Command] = []  # to be sent
        self._waiting: dict[int, asyncio.Future[None]] = {}  # by the number of the checkpoint
        self._finish_due = False
        self._is_complete = False
        self._over = False
        self._take(activate.entries)
        self._is_complete = not activate.more

    def receive(self, message: Journal | Entries | Adopt) -> None:
        """See `Activation`."""
        match message:
            case Journal(entries=entries, more=more):
                self._take(entries)
                self._is_complete = not more
            case Entries(items=items):
                self._take_items(items)
            case Adopt(epoch=epoch, items=items):
                self.epoch = epoch
                self._take_items(items)
                self._outbox.adopt(epoch)
                self._finish_due = self._finish is not None

    def advance(self, outbox: list[WorkerMessage]) -> bool:
        """See `Activation`."""
        if self._is_complete and self._try is None and self._finish is None and not self._over:
            self._start()
        if self._signal is not None and self._try is not None and not self._try.cancelled:
            self._try.cancel()
        commands, self._commands = self._commands, []
        progress, self._progress_due = self._progress_due, None
        told = self._outbox.append(commands, (), self._last_index, (), (), False, progress)
        if told is not None:
            outbox.append(told)
        if self._finish_due and self._finish is not None:
            self._finish_due = False
            outbox.append(self._outbox.finish(self._finish, self._last_index, (), None, ()))
        return False

    def recorded_late(self, message: Entries) -> None:
        """See `Activation`."""

    def cached(self) -> Cached | None:
        """See `Activation`."""
        if not self._is_complete:
            return None
        made = self._activate
        first_ms = made.entries[0].time_ms if made.entries else 0
        index, last_ms, recorded = self._last_index, self._last_time_ms, self._outbox.recorded
        return Cached(
            made.key, made.run, made.attempt, self.epoch, index, recorded, first_ms, last_ms
        )

    def evict(self) -> None:
        """See `Activation`."""
        self._over = True
        if self._try is not None:
            self._try.drop()

    def _take_items(self, items: Iterable[Ack | Recorded]) -> None:
        for item in items:
            if isinstance(item, Recorded):
                if item.index > self._last_index:  # after a reconnect some come twice
                    self._take((item,))
                continue
            for recorded in self._outbox.acknowledged(item):
                self._last_index, self._last_time_ms = recorded.index, recorded.time_ms
                self._checkpointed(recorded.entry)

    def _take(self, entries: Iterable[Recorded]) -> None:
        for recorded in entries:
            self._last_index = recorded.index
            self._last_time_ms = recorded.time_ms
            match recorded.entry:
                case AttemptStarted():
                    self._outbox.recorded = 0
                case StepCheckpointed() as checkpoint:
                    self._outbox.found(checkpoint)
                    self._checkpointed(checkpoint)
                case ExecutionCreated() as created:
                    self._created = created
                    self._input = created.input
                case ExecutionRetried(input=changed) if changed is not None:
                    self._input = changed
                    self._checkpoints.forget()
                case AttemptEnded(failure=failure):
                    self._previous_failure = failure
                case CancelRequested() | AttemptTimedOut() as signal if self._concerns(signal):
                    self._signal = signal
                case _:
                    pass

    def _concerns(self, signal: CancelRequested | AttemptTimedOut) -> bool:
        return not isinstance(signal, AttemptTimedOut) or (signal.attempt == self._activate.attempt)

    def _start(self) -> None:
        if self._created is None or self._input is None:
            raise ProtocolError(f"the journal of {self._activate.key.id!r} has no beginning")
        host, definition = self._host, self._definition
        running = self._try = Try(definition.name, None, self._ended, host.loop)
        try:
            args, kwargs = definition.signature.unbind(self._input, serializer=host.serializers)
        except Exception as error:
            host.loop.call_soon(self._ended, None, error)
            return
        step = StepContext(
            idempotency_key=self._created.key_base.hex(),
            execution_id=self._activate.key.id,
            attempt=self._activate.attempt,
            report=self._progress,
            is_cancelled=lambda: running.cancelled,
            resources=host.resources.get(self._activate.target.service),
            held=self._created.held,
            previous_failure=self._previous_failure,
            notes=StepNotes(
                self._checkpoints.of(self._created.key_base),
                self._checkpoint,
                host.serializers,
                self._activate.progress,
            ),
        )
        variables = contextvars.Context()
        made = self._activate
        enter_attempt(self._created, made.key, made.attempt, variables)
        running.start(definition.function, args, kwargs, variables, step, host.threads)

    def _ended(self, result: Any, error: BaseException | None) -> None:
        if self._over:
            return
        failpoint("after-step-body")
        host = self._host
        if error is None:
            try:
                payload = self._definition.signature.bind_result(result, host.serializers)
                self._finish = Outcome(result=payload)
            except Exception as problem:
                error = problem
        if error is not None:
            self._finish = self._failed(error)
        self._finish_due = True
        host.reports += 1
        host.ready(self)

    def _checkpoint(self, name: str, value: Payload) -> asyncio.Future[None]:
        assert self._created is not None
        recorded: asyncio.Future[None] = self._host.loop.create_future()
        if self._over or self._finish is not None:
            recorded.cancel("nobody wants this run any more")
            return recorded
        made = self._checkpoints.make("", self._created.key_base, name, value)
        self._waiting[made.number] = recorded
        self._commands.append(made)
        self._host.ready(self)
        return recorded

    def _checkpointed(self, entry: Entry) -> None:
        if isinstance(entry, StepCheckpointed):
            self._checkpoints.take_in(entry, is_running=self._try is not None)
        for _, number in self._checkpoints.take_recorded():
            recorded = self._waiting.pop(number, None)
            if recorded is not None and not recorded.done():
                recorded.set_result(None)

    def _failed(self, error: BaseException) -> Outcome:
        if self._signal is not None and isinstance(error, asyncio.CancelledError):
            timed_out = isinstance(self._signal, AttemptTimedOut)
            return Outcome(cancelled=not timed_out, timed_out=timed_out)
        failure = encode_exception(error, self._host.serializers)
        policy = self._definition.options.retry
        if policy is not None and failure.retryable and not policy.retries(error):
            failure = msgspec.structs.replace(failure, retryable=False)
        return Outcome(failure=failure)

    def _progress(self, progress: Progress) -> None:
        def report() -> None:
            if not self._over and self._finish is None:
                due = self._progress_due
                if due is None or progress.done >= due.done:
                    self._progress_due = progress
                self._host.ready(self)

        self._host.loop.call_soon_threadsafe(report)
