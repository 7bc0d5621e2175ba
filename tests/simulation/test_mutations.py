"""Broken engines that the simulator finds: each breaks a rule, and one of a few seeds shows it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from perdure.testing.simulator import Faults, corpus, simulate
from perdure.worker.executor import Executor
from perdure_coordinator.engine.committer import Committer
from perdure_coordinator.engine.timers import Timers
from perdure_coordinator.engine.workers import Workers
from perdure_runtime.core import requests
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import Append
from perdure_runtime.core.outbox import Outbox

Patch = pytest.MonkeyPatch


def stale_epochs_are_accepted(patch: Patch) -> None:
    """I3: whoever had a lease once may write."""
    keys: dict[int, ExecutionKey] = {}
    sessions: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
    kept: list[Any] = []
    lease, receive = Workers._lease, Workers.receive

    def remember(self: Workers, execution: Execution, session: Any) -> int:
        epoch = lease(self, execution, session)
        keys[epoch] = execution.key
        sessions[session.id] = session
        kept.append(session)
        return epoch

    def holder(self: Workers, session: Any, epoch: int) -> Execution | None:
        return self._shard.executions.get(keys[epoch]) if epoch in keys else None

    def receive_all(self: Workers, session_id: str, messages: Any) -> None:
        known = self._shard.sessions.by_id.get(session_id)
        if known is None and session_id in sessions:
            for message in messages:
                self._message(sessions[session_id], message)
            self._shard.committer.kick()
            return
        receive(self, session_id, messages)

    patch.setattr(Workers, "_lease", remember)
    patch.setattr(Workers, "_holder", holder)
    patch.setattr(Workers, "receive", receive_all)


def effects_leave_before_the_commit(patch: Patch) -> None:
    """I2: what was decided is told while it is being written."""
    write = Committer._write

    async def hurry(self: Committer, pending: Any) -> None:
        self.writing = asyncio.ensure_future(write(self, pending))  # type: ignore[attr-defined]

    patch.setattr(Committer, "_write", hurry)


def what_was_recorded_is_not_skipped(patch: Patch) -> None:
    """I4: what a worker says again after a reconnect is recorded again. Both sides keep it from
    that: the worker finds what it sent among what it missed, the coordinator compares `base`."""
    append = requests.append

    def forgetful(execution: Execution, message: Append, *rest: Any) -> Any:
        return append(execution, replace(message, base=execution.commands), *rest)

    def unseen(self: Outbox, command: Any) -> bool:
        self.recorded += 1
        return False

    patch.setattr(requests, "append", forgetful)
    patch.setattr(Outbox, "found", unseen)


def timers_fire_early(patch: Patch) -> None:
    """I10: half a second does not matter, neither to the heap nor to the decision."""
    due, decide = Timers._due, requests.timer_due

    def early(execution: Execution, timer: Any, now_ms: int, *rest: Any) -> Any:
        return decide(execution, timer, now_ms + 500, *rest)

    patch.setattr(Timers, "_due", lambda self, now_ms: due(self, now_ms + 500))
    patch.setattr(requests, "timer_due", early)


def adopted_epochs_are_given_again(patch: Patch) -> None:
    """I3: an adoption goes on with the epoch that the worker had."""
    take_over = Workers._take_over

    def keep(self: Workers, session: Any, execution: Execution, cached: Any, missed: Any) -> None:
        lease = self._lease

        def same(execution: Execution, session: Any) -> int:
            execution.epoch, execution.session_id = cached.epoch, session.id
            session.leases[cached.epoch] = execution.key
            return int(cached.epoch)

        self._lease = same  # type: ignore[method-assign] # for this adoption
        try:
            take_over(self, session, execution, cached, missed)
        finally:
            self._lease = lease  # type: ignore[method-assign] # as it was

    patch.setattr(Workers, "_take_over", keep)


def unsent_work_is_forgotten(patch: Patch) -> None:
    """A worker that lost its coordinator drops what it had not told."""

    def disconnected(self: Executor, error: Exception | None) -> None:
        self.session_id = ""
        for activation in list(self._activations.values()):
            self._idle[activation] = None

    patch.setattr(Executor, "disconnected", disconnected)
    patch.setattr(Executor, "_adopt", lambda self, message: None)


MUTATIONS: list[Callable[[Patch], None]] = [
    stale_epochs_are_accepted,
    effects_leave_before_the_commit,
    what_was_recorded_is_not_skipped,
    timers_fire_early,
    adopted_epochs_are_given_again,
    unsent_work_is_forgotten,
]
SEEDS = 60


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: str(mutation.__name__))
def test_a_broken_engine_is_found(mutation: Callable[[Patch], None]) -> None:
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        mutation(patch)
        for seed in range(SEEDS):
            run = simulate(corpus.find("orders"), seed, Faults())
            if run.violations:
                found = [f"seed {seed}", *map(str, run.violations)]
                break
    assert found, f"{mutation.__doc__} No seed below {SEEDS} shows it."
