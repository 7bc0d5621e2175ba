"""Builds the coordinator's state of one execution by requests, as the engine's shell would.

Every request goes through `did`, which gives entries their places, evolves the state, keeps the
timers and checks what must hold after each: so a test is a history and what it asked for last.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from perdure_runtime.core import effects as fx
from perdure_runtime.core import requests
from perdure_runtime.core.entries import (
    CallIssued,
    Command,
    Entry,
    ExecutionEnded,
    ExecutionRetried,
    Recorded,
    StartOptions,
    StepCompleted,
    Target,
)
from perdure_runtime.core.execution import Execution, apply, evolve
from perdure_runtime.core.ids import ExecutionKey, ParentLink, child_id
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.messages import Append, Finish, MethodSpec
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import NO_RETRY, Retry
from perdure_runtime.core.rows import Timer, TimerKind

KEY = ExecutionKey("default", "a")
TARGET = Target("orders", "charge")
INPUT = Payload(b"1", digest=b"d" * 16)
GRACE_MS = 10_000
BOOM = Failure("ValueError", "boom")
FLOW = MethodSpec("orders", "charge", "flow", retry=NO_RETRY)
RETRIED = msgspec.structs.replace(FLOW, retry=Retry(2, 100))

F = TypeVar("F")


def step(path: str) -> StepCompleted:
    """A step's one entry."""
    return StepCompleted(path, "s", b"d" * 16, b"k" * 16, Payload(b"1"))


def call(path: str, attempt: int = 1, **fields: Any) -> CallIssued:
    """A call whose child's id is its address."""
    id = fields.pop("child_id", "") or child_id(KEY, fields.pop("run", 1), attempt, path)
    return CallIssued(path, Target("mail", "send"), INPUT, b"k" * 16, id, **fields)


def address(path: str, attempt: int = 1, run: int = 1) -> ParentLink:
    """What the child of `call(path, attempt)` knows of its caller."""
    return ParentLink(KEY, run, attempt, path)


