"""What a body sees of its execution: facts, commands, state, virtual time.

The context layer of the SDK is built on this; users never meet it. Values are payloads here.
Every member raises `TornDown` once the body is given up. Decides nothing: commands go to the
machine, their outcomes come back through futures.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from perdure_runtime.core.arrivals import Wait
from perdure_runtime.core.entries import AttemptStarted, ExecutionCreated, Target
from perdure_runtime.core.errors import InvalidArgumentError, NotDeterministicError
from perdure_runtime.core.ids import PROMISE_DIGEST, wait_digest
from perdure_runtime.core.issued import (
    BRANCH,
    CALL,
    EMIT,
    EVENT,
    EVENT_SEND,
    PROMISE,
    SAVE,
    SEND,
    STEP,
    CallRequest,
    EventRequest,
    Issued,
    PromiseRequest,
)
from perdure_runtime.core.machine import ReplayMachine
from perdure_runtime.core.messages import Activate
from perdure_runtime.core.payload import NULL, Failure, Payload
from perdure_runtime.core.progress import progress_of
from perdure_runtime.core.retry import Retry
from perdure_runtime.driver.futures import BranchFuture, CommandFuture
from perdure_runtime.driver.options import ContinueAsNew, DriverOptions, TornDown
from perdure_runtime.loop import DeterministicLoop, Node
from perdure_runtime.loop.places import calling_place
from perdure_runtime.loop.slices import current

BranchBody = Callable[[], Coroutine[Any, Any, Payload | Failure]]


class Body:
    """One running body. Made by the driver when its attempt starts.

    Attributes:
        input: of the run, or the new one that an operator gave with a retry.
        key_base: the idempotency key of the whole execution.
        started: the policies of the attempt.
        cancelled: whether a cancellation or the attempt's timeout was delivered.
        cancel_requested: whether it was a cancellation.
        cancel_reason: what the one who cancelled said.
    """

    def __init__(
        self,
        activate: Activate,
        created: ExecutionCreated,
        started: AttemptStarted,
        loop: DeterministicLoop,
        machine: ReplayMachine,
        options: DriverOptions,
    ) -> None:
        self.key = activate.key
        self.run = activate.run
        self.attempt = activate.attempt
        self.target: Target = activate.target
        self.kind = activate.kind
        self.created = created
        self.started = started
        self.input = machine.earlier.input
        self.key_base = created.key_base
        self.loop = loop
        self.cancelled = False
        self.cancel_reason = ""
        self.cancel_requested = False
        self.closed = False
        self._compensating: dict[bytes, bytes] = {}  # scope -> what is undone there
        self._machine = machine
        self._commands = machine.commands
        self._writes = machine.writes
        self._options = options

    # --- facts --------------------------------------------------------------------------

    @property
    def is_replaying(self) -> bool:
        """Whether recorded entries remain."""
        return self._machine.is_replaying

    @property
    def scope(self) -> bytes:
        """Key of the enclosing branch, or the key base of the execution."""
        return self._scope(self._owner())

    def now(self) -> float:
        """Virtual time, epoch seconds."""
        self._check_open()
        return self.loop.now

    def random(self) -> random.Random:
        """The random stream of the current lineage, the same in every replay and attempt."""
        return self._owner().random()

    def uuid4(self) -> uuid.UUID:
        """The next UUID of the current lineage, the same in every replay and attempt."""
        self._owner()
        return self.loop.uuid4()

    # --- commands -----------------------------------------------------------------------

    def step(
        self,
        name: str,
        digest: bytes,
        spec: object,
        *,
        reuse: bool = True,
        at_most_once: bool = False,
    ) -> CommandFuture:
        """Issue a step. `spec` comes back in `StartStep`; digest b"" means: never reused."""
        node = self._owner()
        issued = self._commands.issue(
            STEP,
            node.next_path(),
            self._scope(node),
            name,
            digest,
            spec,
            reuse=reuse,
            single_start=at_most_once,
            compensates=self._compensated(node),
        )
        return self._future(issued)

    def save(self, state: Payload) -> CommandFuture:
        """Issue the saving of the object whose method this is; done when it is on disk."""
        node = self._owner()
        issued = self._commands.issue(
            STEP,
            node.next_path(),
            self._scope(node),
            SAVE,
            b"",
            None,
            reuse=False,
            object_state=state,
        )
        return self._future(issued)

    def call(
        self,
        target: Target,
        input: Payload,
        *,
        timeout_ms: int | None = None,
        retry: Retry | None = None,
        handler_retry: Retry | None = None,
        detached: bool = False,
        delay_ms: int = 0,
        child_id: str = "",
        reuse: bool = True,
    ) -> CommandFuture:
        """Issue a call; a detached one is done at once, its child's id is all it gives."""
        node = self._owner()
        request = CallRequest(
            target, input, timeout_ms, retry, handler_retry, detached, delay_ms, child_id
        )
        issued = self._commands.issue(
            SEND if detached else CALL,
            node.next_path(),
            self._scope(node),
            target.name(),
            input.digest,
            request,
            reuse=reuse,
            compensates=self._compensated(node),
        )
        future = self._future(issued)
        if detached:
            future.set_result(NULL)
        return future

    def branch(
        self,
        name: str,
        digest: bytes,
        body: BranchBody,
        *,
        reuse: bool = True,
        compensates: bytes = b"",
    ) -> BranchFuture:
        """Run `body` as a task of its own scope; its outcome is recorded.

        `body` returns a payload or a failure. It is not called when the outcome is reused.

        Args:
            compensates: key (generation 0) of the operation that the branch, and everything inside
                it, undoes: one success in it, and no later attempt reuses that operation.
        """
        node = self._owner()
        compensates = compensates or self._compensated(node)
        issued = self._commands.issue(
            BRANCH,
            node.next_path(),
            self._scope(node),
            name,
            digest,
            None,
            reuse=reuse,
            compensates=compensates,
        )
        if compensates:
            self._compensating[issued.key] = compensates
        future = BranchFuture(self.loop, self._commands, issued)
        self._note(issued)
        if not issued.reused:
            task = future.task = self.loop.create_task(body())
            task.node.scope = issued.key
            task.add_done_callback(lambda ended: self._branch_ended(future))
        return future

    def _branch_ended(self, future: BranchFuture) -> None:
        task = future.task
        assert task is not None
        if task.cancelled():
            future.cancel()
            return
        error = task.exception()
        if isinstance(error, TornDown):
            return
        outcome = task.result() if error is None else self._options.encode_failure(error)
        self._commands.branch_ended(future.issued, outcome)

    def wait_event(self, wait: Wait, *, reuse: bool = True) -> CommandFuture:
        """Wait for an event; gives its payload, or a failure of code `TIMEOUT`."""
        node = self._owner()
        issued = self._commands.issue(
            EVENT,
            node.next_path(),
            self._scope(node),
            wait.event_id,
            wait_digest(wait.since_start),
            wait,
            reuse=reuse,
        )
        return self._future(issued)

    def send_event(self, event: EventRequest, *, reuse: bool = True) -> CommandFuture:
        """Send an event; done at once, it goes out with what the body sends next."""
        node = self._owner()
        issued = self._commands.issue(
            EVENT_SEND,
            node.next_path(),
            self._scope(node),
            event.name(),
            event.payload.digest,
            event,
            reuse=reuse,
        )
        future = self._future(issued)
        future.set_result(NULL)
        return future

    def promise(self, name: str, clocks: PromiseRequest, *, reuse: bool = True) -> CommandFuture:
        """Make a promise; its key names it to those who settle it."""
        node = self._owner()
        issued = self._commands.issue(
            PROMISE,
            node.next_path(),
            self._scope(node),
            name,
            PROMISE_DIGEST,
            clocks,
            reuse=reuse,
        )
        return self._future(issued)

    def emit(self, value: Payload, *, reuse: bool = True) -> None:
        """Emit a value; it is recorded in order with the other commands of the body."""
        node = self._owner()
        issued = self._commands.issue(
            EMIT, node.next_path(), self._scope(node), "", value.digest, value, reuse=reuse
        )
        self._note(issued)

    def ask_cancel(self, future: CommandFuture) -> None:
        """Have what a command runs cancelled, and go on waiting for its outcome.

        The callee of a call is asked, the task of a branch is cancelled; a step goes on.
        """
        self._check_open()
        if isinstance(future, BranchFuture):
            if future.task is not None and not future.task.done():
                future.task.cancel()
        else:
            self._commands.ask_cancel(future.issued)

    def forget(self, future: CommandFuture) -> None:
        """Make the next attempt issue this command anew, under another key (compensation)."""
        self._note(self._commands.forget(self._owner().next_path(), future.issued))

    def continue_as_new(self, input: Payload) -> NoReturn:
        """End the run; the next one begins with `input`. For the root task only."""
        node = self._owner()
        if node.root is not node:
            raise InvalidArgumentError(
                "ctx.continue_as_new() ends the whole body: call it in the body itself, not in a "
                "branch or a task of it"
            )
        if self.target.key:
            raise InvalidArgumentError(
                "ctx.continue_as_new() is for functions and flows, not for methods of objects"
            )
        raise ContinueAsNew(input)

    def patched(self, id: str, *, deprecated: bool = False) -> bool:
        """Whether the attempt runs the code behind a patch."""
        self._owner()
        machine = self._machine
        return machine.patches.decide(id, deprecated=deprecated, replaying=machine.is_replaying)

    # --- state --------------------------------------------------------------------------

    def state_get(self, key: str) -> Payload | None:
        """The value of a key of `ctx.state`, None when there is none."""
        self._check_open()
        return self._writes.state.get(key)

    def state_set(self, key: str, value: Payload) -> None:
        """Set a key; recorded with the next command."""
        self._check_writable()
        self._writes.write(key, value)

    def state_delete(self, key: str) -> None:
        """Delete a key; nothing is recorded when it is not there."""
        self._check_writable()
        if key in self._writes.state:
            self._writes.write(key, None)

    def state_keys(self) -> list[str]:
        """The keys, in order of insertion."""
        self._check_open()
        return self._writes.keys()

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the body is; coalesced, and never backwards."""
        self._check_open()
        self._machine.note_progress(progress_of(done, total, message))

    # --- inside -------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.closed:
            raise TornDown

    def _check_writable(self) -> None:
        if self._owner().is_finalizer:
            raise NotDeterministicError(
                "an async generator that was not closed is being finalized, at a moment that no "
                "replay repeats; its cleanup may not write state. Close the generator yourself: "
                "async with contextlib.aclosing(generator) as items: ..."
            )

    def _owner(self) -> Node:
        if self.closed:
            raise TornDown
        if current.loop is not self.loop:
            raise NotDeterministicError(
                f"the context of execution {self.key.id!r} was used outside of its body (in a "
                "step, a thread or another execution); use it in the body only"
            )
        return self.loop.owner

    def _scope(self, node: Node) -> bytes:
        scope: bytes = node.scope if node.scope is not None else self.key_base
        return scope

    def _compensated(self, node: Node) -> bytes:
        """What the commands of a lineage undo: its scope is that of a compensation, or is not."""
        return self._compensating.get(self._scope(node), b"") if self._compensating else b""

    def _future(self, issued: Issued) -> CommandFuture:
        self._note(issued)
        return CommandFuture(self.loop, self._commands, issued)

    def _note(self, issued: Issued) -> None:
        """The loop made progress; remember where the user's code issued this, if it may differ."""
        self.loop.note_progress()
        if not self._machine.is_certain(issued):
            issued.where = calling_place()
