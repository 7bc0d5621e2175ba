"""The commands of one attempt, from the moment the body issues them until they have an outcome.

A command is issued under its path, gets its key, waits for a slot, becomes ready; a ready step is
started, any other ready command is turned into an entry for the journal. Whether and when that
happens, and what is recorded already, is the machine's business (`perdure_runtime.core.machine`).
"""

from __future__ import annotations

from typing import Any, Final

from perdure_runtime.core.arrivals import Arrivals, Wait
from perdure_runtime.core.checkpoints import Checkpoints
from perdure_runtime.core.entries import (
    BranchCompleted,
    CallIssued,
    Command,
    CommandReused,
    EventAwaited,
    EventSent,
    Forgotten,
    PromiseCreated,
    StepCompleted,
    StepFailed,
    StepStarted,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.core.ids import ExecutionKey, child_id
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
    CallRequest,
    EventRequest,
    Issued,
    PromiseRequest,
)
from perdure_runtime.core.lookup import Earlier, Success
from perdure_runtime.core.payload import NULL, Failure, FailureCode, Payload
from perdure_runtime.core.slots import Slots

_UNLIMITED: Final = (*LEAVING, EVENT, PROMISE)
_LASTING: Final = (*LEAVING, PROMISE)
"""What is recorded although the body has ended: somebody outside may know of it."""