class History:
    """One execution, its journal, its timers, and the last decision."""

    def __init__(self, **options: Any) -> None:
        self.now_ms = 1_000
        self.epoch = 0
        self.entries: list[Recorded] = []
        self.timers: dict[tuple[str, str], Timer] = {}
        self.last = fx.Decision()
        parent = options.pop("parent", None)
        event_sequence = options.pop("event_sequence", 0)
        key, key_base = options.pop("key", KEY), options.pop("key_base", b"")
        self.execution, decision = requests.create(
            key,
            TARGET,
            INPUT,
            StartOptions(**options),
            self.now_ms,
            parent=parent,
            event_sequence=event_sequence,
            key_base=key_base,
        )
        self.did(decision)

    # --- requests ------------------------------------------------------------------------------

    def grant(self, spec: MethodSpec = FLOW) -> History:
        decision = requests.grant(self.execution, spec, "b1", self.now_ms)
        self.epoch += 1
        self.execution.epoch = self.epoch
        return self.did(decision)

    def append(self, *commands: Command, idle: bool = False, **fields: Any) -> History:
        fields.setdefault("base", self.execution.commands)
        fields.setdefault("consumed", self.execution.length - 1)
        request = Append(self.execution.epoch, commands=commands, idle=idle, **fields)
        return self.did(requests.append(self.execution, request, self.now_ms, 0.0))

    def finish(self, result: Payload | None = None, **fields: Any) -> History:
        fields.setdefault("base", self.execution.commands)
        fields.setdefault("consumed", self.execution.length - 1)
        request = Finish(self.execution.epoch, result=result, **fields)
        return self.did(requests.finish(self.execution, request, self.now_ms, 0.0))

    def fail(self, failure: Failure = BOOM) -> History:
        return self.finish(failure=failure)

    def cancel(self, reason: str = "why", **fields: Any) -> History:
        return self.did(requests.cancel(self.execution, reason, self.now_ms, GRACE_MS, **fields))

    def pause(self) -> History:
        return self.did(requests.pause(self.execution, "lunch", self.now_ms))

    def resume(self) -> History:
        return self.did(requests.resume(self.execution, self.now_ms))

    def retry(self, input: Payload | None = None) -> History:
        return self.did(requests.retry(self.execution, input, self.now_ms))

    def mismatch(self, diff: str = "differs") -> History:
        return self.did(requests.mismatch(self.execution, diff, self.now_ms))

    def release(self) -> History:
        return self.did(requests.release(self.execution))

    def lose_worker(self, max_crashes: int = 10) -> History:
        self.execution.epoch = 0
        return self.did(requests.lease_lost(self.execution, max_crashes, self.now_ms))

    def complete_call(
        self, path: str, attempt: int = 1, run: int | None = None, **fields: Any
    ) -> History:
        failure = fields.get("failure")
        result = None if failure else Payload(b"2")
        link = address(path, attempt, run or self.execution.row.run)
        return self.did(requests.call_completed(self.execution, link, result, failure, self.now_ms))

    def fire(self, timer: Timer) -> History:
        """The timer is due, whatever has become of it since it was set."""
        self.now_ms = max(self.now_ms, timer.due_ms)
        return self.did(requests.timer_due(self.execution, timer, self.now_ms, 0.0, GRACE_MS))

    def fire_next(self) -> History:
        """The earliest timer is due."""
        return self.fire(min(self.timers.values(), key=lambda timer: timer.due_ms))

    def wait(self, ms: int) -> History:
        """Time passes; timers that become due stay unfired."""
        self.now_ms += ms
        return self

    # --- what came of it -----------------------------------------------------------------------

    def did(self, decision: fx.Decision) -> History:
        """Record a decision as the shard does, and check what must hold after every one."""
        self.last = decision
        recorded = [
            Recorded(self.execution.length + offset, self.now_ms, entry)
            for offset, entry in enumerate(decision.entries)
        ]
        self.entries += recorded
        apply(self.execution, decision, recorded)
        for effect in decision.effects:
            self._follow(effect)
        self._check()
        return self

    def _follow(self, effect: fx.Effect) -> None:
        execution = self.execution
        match effect:
            case fx.SetTimer():
                name = (effect.kind.value, effect.path)
                self.timers[name] = Timer(
                    KEY, 0, effect.kind, effect.path, effect.due_ms, 1, execution.attempt
                )
            case fx.ClearTimer():
                self.timers.pop((effect.kind.value, effect.path), None)
            case fx.ClearTimers():
                self.timers.clear()
            case fx.EndLease():
                assert effect.epoch == execution.epoch
                execution.epoch = 0
            case fx.Deliver():
                assert execution.epoch, "there is nobody to deliver to"
            case _:
                pass

    def _check(self) -> None:
        execution = self.execution
        indices = [r.index for r in self.entries]
        assert indices == list(range(len(self.entries))), "indices are gapless"
        times = [r.time_ms for r in self.entries]
        assert times == sorted(times), "times never decrease"
        ended = is_end(execution.row.status)
        outcomes = [r for r in self.entries if isinstance(r.entry, ExecutionEnded)]
        retried = [r for r in self.entries if isinstance(r.entry, ExecutionRetried)]
        assert ended == (execution.ended is not None), "status and journal agree"
        assert len(outcomes) <= len(retried) + 1, "one outcome, and one more per retry"
        if ended:
            assert not self.timers, "no timer is left after the end"
            assert self.entries[-1] == outcomes[-1], "the outcome is the last entry"
            assert execution.epoch == 0, "no lease is left after the end"
        if not execution.attempt_open:
            body = [name for name in self.timers if name[0] in (TimerKind.TIMER, TimerKind.ATTEMPT)]
            assert not body, "an attempt's timers end with it"
        if execution.row.status in (Status.PAUSED, Status.BLOCKED):
            clocks = [n for n in self.timers if n[0] not in (TimerKind.TIMER, TimerKind.START)]
            assert not clocks, "timeouts stand still while parked"
        if execution.row.status in (Status.RUNNING, Status.SUSPENDED, Status.BLOCKED):
            assert execution.attempt_open
        if execution.row.status in (Status.SCHEDULED, *_ENDS):
            assert not execution.attempt_open
        assert _implied(self.fold()) == _implied(execution), "the fold is the state"

    def fold(self) -> Execution:
        """The state as a restart would make it."""
        folded = Execution(self.execution.row)
        for recorded in self.entries:
            evolve(folded, recorded)
        return folded

    @property
    def status(self) -> Status:
        return self.execution.row.status

    @property
    def kinds(self) -> list[str]:
        """The journal by the names of its entries."""
        return [type(r.entry).__name__ for r in self.entries]

    @property
    def new(self) -> list[Entry]:
        """The entries of the last decision."""
        return self.last.entries

    def effects(self, kind: type[F]) -> list[F]:
        """The effects of this kind in the last decision."""
        return [effect for effect in self.last.effects if isinstance(effect, kind)]

    def due_in(self, kind: TimerKind, path: str = "") -> int | None:
        """Milliseconds until a timer is due; None when it is not set."""
        timer = self.timers.get((kind.value, path))
        return None if timer is None else timer.due_ms - self.now_ms


_ENDS = [status for status in Status if is_end(status)]


def _implied(execution: Execution) -> dict[str, Any]:
    fields = msgspec.structs.asdict(execution)
    for name in ("row", "chain", "epoch", "session_id", "heartbeats"):
        del fields[name]
    return fields
