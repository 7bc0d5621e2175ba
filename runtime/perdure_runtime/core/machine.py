"""The worker half of the engine: one attempt of one execution, replayed and continued.

Entries and commands go in, deliveries and messages come out. There is no I/O here, no clock, no
randomness and no asyncio; the same machine runs in workers, tests, the replayer and the simulator.

How it works. Entries are consumed in index order through a cursor (`next_delivery`), one delivery
at a time; the caller lets the body run to quiescence before it asks for the next. The body issues
commands under their paths. A command entry that the cursor passes must have been issued by then,
with the same kind, name and digest: that is the whole of replay matching, and it is the same for
journal pages, live entries and acknowledgements of our own commands. What was issued and is not
recorded stays ready; `flush` sends it once nothing is left to deliver, if it is still wanted. So a
replay sends nothing before its last page, and a step that a race has cancelled never starts.

What the body can depend on is therefore a function of the delivered prefix of the journal alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, cast

from perdure_runtime.core.arrivals import Arrived, no_event
from perdure_runtime.core.commands import Commands
from perdure_runtime.core.entries import (
    COMMANDS,
    AttemptEnded,
    AttemptStarted,
    AttemptTimedOut,
    BranchCompleted,
    CallCompleted,
    CallIssued,
    CancelRequested,
    Command,
    CommandReused,
    DependencyChanged,
    Entry,
    EventAwaited,
    EventReceived,
    EventSent,
    ExecutionContinued,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Forgotten,
    PatchDecided,
    Paused,
    PromiseCreated,
    PromiseSettled,
    Recorded,
    Resumed,
    StateWrite,
    StateWritten,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    TaskReported,
    TimerFired,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.errors import JournalMismatchError, ProtocolError
from perdure_runtime.core.ids import PROMISE_DIGEST, ExecutionKey, wait_digest
from perdure_runtime.core.issued import (
    BRANCH,
    CALL,
    EMIT,
    EVENT,
    EVENT_SEND,
    FORGET,
    LEAVING,
    PROMISE,
    SEND,
    STEP,
    TIMER,
    Issued,
    event_send_name,
)
from perdure_runtime.core.lookup import Earlier
from perdure_runtime.core.messages import Ack, Append, Finish, Progress
from perdure_runtime.core.mismatch import command_diff, patch_diff, withdrawn_diff, write_diff
from perdure_runtime.core.outbox import Outbox, Outcome
from perdure_runtime.core.patches import Patches
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.version import check_journal_version
from perdure_runtime.core.writes import StateWrites

Delivery = Issued | AttemptStarted | CancelRequested | AttemptTimedOut
"""What the body is to be told next: an issued command that has its outcome, or a signal."""


class Phase(StrEnum):
    """Where a machine stands."""

    REPLAYING = "replaying"
    LIVE = "live"
    FINISHED = "finished"  # the body's outcome is out
    POISONED = "poisoned"  # mismatch: every later delivery raises it again
    CLOSED = "closed"


class ReplayMachine:
    """One attempt of one execution.

    Attributes:
        commands: what the body issued; the caller issues, abandons and reports there.
        writes: the state.
        earlier: what earlier attempts left.
        on_recorded: told of each command that this activation sent, once it is in the journal;
            never of one that is replayed.
        patches: which code the attempt runs; the caller asks there.
        cursor: index of the next entry to deliver.
        received: index of the next entry to receive; `received_ms`: the time of the last one.
        time_ms: the latest time among the delivered entries of this attempt.
    """

    def __init__(
        self,
        key: ExecutionKey,
        run: int,
        attempt: int,
        epoch: int,
        *,
        max_concurrent_steps: int | None = None,
        checkpoint_interval: int = 1,
        patches: Iterable[str] = (),
    ) -> None:
        self.key = key
        self.attempt = attempt
        self.cursor = 0
        self.received = 0
        self.received_ms = 0
        self.time_ms = 0
        self.phase = Phase.REPLAYING
        self.earlier = Earlier()
        self.patches = Patches(patches)
        self.writes = StateWrites({})
        self.commands = Commands(key, run, attempt, max_concurrent_steps)
        self.outbox = Outbox(epoch)
        self.on_recorded: Callable[[Command], None] | None = None
        self._checkpoint_interval = checkpoint_interval
        self._started = False
        self._is_own_attempt = False  # of the entries that are received
        self._more = True
        self._replay_end = 0
        self._inbox: deque[Recorded] = deque()
        self._early_cancel: CancelRequested | None = None
        self._results = 0  # recorded since writes were sent last
        self._progress: Progress | None = None
        self._progress_due = False
        self._body_ended = False
        self._outcome: Outcome | None = None
        self._consumed = -1
        self._mismatch: JournalMismatchError | None = None

    # --- entries in ---------------------------------------------------------------------

    def receive(self, entries: Iterable[Recorded], more: bool) -> None:
        """Take a page of the journal. Raises ProtocolError on a gap or a repetition."""
        if not self._more:
            raise ProtocolError("a journal page came after the last one")
        for recorded in entries:
            self._take(recorded)
        self._more = more
        self._replay_end = self.received

    def receive_items(self, items: Iterable[Ack | Recorded], repeated: bool = False) -> None:
        """Take news in journal order: acknowledgements of own commands, and entries.

        Args:
            repeated: after a reconnect what is already known may come again; it is skipped.

        Raises:
            ProtocolError: a gap, a repetition, or an acknowledgement of what was not sent.
        """
        for item in items:
            if isinstance(item, Recorded):
                if not (repeated and item.index < self.received):
                    self._take(item)
                self.outbox.told_idle = False
            elif not (repeated and item.first_index + item.count <= self.received):
                self._expect(item.first_index)
                acknowledged = self.outbox.acknowledged(item)
                self._inbox.extend(acknowledged)
                if self.on_recorded is not None:
                    for recorded in acknowledged:
                        self.on_recorded(cast("Command", recorded.entry))
                self.received += item.count
                self.received_ms = item.time_ms

    def adopt(self, epoch: int, items: Iterable[Ack | Recorded]) -> None:
        """After a reconnect: take what was missed; what is unacknowledged goes out again."""
        self.receive_items(items, repeated=True)
        self.outbox.adopt(epoch)
        self.writes.send_again()
        self.commands.hint_again()

    def _expect(self, index: int) -> None:
        if index != self.received:
            raise ProtocolError(
                f"execution {self.key.id!r}: journal entry {index} came where {self.received} "
                "was expected"
            )

    def _take(self, recorded: Recorded) -> None:
        if not self.received and isinstance(recorded.entry, ExecutionCreated):
            self.cursor = self.received = recorded.index  # earlier runs are none of its business
        self._expect(recorded.index)
        self.received += 1
        self.received_ms = recorded.time_ms
        self._inbox.append(recorded)
        entry = recorded.entry
        if isinstance(entry, COMMANDS):
            if self.outbox.found(entry) and self.on_recorded is not None:
                self.on_recorded(entry)
            if isinstance(entry, PatchDecided) and self._is_own_attempt:
                self.patches.recorded.add(entry.id)
        elif isinstance(entry, AttemptStarted):
            self.outbox.recorded = 0
            self._is_own_attempt = entry.attempt == self.attempt

    # --- deliveries out -----------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether all that was received is delivered and no page is missing."""
        return not (self._more or self._inbox or self._early_cancel)

    @property
    def is_replaying(self) -> bool:
        """Whether recorded entries of the activation are still to be delivered."""
        return self._more or self.cursor < self._replay_end

    def is_certain(self, issued: Issued) -> bool:
        """Whether nothing can be found to differ: it is not recorded, or is the very next entry."""
        return issued.is_step_of(self._inbox[0].entry) if self._inbox else not self._more

    def next_delivery(self) -> Delivery | None:
        """Move the cursor to the next entry that tells the body something; None: none is here.

        Call it when the body is quiescent.

        Raises:
            JournalMismatchError: the body did not issue what is recorded; the machine is poisoned.
            ProtocolError: the journal is broken.
        """
        if self._mismatch is not None:
            raise self._mismatch
        if self._early_cancel is not None and self._started:
            cancel, self._early_cancel = self._early_cancel, None
            return cancel
        inbox = self._inbox
        while inbox:
            recorded = inbox.popleft()
            self.cursor = recorded.index + 1
            if not self._started:
                started = self._before(recorded)
                if started is not None:
                    return started
                continue
            if recorded.time_ms > self.time_ms:
                self.time_ms = recorded.time_ms
            entry = recorded.entry
            delivery = _PASS[type(entry)](self, recorded.index, entry)
            if delivery is not None:
                return delivery
        if self.phase is Phase.REPLAYING and self._started and not self._more:
            self.phase = Phase.LIVE
        return None

    def _before(self, recorded: Recorded) -> AttemptStarted | None:
        """Fold what earlier attempts left, up to the start of this one."""
        entry = recorded.entry
        if not isinstance(entry, AttemptStarted):
            if isinstance(entry, ExecutionCreated):
                check_journal_version(entry.journal_version)
            self.earlier.fold(recorded.index, entry)
            return None
        self.earlier.attempt_started(entry.attempt)
        if entry.attempt != self.attempt:
            return None
        if self.earlier.created is None:
            raise ProtocolError(f"the journal of {self.key.id!r} does not say how it was created")
        self._started = True
        self.time_ms = recorded.time_ms
        self.writes.state = self.earlier.state
        self.commands.attempt_started(self.earlier)
        self._early_cancel = self.earlier.cancel
        return entry

    def _match(self, index: int, entry: Any, kind: str, name: str, digest: bytes) -> Issued:
        """The issued command that a recorded one stands for; mismatch if there is none."""
        issued = self.commands.open.get(entry.path)
        if (
            issued is None
            or issued.kind != kind
            or issued.name != name
            or (issued.digest != digest and issued.digest and digest)
        ):
            raise self._diverged(index, entry, issued)
        self.commands.matched(issued)
        if entry.writes:
            self._confirm(index, entry.writes)
        return issued

    def _confirm(self, index: int, writes: tuple[StateWrite, ...]) -> None:
        differs = self.writes.confirm(writes)
        if differs is not None:
            raise self._poison(write_diff(index, *differs))

    def _diverged(self, index: int, entry: Command, issued: Issued | None) -> JournalMismatchError:
        others = [other for other in self.commands.open.values() if not other.recorded]
        return self._poison(command_diff(index, entry, issued, others, self._body_ended))

    def _poison(self, diff: str) -> JournalMismatchError:
        self.phase = Phase.POISONED
        self._mismatch = JournalMismatchError(diff)
        return self._mismatch

    def _done(self, issued: Issued, outcome: Payload | Failure | None) -> Issued | None:
        self._results += 1
        return self.commands.complete(issued, outcome)

    def _pass_step_started(self, index: int, entry: StepStarted) -> None:
        issued = self._match(index, entry, STEP, entry.name, entry.digest)
        here = index >= self._replay_end and self.outbox.is_own(entry.epoch)
        self.commands.start_recorded(issued, here)

    def _pass_step_completed(self, index: int, entry: StepCompleted) -> Issued | None:
        issued = self._match(index, entry, STEP, entry.name, entry.digest)
        return self._done(issued, entry.result if entry.result is not None else entry.failure)

    def _pass_step_failed(self, index: int, entry: StepFailed) -> None:
        issued = self._match(index, entry, STEP, entry.name, entry.digest)
        self.commands.try_failed(issued, entry.tries)

    def _pass_checkpoint(self, index: int, entry: StepCheckpointed) -> None:
        self._confirm(index, entry.writes)
        running = entry.path in self.commands.running
        self.commands.checkpoints.take_in(entry, is_running=running)

    def _pass_branch(self, index: int, entry: BranchCompleted) -> Issued | None:
        issued = self._match(index, entry, BRANCH, entry.name, entry.digest)
        if not (issued.reported or issued.abandoned):
            raise self._diverged(index, entry, issued)
        return self._done(issued, entry.result if entry.result is not None else entry.failure)

    def _pass_reused(self, index: int, entry: CommandReused) -> Issued | None:
        issued = self._match(index, entry, entry.kind, entry.name, entry.digest)
        success = self.commands.successes.get(entry.key)
        if success is None or success.index != entry.source_index:
            raise ProtocolError(
                f"entry {index} reuses entry {entry.source_index}, which holds no such result"
            )
        if issued.kind == EVENT and issued.abandoned:
            self.commands.complete(issued, None)
            self.commands.offer(success.index)
            return None
        delivered = self._done(issued, success.result)
        return None if issued.kind in LEAVING else delivered

    def _pass_call(self, index: int, entry: CallIssued) -> None:
        kind = SEND if entry.detached else CALL
        issued = self._match(index, entry, kind, entry.target.name(), entry.input.digest)
        if entry.detached:
            self._done(issued, None)

    def _pass_timer(self, index: int, entry: TimerStarted) -> None:
        self._match(index, entry, TIMER, "", b"")

    def _pass_value(self, index: int, entry: ValueEmitted) -> None:
        self._done(self._match(index, entry, EMIT, "", entry.value.digest), None)

    def _pass_forgotten(self, index: int, entry: Forgotten) -> None:
        self._done(self._match(index, entry, FORGET, entry.name, entry.key), None)

    def _pass_patch(self, index: int, entry: PatchDecided) -> None:
        if not self.patches.fits(entry):
            raise self._poison(patch_diff(index, entry.id))
        self._confirm(index, entry.writes)

    def _pass_state(self, index: int, entry: StateWritten) -> None:
        self._confirm(index, entry.writes)

    def _pass_call_completed(self, index: int, entry: CallCompleted) -> Issued | None:
        if entry.attempt != self.attempt:  # too late for its attempt, and for the lookup of this
            return None
        outcome = entry.result if entry.result is not None else entry.failure
        return self._done(self._waiting(index, entry.path), outcome)

    def _pass_timer_fired(self, index: int, entry: TimerFired) -> Issued | None:
        if entry.attempt != self.attempt:
            return None
        issued = self._waiting(index, entry.path)
        if issued.kind == TIMER:
            return self._done(issued, None)
        if issued.kind == EVENT:  # one that takes another's event has it from before this
            return None if issued.source_index else self._done(issued, no_event(issued))
        self.commands.back_off_over(issued)
        return None

    def _pass_event_awaited(self, index: int, entry: EventAwaited) -> Issued | None:
        digest = wait_digest(entry.since_start)
        issued = self._match(index, entry, EVENT, entry.event_id, digest)
        commands, arrivals = self.commands, self.commands.arrivals
        source = entry.source_index
        if not source:
            if not issued.abandoned and arrivals.take_for(issued, commands.open.values()):
                commands.ready[issued.path] = issued
            return None
        event = arrivals.events.get(source)
        if event is None:
            raise ProtocolError(f"entry {index} takes entry {source}, which is no event")
        arrivals.loose.discard(source)
        issued.source_index = source
        if issued.abandoned:
            commands.complete(issued, None)
            commands.offer(source)
            return None
        return self._done(issued, event.payload)

    def _pass_event_received(self, index: int, entry: EventReceived) -> Issued | None:
        issued = self._waiting(index, entry.path)
        if entry.payload is None and not issued.abandoned:
            raise self._poison(withdrawn_diff(index, issued))
        taken = issued.source_index > 0  # then it stays open: its own entry is on its way
        if not taken and issued.abandoned:
            self.commands.complete(issued, None)
        if entry.payload is None:
            return None
        event = Arrived(issued.name, entry.sequence, entry.payload)
        self.commands.arrivals.events[index] = event
        if taken or issued.abandoned:
            self.commands.offer(index)
            return None
        return self._done(issued, entry.payload)

    def _pass_event_sent(self, index: int, entry: EventSent) -> None:
        name = event_send_name(entry.event_id, entry.execution_id)
        self._done(self._match(index, entry, EVENT_SEND, name, entry.payload.digest), None)

    def _pass_promise_created(self, index: int, entry: PromiseCreated) -> None:
        self._match(index, entry, PROMISE, entry.name, PROMISE_DIGEST)

    def _pass_promise_settled(self, index: int, entry: PromiseSettled) -> Issued | None:
        if entry.attempt != self.attempt:  # the coordinator says it again if this attempt asks
            return None
        outcome = entry.result if entry.result is not None else entry.failure
        return self._done(self._waiting(index, entry.path), outcome)

    def _waiting(self, index: int, path: str) -> Issued:
        issued = self.commands.open.get(path)
        if issued is None or not issued.recorded:
            raise ProtocolError(f"entry {index} completes {path}, which is not open")
        return issued

    def _pass_cancel(self, index: int, entry: CancelRequested) -> Delivery:
        return entry

    def _pass_attempt_timed_out(self, index: int, entry: AttemptTimedOut) -> Delivery | None:
        return entry if entry.attempt == self.attempt else None

    def _pass_nothing(self, index: int, entry: Entry) -> None:
        return None

    # --- messages out -------------------------------------------------------------------

    def note_progress(self, progress: Progress) -> None:
        """Remember how far the body is; sent with what goes out next."""
        if self._progress is None or progress.done >= self._progress.done:
            self._progress = progress
            self._progress_due = self._progress_due or not self.is_replaying

    @property
    def idle(self) -> bool:
        """Whether the body waits for something from outside, so that it may be evicted."""
        commands = self.commands
        return (
            not (commands.running or self.outbox.waking)
            and self.phase is Phase.LIVE
            and self.complete
            and not (commands.due or commands.ready or commands.reports)
        )

    def flush(self) -> Append | None:
        """What goes out now that the body is quiescent and nothing is left to deliver."""
        if self.phase is not Phase.LIVE or not self.complete:
            return None
        commands = self._take_commands()
        busy = bool(self.commands.running)
        may_wait = busy or self._results < self._checkpoint_interval - 1
        writes: tuple[StateWrite, ...] = ()
        if commands or not may_wait:
            writes = self.writes.take()
            if writes:
                self._results = 0
        progress = self._progress
        if not (commands or writes or (self._progress_due and not may_wait)):
            progress = None
        if progress is not None:
            self._progress_due = False
        outbox = self.outbox
        hints = self.commands.take_hints()
        idle = not (busy or self.commands.due)
        if not (commands or writes or hints or progress or idle or outbox.is_repeating):
            return None
        calls, timers = self.outbox.known(hints, commands) if hints else ((), ())
        return outbox.append(commands, writes, self.cursor - 1, calls, timers, idle, progress)

    def _take_commands(self) -> list[Command]:
        return [*self.patches.take(), *self.commands.take()]

    def body_ended(self) -> list[Issued]:
        """The body and all its tasks have ended; return the commands nobody awaited.

        From now on `next_delivery` only checks what was received.
        """
        self._body_ended = True
        self._consumed = self.cursor - 1
        return self.commands.abandon_all()

    def finish(self, outcome: Outcome) -> list[Append | Finish]:
        """Send what is left, and the outcome. Call it when all is delivered.

        Call it again after `adopt`: the outcome goes out until the activation is ended.
        """
        if self._outcome is None:
            self._outcome = outcome
            self.phase = Phase.FINISHED
        messages: list[Append | Finish] = []
        append = self.outbox.append(self._take_commands(), (), self._consumed, (), (), False, None)
        if append is not None:
            messages.append(append)
        writes = self.writes.take()
        last = self.outbox.finish(
            self._outcome,
            self._consumed,
            writes,
            self._progress,
            self.commands.unclaimed,
            () if self._outcome.continue_input is None else self.writes.snapshot(),
        )
        return [*messages, last]

    def give_up(self, failure: Failure) -> list[Append | Finish]:
        """End the attempt as failed without recording anything else of it."""
        self._consumed = self.cursor - 1
        self.commands.drop_all()
        self.writes.drop()
        return self.finish(Outcome(failure=failure))

    def close(self) -> None:
        """Nothing is started or recorded from here on."""
        if self.phase is not Phase.POISONED:
            self.phase = Phase.CLOSED
        self.commands.drop_all()