class Commands:
    """All commands of an attempt that are not done.

    Attributes:
        open: by path, what was issued and has no outcome yet.
        ready: by path, what may start or be sent as soon as the machine is live.
        running: by path, steps that were started here and not reported.
        reports: entries about steps that wait to be sent.
        starts: steps to start, since the caller last emptied it.
        stops: running steps nobody waits for any more, likewise.
        starting: by path, steps whose start is on its way into the journal.
        gated: whether a ready step waits for the record of a promise.
        arrivals: the events that no wait has got yet.
        checkpoints: what steps have recorded of their own progress.
    """

    def __init__(self, key: ExecutionKey, run: int, attempt: int, limit: int | None) -> None:
        self._key = key
        self._run = run
        self._attempt = attempt
        self.open: dict[str, Issued] = {}
        self.ready: dict[str, Issued] = {}
        self.running: dict[str, Issued] = {}
        self.reports: list[Command] = []
        self.starts: list[Issued] = []
        self.stops: list[Issued] = []
        self.starting: dict[str, Issued] = {}
        self.successes: dict[bytes, Success] = {}
        self._begun: frozenset[bytes] = frozenset()
        self._generations: dict[bytes, int] = {}
        self.gated = False
        self.arrivals = Arrivals()
        self.checkpoints = Checkpoints()
        self._promises: set[str] = set()  # paths of those that are not recorded
        self._origins: dict[bytes, tuple[bytes, ...]] = {}  # of a fork: the scopes that a scope was
        self._hints: dict[str, Issued] = {}
        self._slots = Slots(limit)
        self._occurrences: dict[tuple[bytes, str, str, bytes], int] = {}

    def attempt_started(self, earlier: Earlier) -> None:
        """Fix what this attempt may reuse."""
        self.successes = earlier.successes
        self._generations = dict(earlier.generations)
        self._begun = frozenset(earlier.begun)
        self.arrivals = earlier.arrivals
        self.checkpoints = earlier.checkpoints
        created = earlier.created
        if created is not None and created.forked is not None:
            self._origins = {created.key_base: created.forked.bases}

    # --- by the body --------------------------------------------------------------------

    def issue(
        self,
        kind: str,
        path: str,
        scope: bytes,
        name: str,
        digest: bytes,
        request: Any,
        *,
        reuse: bool = True,
        single_start: bool = False,
        compensates: bytes = b"",
        object_state: Payload | None = None,
    ) -> Issued:
        """The body issues a command; its key and child id are known at once.

        Args:
            reuse: whether a success of an earlier attempt may stand in for it.
            single_start: record the start of a step before it starts (`at_most_once`).
            compensates: key (generation 0) of the operation that it undoes.
            object_state: what a step saves; it has nothing to run.
        """
        identity = (scope, kind, name, digest)
        occurrence = self._occurrences[identity] = self._occurrences.get(identity, 0) + 1
        issued = Issued(kind, path, scope, name, digest, request, self._attempt, occurrence)
        issued.single_start = single_start
        issued.compensates = compensates
        issued.object_state = object_state
        self.open[path] = issued
        origins = self._origins.get(scope, ())
        if origins:
            issued.first_scope = origins[-1]
        if self._generations:
            issued.generation = self._generations.get(issued.first_key, 0)
        if origins and kind == BRANCH:
            self._origins[issued.key] = tuple(issued.key_in(o, issued.generation) for o in origins)
        success = self._success(issued, origins) if reuse and self.successes else None
        if success is not None:
            issued.reused = True
            issued.child_id = success.child_id
            self.ready[path] = issued
            return issued
        issued.interrupted = single_start and issued.key in self._begun
        if kind in (CALL, SEND):
            call: CallRequest = request
            issued.child_id = call.child_id or child_id(self._key, self._run, self._attempt, path)
        if kind == EVENT:
            self.arrivals.take_for(issued, self.open.values())
        elif kind == PROMISE:
            self._promises.add(path)
        # A call of an object takes no slot: it may wait for long, for a lane that others stand in.
        runs = kind == STEP and object_state is None
        is_limited = runs or (kind == CALL and not request.target.key)
        may_go = kind in _UNLIMITED or kind in (CALL, STEP)
        if may_go and (not is_limited or self._slots.acquire(issued)):
            self.make_ready(issued)
        return issued

    def issue_timer(self, path: str, delay_ms: int) -> Issued:
        """The body waits for a timer that is still pending at quiescence."""
        issued = Issued(TIMER, path, b"", "", b"", delay_ms, self._attempt, 0)
        self.open[path] = self.ready[path] = issued
        return issued

    def branch_ended(self, issued: Issued, outcome: Payload | Failure) -> None:
        """A branch's body has its outcome; the caller gets it when it is recorded."""
        issued.reported = True
        issued.outcome = outcome
        if not (issued.recorded or issued.abandoned):
            self.ready[issued.path] = issued

    def abandon(self, issued: Issued) -> None:
        """Nobody waits for this command any more. Its slot is free at once: live and in replays
        alike, although a replay never starts the step again that would give it back."""
        if issued.abandoned or issued.done:
            return
        issued.abandoned = True
        self._promises.discard(issued.path)
        if issued.kind == EVENT and (issued.source_index or issued.reused):
            return  # it is recorded all the same: then the event goes on to the next wait
        self.ready.pop(issued.path, None)
        if issued.path in self.running:
            self.stops.append(issued)
        else:
            self._hints[issued.path] = issued
        self._release(issued)

    def ask_cancel(self, issued: Issued) -> None:
        """Have the callee of a call cancelled, and go on waiting for its outcome."""
        if issued.kind == CALL and not (issued.abandoned or issued.done or issued.reused):
            issued.cancel_asked = True
            self._hints[issued.path] = issued

    def forget(self, path: str, forgotten: Issued) -> Issued:
        """The next attempt issues this operation anew, under another key (compensation)."""
        original = forgotten.first_key
        issued = Issued(FORGET, path, b"", forgotten.name, original, None, self._attempt, 0)
        self.open[path] = self.ready[path] = issued
        return issued

    def _success(self, issued: Issued, origins: tuple[bytes, ...]) -> Success | None:
        """What an earlier attempt left for this command, in a fork also under its earlier keys."""
        success = self.successes.get(issued.key)
        for scope in origins:
            if success is None:
                success = self.successes.get(issued.key_in(scope, issued.generation))
        return success

    # --- by the machine, as the cursor passes entries ---------------------------------------

    def matched(self, issued: Issued) -> None:
        """A recorded entry stands for this command: it is not to be started or sent here."""
        issued.recorded = True
        self.ready.pop(issued.path, None)
        self._promises.discard(issued.path)
        if issued.path in self.running:  # another worker was faster, before a reconnect
            del self.running[issued.path]
            self.stops.append(issued)

    def complete(self, issued: Issued, outcome: Payload | Failure | None) -> Issued | None:
        """A command has its outcome: free its slot; return it if somebody waits for it."""
        issued.done = True
        issued.outcome = outcome
        del self.open[issued.path]
        if issued.holds_slot:
            self._release(issued)
        return None if issued.abandoned else issued

    def start_recorded(self, issued: Issued, here: bool) -> None:
        """The start of a step is on disk: it begins, if it is this activation's and still wanted.
        Another activation's may have had its effect."""
        self.starting.pop(issued.path, None)
        if issued.abandoned:
            return
        issued.start_recorded = here
        issued.interrupted = not here
        self.ready[issued.path] = issued

    def offer(self, index: int) -> None:
        """An event has lost its wait: the next one takes it, by an entry of its own."""
        wait = self.arrivals.offer(index, self.open.values())
        if wait is not None:
            self.ready[wait.path] = wait

    def try_failed(self, issued: Issued, tries: int) -> None:
        """A failed try of a step is recorded: its back-off runs."""
        issued.tries = tries
        issued.interrupted = False
        issued.backing_off = True
        if issued.abandoned:
            self._hints[issued.path] = issued

    def back_off_over(self, issued: Issued) -> None:
        """A step may start again."""
        issued.backing_off = False
        if not issued.abandoned:
            self.make_ready(issued)

    def make_ready(self, issued: Issued) -> None:
        """A command has its slot."""
        self.ready[issued.path] = issued

    def _release(self, issued: Issued) -> None:
        heir = self._slots.release(issued)
        if heir is not None:
            self.make_ready(heir)

    # --- by those who run steps -------------------------------------------------------------

    def step_finished(self, path: str, result: Payload | None, failure: Failure | None) -> None:
        """A step has its final result. That of an abandoned step is kept for R2 if it succeeded."""
        issued = self.running.pop(path, None)
        if issued is not None and not (issued.abandoned and result is None):
            self._report(issued, result, failure)

    def step_failed(self, path: str, failure: Failure, delay_ms: int) -> None:
        """A try of a step failed; it starts again when the recorded back-off has fired."""
        issued = self.running.pop(path, None)
        if issued is not None and not issued.abandoned:
            self.reports.append(
                StepFailed(
                    path,
                    issued.name,
                    issued.digest,
                    issued.key,
                    failure,
                    issued.tries + 1,
                    max(0, delay_ms),
                )
            )

    def checkpoint(self, path: str, name: str, value: Payload) -> int | None:
        """A running step has got so far; the number of its checkpoint. None: it is not running."""
        issued = self.running.get(path)
        if issued is None:
            return None
        made = self.checkpoints.make(path, issued.key, name, value)
        self.reports.append(made)
        return made.number

    def _report(self, issued: Issued, result: Payload | None, failure: Failure | None) -> None:
        self.reports.append(
            StepCompleted(
                issued.path,
                issued.name,
                issued.digest,
                issued.key,
                result,
                failure,
                issued.tries + 1,
                compensates=issued.compensates,
                object_state=issued.object_state,
            )
        )

    # --- on their way out -------------------------------------------------------------------

    def take(self) -> list[Command]:
        """Start the ready steps, and return all entries that are to be recorded."""
        commands: list[Command] = []
        self.gated = False
        if self.ready:
            ready, self.ready = self.ready, {}
            for issued in ready.values():
                if issued.kind == STEP and not issued.reused:
                    self._start(issued, commands)
                else:
                    commands.append(self._command(issued))
        if self.reports:
            commands += self.reports
            self.reports = []
        return commands

    def _start(self, issued: Issued, commands: list[Command]) -> None:
        if self._promises:
            # A step may hand out a token: the promise has to be on disk before.
            self.ready[issued.path] = issued
            self.gated = True
        elif issued.object_state is not None:
            self._report(issued, NULL, None)
        elif issued.interrupted:
            self._report(issued, None, _interrupted(issued))
        elif issued.single_start and not issued.start_recorded:
            self.starting[issued.path] = issued
            commands.append(StepStarted(issued.path, issued.name, issued.digest, issued.key))
        else:
            issued.start_recorded = False  # the next try records a start of its own
            self.running[issued.path] = issued
            self.starts.append(issued)

    def _command(self, issued: Issued) -> Command:
        path, name, digest = issued.path, issued.name, issued.digest
        if issued.kind == TIMER:
            return TimerStarted(path, issued.request)
        if issued.reused:
            source = self.successes[issued.key].index
            return CommandReused(path, issued.kind, name, digest, issued.key, source)
        if issued.kind == BRANCH:
            outcome = issued.outcome
            result = outcome if isinstance(outcome, Payload) else None
            failure = outcome if isinstance(outcome, Failure) else None
            return BranchCompleted(
                path, name, digest, issued.key, result, failure, compensates=issued.compensates
            )
        if issued.kind == FORGET:
            return Forgotten(path, name, digest)
        if issued.kind == EMIT:
            return ValueEmitted(path, issued.request, issued.key)
        if issued.kind in (EVENT, EVENT_SEND, PROMISE):
            return _event_command(issued)
        if issued.cancel_asked:  # before it was sent: what hints told of it was lost
            self._hints[path] = issued
        call: CallRequest = issued.request
        return CallIssued(
            path,
            call.target,
            call.input,
            issued.key,
            issued.child_id,
            call.timeout_ms,
            call.retry,
            call.handler_retry,
            call.detached,
            call.delay_ms,
            compensates=issued.compensates,
        )

    def take_hints(self) -> list[Issued]:
        """Abandoned commands of which others should know."""
        if not self._hints:
            return []
        hints = [issued for issued in self._hints.values() if not issued.done]
        self._hints.clear()
        return hints

    def hint_again(self) -> None:
        """After a reconnect: what was hinted may have been lost with the connection."""
        self._hints.update(
            (path, issued)
            for path, issued in self.open.items()
            if (issued.abandoned and path not in self.running) or issued.cancel_asked
        )

    @property
    def due(self) -> bool:
        """Whether an acknowledgement that is on its way lets the body or a step go on."""
        return self.gated or self.arrivals.due(self.open.values())

    @property
    def unclaimed(self) -> tuple[int, ...]:
        """Indexes of the events that no wait has got."""
        return self.arrivals.unclaimed(self.open.values())

    def abandon_all(self) -> list[Issued]:
        """The body ended: abandon all but what only leaves it; return the calls, steps and branches
        among them that the body had not abandoned itself."""
        left = [issued for issued in self.open.values() if issued.kind not in _LASTING]
        awaited = [issued for issued in left if not issued.abandoned and issued.kind != TIMER]
        for issued in left:
            self.abandon(issued)
            self.ready.pop(issued.path, None)
        return awaited

    def drop_all(self) -> None:
        """Nothing is started or sent any more."""
        self.ready.clear()
        self.running.clear()
        self.starting.clear()
        self.reports.clear()
        self._hints.clear()


def _event_command(issued: Issued) -> Command:
    path, key, request = issued.path, issued.key, issued.request
    if isinstance(request, Wait):
        source = issued.source_index
        return EventAwaited(
            path,
            request.event_id,
            key,
            request.timeout_ms,
            request.since_start,
            source_index=source,
        )
    if isinstance(request, EventRequest):
        return EventSent(
            path, request.event_id, request.payload, key, request.execution_id, request.dedupe_id
        )
    promise: PromiseRequest = request
    return PromiseCreated(path, issued.name, key, promise.timeout_ms, promise.heartbeat_timeout_ms)


def _interrupted(issued: Issued) -> Failure:
    return Failure(
        "StepInterrupted",
        f"step {issued.name!r} was interrupted, and it runs at most once",
        FailureCode.INTERRUPTED,
        module="perdure_runtime.core.errors",
        qualname="StepInterrupted",
        retryable=False,
    )
