"""Durable objects in the engine: lanes, states and refusals, joined to rows, dispatch and disk.

An exclusive method reaches the dispatcher only as the head of its object's lane. Its place is in
its row, so that the order survives a restart; its object's state is written with the outcome
(semantics, section 6). The rules are in `perdure_runtime.core.objects`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from perdure_coordinator.engine.dispatcher import Granted
from perdure_coordinator.engine.object_states import ObjectStates
from perdure_runtime.core import requests
from perdure_runtime.core.entries import Target
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.objects import (
    OBJECT,
    Lanes,
    Place,
    deadlock_failure,
    is_exclusive,
    object_of,
    reentrancy,
)
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.integrity import object_loss

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard

ALONE_AFTER: Final = 3  # crashes at one place: from then on nothing runs beside it


class Objects:
    """The durable objects of one shard.

    Attributes:
        spec_of: what is registered under (namespace, service, method), if anything.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._last_order = 0
        self._entered: list[Place] = []  # wait since a moment ago: may be in a deadlock
        self.lanes = Lanes()
        self.states = ObjectStates(shard)
        self.spec_of: Callable[[str, Target], MethodSpec | None] = lambda namespace, target: None

    # --- lanes ---------------------------------------------------------------------------------

    def restore(self, row: ExecutionRow) -> None:
        """Stand where the row says; rows come in the order of their places."""
        self._last_order = max(self._last_order, row.lane_order)
        place = _place(row)
        if place is not None:
            self.lanes.enter(place)

    def enqueue(self, execution: Execution) -> None:
        """The execution wants a worker: now, or when it is the head of its lane."""
        row = execution.row
        if row.lane_order:
            if self.lanes.is_head(row.key):
                self._dispatch(execution)
        elif not execution.attempt_open and is_exclusive(row.target, self._spec(row)):
            if self._enter(row):
                self._dispatch(execution)
        else:
            self._dispatch(execution)

    def waits(self, row: ExecutionRow) -> bool:
        """Whether a queued execution has to wait for others in its lane."""
        return row.lane_order > 0 and not self.lanes.is_head(row.key)

    def waiting_for(self, row: ExecutionRow) -> str:
        """What people read of an execution that waits in a lane; "" for all others."""
        place = self.lanes.find(row.key)
        if place is None or place.before is None:
            return ""
        head = self.lanes.head(place.lane)
        assert head is not None
        return f"object {place.lane.name()} held by execution {head.key.id}"

    def left(self, key: ExecutionKey) -> None:
        """The execution gave up its place: it ended, or was paused before it began."""
        head = self.lanes.leave(key)
        if head is not None:
            self._shard.dispatcher.enqueue(head.key, head.target, head.priority)
            self._shard.committer.kick()

    def end_deadlocks(self) -> None:
        """End the youngest call of each cycle that was closed a moment ago."""
        while self._entered:
            place = self._entered.pop()
            while (victim := self.lanes.deadlock(place)) is not None:
                victim.doomed = True
                holder = self.lanes.head(victim.lane)
                assert holder is not None
                failure = deadlock_failure(victim, holder.key)
                self._shard.submit(victim.key, partial(self._end_victim, victim, failure))

    def reentrancy(self, namespace: str, target: Target, held: tuple[str, ...]) -> Failure | None:
        """The failure of a call that would wait for its own callers; None: it would not.

        Who started the caller may have ended, and given back what it held: it did not wait for it.
        """
        lane = object_of(namespace, target)
        if lane is None or self.lanes.head(lane) is None:
            return None
        return reentrancy(target, self.spec_of(namespace, target), held)

    def missing_id(self, namespace: str, target: Target) -> Failure | None:
        """The failure of a call of an object method without the object's id."""
        spec = self.spec_of(namespace, target)
        if target.key or spec is None or spec.kind != OBJECT:
            return None
        return _missing_id(target)

    # --- attempts ------------------------------------------------------------------------------

    def may_begin(self, execution: Execution, spec: MethodSpec) -> Granted | None:
        """Whether a new attempt may begin on a worker that offers this; None: it may.

        What counts is how this worker has registered the method, whatever was known before.
        """
        row = execution.row
        name = object_of(row.key.namespace, row.target)
        exclusive = is_exclusive(row.target, spec)
        if not exclusive and row.lane_order:
            row.lane_order = 0
            self._changed(row)
            self.left(row.key)
        if spec.kind != OBJECT:
            return None
        if name is None:
            return self._refuse(execution, _missing_id(row.target))
        if exclusive and not row.lane_order:
            self._enter(row)
            self.end_deadlocks()
        if exclusive and not self.lanes.is_head(row.key):
            return Granted.GONE  # `left` brings it back
        kept = self.states.find(name)
        if kept is None:
            self.states.load(name, lambda: self._shard.dispatcher.loaded(row.key))
            return Granted.LOADING
        return self._refuse(execution, _damaged(name, kept.damage)) if kept.damage else None

    def state_for(self, execution: Execution, spec: MethodSpec) -> Payload | None:
        """What a new attempt starts from, once `may_begin` has let it."""
        name = object_of(execution.key.namespace, execution.row.target)
        if spec.kind != OBJECT or name is None:
            return None
        kept = self.states.find(name)
        assert kept is not None
        return kept.state

    def save(self, execution: Execution, state: Payload) -> None:
        """A method ended with a new state of its object: part of the same transaction."""
        name = object_of(execution.key.namespace, execution.row.target)
        assert name is not None
        self.states.save(name, execution.row.target.service, state)

    # --- inside --------------------------------------------------------------------------------

    def _enter(self, row: ExecutionRow) -> bool:
        self._last_order += 1
        row.lane_order = self._last_order
        self._changed(row)
        place = _place(row)
        assert place is not None
        if self.lanes.enter(place):
            return True
        if place.held:
            self._entered.append(place)
        return False

    def _changed(self, row: ExecutionRow) -> None:
        pending = self._shard.pending
        pending.row(row)
        self._shard.touched[row.key] = pending.serial

    def _dispatch(self, execution: Execution) -> None:
        row = execution.row
        alone = row.crash_count >= ALONE_AFTER and row.crash_index == execution.length
        self._shard.dispatcher.enqueue(row.key, row.target, row.priority, alone=alone)

    def _spec(self, row: ExecutionRow) -> MethodSpec | None:
        return self.spec_of(row.key.namespace, row.target)

    def _refuse(self, execution: Execution, failure: Failure) -> Granted:
        now_ms = self._shard.clock.now_ms()
        self._shard.decided(execution, requests.refuse(execution, failure, now_ms))
        return Granted.GONE

    def _end_victim(self, place: Place, failure: Failure, execution: Execution | None) -> None:
        place.doomed = False
        if execution is None or not self.waits(execution.row):
            return  # it ended, or its turn came, while it was loaded
        if execution.row.status is Status.QUEUED:
            self._refuse(execution, failure)


def _place(row: ExecutionRow) -> Place | None:
    lane = object_of(row.key.namespace, row.target)
    if lane is None:
        return None
    return Place(row.key, lane, row.lane_order, row.target, row.priority, row.held_objects)


def _missing_id(target: Target) -> Failure:
    message = (
        f"{target.name()} is a method of a durable object: say of which one, "
        "with key= or through a proxy"
    )
    return _failure("InvalidArgumentError", message)


def _damaged(name: ObjectKey, problem: str) -> Failure:
    return _failure("DataLossError", str(object_loss(name, problem)))


def _failure(type_name: str, message: str) -> Failure:
    return Failure(
        type_name,
        message,
        FailureCode.APPLICATION,
        module="perdure.errors",
        qualname=type_name,
        retryable=False,
    )