_PASSED: Final = (
    *(AttemptStarted, AttemptEnded),
    *(ExecutionCreated, ExecutionContinued, ExecutionEnded, ExecutionRetried),
    *(DependencyChanged, Paused, Resumed, TaskReported),
)
"""Entries that are nothing to a body."""

_PASS: Final[dict[type[Entry], Callable[[ReplayMachine, int, Any], Delivery | None]]] = {
    StepStarted: ReplayMachine._pass_step_started,
    StepCompleted: ReplayMachine._pass_step_completed,
    StepFailed: ReplayMachine._pass_step_failed,
    StepCheckpointed: ReplayMachine._pass_checkpoint,
    CallIssued: ReplayMachine._pass_call,
    CallCompleted: ReplayMachine._pass_call_completed,
    TimerStarted: ReplayMachine._pass_timer,
    TimerFired: ReplayMachine._pass_timer_fired,
    BranchCompleted: ReplayMachine._pass_branch,
    CommandReused: ReplayMachine._pass_reused,
    StateWritten: ReplayMachine._pass_state,
    Forgotten: ReplayMachine._pass_forgotten,
    PatchDecided: ReplayMachine._pass_patch,
    ValueEmitted: ReplayMachine._pass_value,
    EventAwaited: ReplayMachine._pass_event_awaited,
    EventReceived: ReplayMachine._pass_event_received,
    EventSent: ReplayMachine._pass_event_sent,
    PromiseCreated: ReplayMachine._pass_promise_created,
    PromiseSettled: ReplayMachine._pass_promise_settled,
    CancelRequested: ReplayMachine._pass_cancel,
    AttemptTimedOut: ReplayMachine._pass_attempt_timed_out,
    **dict.fromkeys(_PASSED, ReplayMachine._pass_nothing),
}
