"""Any sequence of legal requests: what must hold after each is checked by `History`.

Beside it, the law that no execution gets stuck: whatever happened, the worker that answers, timers
that fire and children that end bring it to an outcome.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perdure_runtime.core import requests
from perdure_runtime.core.effects import Deliver, Enqueue, StartChild
from perdure_runtime.core.entries import Command, StepFailed, TimerStarted
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.rows import Timer
from tests.unit.core_history import BOOM, FLOW, RETRIED, History, call, step

SPECS = [
    FLOW,
    RETRIED,
    msgspec.structs.replace(RETRIED, attempt_timeout_ms=300),
    msgspec.structs.replace(FLOW, attempt_timeout_ms=300, on_exhausted="pause"),
    msgspec.structs.replace(RETRIED, execution_timeout_ms=2_000),
]
PARKED = (Status.PAUSED, Status.BLOCKED)


class Histories(RuleBasedStateMachine):
    """One execution and everything that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.spec = FLOW
        self.queued = True
        self.sent = -1  # what the lease holder has been sent
        self.idle_at = -1  # what it had consumed when it last said that it waits
        self.old_timers: list[Timer] = []

    @initialize(
        spec=st.sampled_from(SPECS),
        timeout_ms=st.none() | st.integers(1, 5_000),
        start_at_ms=st.none() | st.integers(0, 3_000),
    )
    def begin(self, spec: MethodSpec, timeout_ms: int | None, start_at_ms: int | None) -> None:
        self.spec = spec
        self.queued = False
        self.history = History(execution_timeout_ms=timeout_ms, start_at_ms=start_at_ms)
        self.note()

    def note(self) -> None:
        """What the shell would do with the last decision."""
        if self.history.effects(Enqueue):
            self.queued = True
        for effect in self.history.effects(Deliver):
            base = self.history.execution.length - len(self.history.new)
            assert base + effect.position == self.sent + 1, "news arrive in index order"
            self.sent += 1
        for start in self.history.effects(StartChild):
            assert start.call in self.history.new, "no child before its call"

    @property
    def held(self) -> bool:
        return bool(self.history.execution.epoch)

    # --- workers ---------------------------------------------------------------------------------

    @precondition(lambda self: self.history.status is Status.QUEUED)
    @rule()
    def grant(self) -> None:
        assert self.queued, "what is queued was handed to the dispatcher"
        assert not (self.history.execution.calls and not self.history.execution.attempt_open), (
            "an attempt starts when the calls of the one before are terminal"
        )
        self.queued = False
        self.history.grant(self.spec)
        self.sent = self.history.execution.length - 1
        self.note()

    @precondition(lambda self: self.held)
    @rule()
    def deliver(self) -> None:
        """The worker consumes what it was sent, and says so when it waits again."""
        self.idle_at = self.sent
        self.history.append(idle=True, consumed=self.sent)
        assert self.history.status is Status.SUSPENDED

    @precondition(lambda self: self.held)
    @rule(
        kinds=st.lists(st.sampled_from("scdtf"), max_size=3),
        idle=st.booleans(),
        hint=st.booleans(),
        data=st.data(),
    )
    def append(self, kinds: list[str], idle: bool, hint: bool, data: st.DataObject) -> None:
        execution = self.history.execution
        commands = [self.command(kind, execution.length + i) for i, kind in enumerate(kinds)]
        calls = tuple(path for attempt, path in execution.calls if attempt == execution.attempt)
        consumed = data.draw(st.integers(0, self.sent))
        if idle:
            self.idle_at = consumed
        self.history.append(
            *commands,
            idle=idle,
            consumed=consumed,
            cancel_calls=calls if hint else (),
            cancel_timers=tuple(execution.timers) if hint else (),
        )
        self.sent += len(commands)
        self.note()

    def command(self, kind: str, number: int) -> Command:
        path = f"0:{number}"
        attempt, run = self.history.execution.attempt, self.history.execution.row.run
        commands: dict[str, Command] = {
            "s": step(path),
            "c": call(path, attempt, run=run),
            "d": call(path, attempt, run=run, detached=True),
            "t": TimerStarted(path, number * 7 % 50),
            "f": StepFailed(path, "s", b"d" * 16, b"k" * 16, BOOM, 1, 20),
        }
        return commands[kind]

    @precondition(lambda self: self.held)
    @rule(
        how=st.sampled_from(["result", "failure", "cancelled", "timed_out", "continue_input"]),
        data=st.data(),
    )
    def finish(self, how: str, data: st.DataObject) -> None:
        outcomes: dict[str, object] = {"result": Payload(b"1"), "failure": BOOM}
        outcomes["continue_input"] = Payload(b"2")
        cancel_index = self.history.execution.cancel_index
        consumed = data.draw(st.integers(0, self.sent))
        self.history.finish(consumed=consumed, **{how: outcomes.get(how, True)})  # type: ignore[arg-type]  # by name
        if 0 <= cancel_index <= consumed:
            assert self.history.status in (Status.CANCELLED, Status.TIMED_OUT)
        elif how == "result" and self.history.status is not Status.COMPLETED:
            assert self.history.kinds.count("AttemptTimedOut") > 0
        self.note()

    @precondition(lambda self: self.held)
    @rule(how=st.sampled_from([History.release, History.mismatch, History.lose_worker]))
    def leave(self, how: Callable[[History], History]) -> None:
        how(self.history)
        self.note()

    @precondition(lambda self: not self.held and self.history.execution.attempt_open)
    @rule()
    def adopt(self) -> None:
        """A reconnected worker gets everything it missed with its new epoch."""
        if self.history.status in (Status.QUEUED, Status.RUNNING, Status.SUSPENDED):
            self.history.epoch += 1
            self.history.execution.epoch = self.history.epoch
            self.history.did(requests.adopt(self.history.execution))
            self.sent = self.history.execution.length - 1

    # --- the rest of the world -------------------------------------------------------------------

    @precondition(lambda self: self.history.execution.calls)
    @rule(fails=st.booleans(), data=st.data())
    def end_call(self, fails: bool, data: st.DataObject) -> None:
        attempt, path = data.draw(st.sampled_from(sorted(self.history.execution.calls)))
        self.history.complete_call(path, attempt, failure=BOOM if fails else None)
        self.note()

    @precondition(lambda self: self.history.timers)
    @rule()
    def fire(self) -> None:
        timer = min(self.history.timers.values(), key=lambda timer: timer.due_ms)
        self.old_timers.append(timer)
        self.history.fire(timer)
        self.note()

    @precondition(lambda self: self.old_timers)
    @rule(data=st.data())
    def fire_an_old_timer_again(self, data: st.DataObject) -> None:
        self.history.fire(data.draw(st.sampled_from(self.old_timers)))
        self.note()

    @rule(ms=st.integers(0, 1_000))
    def wait(self, ms: int) -> None:
        self.history.wait(ms)

    @rule()
    def cancel(self) -> None:
        ended = is_end(self.history.status)
        self.history.cancel()
        assert self.history.last.reply is not ended
        self.note()

    @precondition(
        lambda self: not is_end(self.history.status) and self.history.execution.cancel is None
    )
    @rule()
    def pause(self) -> None:
        self.history.pause()

    @precondition(lambda self: self.history.status in PARKED)
    @rule()
    def resume(self) -> None:
        self.history.resume()
        self.note()

    @precondition(lambda self: self.history.status in (*PARKED, Status.FAILED, Status.TIMED_OUT))
    @rule(input=st.none() | st.just(Payload(b"2", digest=b"e" * 16)))
    def retry(self, input: Payload | None) -> None:
        self.history.retry(input)
        assert self.history.execution.row.crash_count == 0
        self.note()

    # --- laws ------------------------------------------------------------------------------------

    @invariant()
    def news_keep_it_running(self) -> None:
        """A worker that dies before consuming its news must not leave it suspended."""
        if self.history.status is Status.SUSPENDED:
            assert self.idle_at >= self.history.execution.wake_index

    @invariant()
    def queued_is_in_the_dispatcher(self) -> None:
        if self.history.status is Status.QUEUED:
            assert self.queued

    def teardown(self) -> None:
        """It is not stuck: whatever has happened, it comes to an end."""
        for _ in range(200):
            if is_end(self.history.status):
                return
            self.bring_nearer()
        raise AssertionError(f"stuck as {self.history.status} after {self.history.kinds}")

    def bring_nearer(self) -> None:
        history = self.history
        match history.status:
            case Status.PAUSED | Status.BLOCKED:
                self.resume()
            case Status.QUEUED:
                self.grant()
            case Status.RUNNING if self.held:
                consumed = self.sent
                history.finish(Payload(b"1"), consumed=consumed)
                self.note()
            case Status.RUNNING:
                history.did(requests.release(history.execution))
                self.note()
            case _ if history.execution.calls:
                attempt, path = next(iter(history.execution.calls))
                history.complete_call(path, attempt)
                self.note()
            case Status.SUSPENDED if self.held:  # the worker has work after all
                history.append(consumed=self.sent)
            case Status.SUSPENDED:
                self.cancel()
            case _:
                assert history.timers, f"{history.status} and nothing to wait for"
                self.fire()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
