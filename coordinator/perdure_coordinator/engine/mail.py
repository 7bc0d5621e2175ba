"""Mail between executions: nothing that one asks of another is lost or done twice.

A letter to an execution in memory is applied in the same batch as the decision that wrote it. Any
other rests in the outbox, written in that same transaction, until its destination is loaded; the
transaction that applies it removes it (ARCHITECTURE.md, I11). Decides nothing: requests do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure_coordinator.engine.letters import Letter, decode_letter, destination, encode_letter
from perdure_runtime.core import requests
from perdure_runtime.core.client import IdPolicy, Outcome
from perdure_runtime.core.effects import CancelChild, CompleteCall, StartChild
from perdure_runtime.core.entries import StartOptions
from perdure_runtime.core.errors import AlreadyExistsError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, ParentLink, is_derived, shard_of
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.limits import due_after
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.requests.wake import outcome_of
from perdure_runtime.storage import OutboxRow

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard


class Mail:
    """The letters of one shard.

    Attributes:
        attached: calls that wait for an execution which they did not start (an explicit id); their
            letters stay in the outbox until it ends, so that they survive a restart.

    Letters to an execution in quarantine stay in the outbox too, until it is deleted.
    """

    def __init__(self, shard: Shard, next_id: int) -> None:
        self._shard = shard
        self._next_id = next_id
        self.attached: dict[ExecutionKey, list[tuple[StartChild, int]]] = {}
        self._held: dict[ExecutionKey, list[tuple[Letter, int]]] = {}

    def send(self, letter: Letter) -> None:
        """Apply an effect on another execution in this batch, or put it into the outbox."""
        key = destination(letter)
        target = self._shard.executions.get(key)
        made = isinstance(letter, StartChild) and is_derived(key)
        if target is not None or made:  # a made id is the address of this call: the child is new
            self._receive(target, letter, None)
            return
        self._deliver_later(self._write(key, letter), key, letter)

    def redeliver(self, row: OutboxRow) -> None:
        """Deliver a letter that an earlier owner wrote and did not deliver."""
        self._next_id = max(self._next_id, row.id + 1)
        self._deliver_later(row.id, row.destination, decode_letter(row.body))

    def ended(self, key: ExecutionKey, outcome: Outcome) -> None:
        """An execution ended: complete the calls that had attached to it."""
        for start, outbox_id in self.attached.pop(key, ()):
            self._complete(start.parent, outcome)
            self._shard.pending.delivered(outbox_id)

    def _write(self, key: ExecutionKey, letter: Letter) -> int:
        outbox_id = self._next_id
        self._next_id += 1
        row = OutboxRow(outbox_id, shard_of(key), key, encode_letter(letter))
        self._shard.pending.letter(row)
        return outbox_id

    def _deliver_later(self, outbox_id: int, key: ExecutionKey, letter: Letter) -> None:
        self._shard.submit(
            key,
            lambda execution: self._receive(execution, letter, outbox_id),
            lambda _: self._held.setdefault(key, []).append((letter, outbox_id)),
        )

    def let_go(self, key: ExecutionKey) -> None:
        """An execution has left the quarantine: deliver what was held."""
        for letter, outbox_id in self._held.pop(key, ()):
            self._deliver_later(outbox_id, key, letter)

    def _receive(self, execution: Execution | None, letter: Letter, outbox_id: int | None) -> None:
        shard = self._shard
        now_ms = shard.clock.now_ms()
        keep = False
        match letter:
            case StartChild():
                keep = self._start_child(execution, letter, now_ms, outbox_id)
            case CancelChild():
                self._cancel_child(execution, letter, now_ms)
            case CompleteCall() if execution is not None:
                decision = requests.call_completed(
                    execution, letter.parent, letter.result, letter.failure, now_ms
                )
                shard.decided(execution, decision)
            case _:
                pass
        if outbox_id is not None and not keep:
            shard.pending.delivered(outbox_id)
            shard.committer.kick()

    def _start_child(
        self,
        existing: Execution | None,
        start: StartChild,
        now_ms: int,
        outbox_id: int | None,
    ) -> bool:
        """Create the child of a call, or attach to it. Returns whether the letter must be kept."""
        call = start.call
        if existing is not None and existing.row.parent == start.parent:
            return False
        if existing is None or existing.ended is None:
            refused = self._refused(start)
            if refused is not None:
                self.send(CompleteCall(start.parent, None, refused))
                return False
        if existing is None:
            self._create_child(start, now_ms)
            return False
        try:
            requests.check_attach(existing.row, call.target, call.input, IdPolicy.ATTACH)
        except AlreadyExistsError as error:
            failure = Failure(
                "AlreadyExistsError", str(error), FailureCode.ALREADY_EXISTS, retryable=False
            )
            self.send(CompleteCall(start.parent, None, failure))
            return False
        if start.parent.detached:
            return False
        if existing.ended is not None:
            self._complete(start.parent, outcome_of(existing, existing.ended))
            return False
        if outbox_id is None:
            outbox_id = self._write(existing.key, start)
        self.attached.setdefault(existing.key, []).append((start, outbox_id))
        return True

    def _refused(self, start: StartChild) -> Failure | None:
        """A call that can never run: it would wait for its own callers, or names no object."""
        namespace, target = start.parent.key.namespace, start.call.target
        objects = self._shard.objects
        if start.parent.detached:
            return None
        return objects.reentrancy(namespace, target, start.held) or objects.missing_id(
            namespace, target
        )

    def _create_child(self, start: StartChild, now_ms: int) -> None:
        call = start.call
        options = StartOptions(
            start_at_ms=due_after(now_ms, call.delay_ms) if call.delay_ms > 0 else None,
            execution_timeout_ms=call.timeout_ms,
            retry=call.retry,
            handler_retry=call.handler_retry,
        )
        created, decision = requests.create(
            destination(start),
            call.target,
            call.input,
            options,
            now_ms,
            key_base=call.key,
            parent=start.parent,
            trace=start.trace,
            event_sequence=self._shard.mailboxes.last_sequence,
            held=start.held,
            run=self._shard.loader.first_run(destination(start)),
        )
        self._shard.create(created, decision)

    def _cancel_child(self, execution: Execution | None, letter: CancelChild, now_ms: int) -> None:
        """Cancel what the call started; where it had attached to another's, only its wait ends."""
        if execution is None or execution.row.parent != letter.parent:
            self._detach(letter)
            failure = Failure("CallError", f"cancelled: {letter.reason}", FailureCode.CANCELLED)
            self.send(CompleteCall(letter.parent, None, failure))
        elif is_end(execution.row.status):
            # Its answer may have come while the caller had ended, before a retry: once more.
            assert execution.ended is not None
            self._complete(letter.parent, outcome_of(execution, execution.ended))
        else:
            grace_ms = self._shard.config.cancel_grace_ms
            decision = requests.cancel(execution, letter.reason, now_ms, grace_ms)
            self._shard.decided(execution, decision)

    def _detach(self, letter: CancelChild) -> None:
        left: list[tuple[StartChild, int]] = []
        for start, outbox_id in self.attached.pop(letter.child, ()):
            if start.parent == letter.parent:
                self._shard.pending.delivered(outbox_id)
            else:
                left.append((start, outbox_id))
        if left:
            self.attached[letter.child] = left

    def _complete(self, parent: ParentLink, outcome: Outcome) -> None:
        self.send(CompleteCall(parent, outcome.result, outcome.failure))
