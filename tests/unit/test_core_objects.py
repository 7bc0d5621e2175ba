"""Durable objects, the pure rules: lanes, held chains, reentrancy, deadlocks (semantics, 6)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure_runtime.core import requests
from perdure_runtime.core.effects import Decision, SaveObject, StartChild
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    CallIssued,
    ExecutionEnded,
    Recorded,
    StartOptions,
    StepCompleted,
    Target,
)
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.execution import Execution, apply
from perdure_runtime.core.ids import ExecutionKey, ObjectKey, child_id
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_PAYLOAD_BYTES
from perdure_runtime.core.messages import Append, Finish, MethodSpec
from perdure_runtime.core.objects import (
    Lanes,
    Place,
    chain_of,
    is_exclusive,
    object_of,
    reentrancy,
)
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.retry import Retry

KEY = ExecutionKey("default", "m1")
ADD = Target("shop", "Cart.add", "7")
EXCLUSIVE = MethodSpec("shop", "Cart.add", "object", retry=Retry(max_retries=1))
READS = MethodSpec("shop", "Cart.add", "object", shared=True)
STATE = Payload(b'{"items":1}')
NOW_MS = 1_000


def place(id: str, lane: str, order: int, *held: str) -> Place:
    """Somebody who wants the object `lane`, awaited by holders of the `held`."""
    class_name, _, key = lane.partition("/")
    target = Target("shop", f"{class_name}.m", key)
    named = ObjectKey("default", class_name, key)
    return Place(ExecutionKey("default", id), named, order, target, held=held)


def method(spec: MethodSpec = EXCLUSIVE, held: tuple[str, ...] = (), **state: Any) -> Execution:
    """An execution of a method whose first attempt has started."""
    execution, decision = requests.create(
        KEY, ADD, Payload(b"1"), StartOptions(), NOW_MS, held=held
    )
    take(execution, decision)
    take(execution, requests.grant(execution, spec, "", NOW_MS, **state))
    return execution


def take(execution: Execution, decision: Decision) -> None:
    """Apply a decision as the engine does."""
    first = execution.length
    places = range(first, first + len(decision.entries))
    recorded = [Recorded(i, NOW_MS, e) for i, e in zip(places, decision.entries, strict=True)]
    apply(execution, decision, recorded)


# --- who is exclusive ----------------------------------------------------------------------------


def test_only_exclusive_methods_with_an_id_stand_in_a_lane() -> None:
    assert is_exclusive(ADD, EXCLUSIVE)
    assert not is_exclusive(ADD, READS)
    assert not is_exclusive(Target("shop", "Cart.add"), EXCLUSIVE)
    assert not is_exclusive(ADD, MethodSpec("shop", "Cart.add", "function"))


def test_a_method_that_nobody_knows_yet_is_taken_for_an_exclusive_one() -> None:
    assert is_exclusive(ADD, None)
    assert not is_exclusive(Target("shop", "charge", "7"), None)


def test_an_object_is_named_by_namespace_class_and_id_not_by_its_service() -> None:
    other = Target("elsewhere", "Cart.remove", "7")
    assert object_of("default", ADD) == object_of("default", other)
    assert object_of("default", ADD) != object_of("other", ADD)
    assert object_of("default", Target("shop", "Cart.add")) is None


# --- held chains ---------------------------------------------------------------------------------


def issued(execution: Execution, target: Target, **fields: Any) -> StartChild:
    """The effect of a call that the execution issues."""
    id = child_id(KEY, 1, 1, "0:1")
    command = CallIssued("0:1", target, Payload(b"1"), b"k" * 16, id, **fields)
    append = Append(execution.epoch, execution.commands, 1, (command,))
    effects = requests.append(execution, append, NOW_MS, 0.0).effects
    return next(effect for effect in effects if isinstance(effect, StartChild))


def test_a_call_of_an_exclusive_method_carries_what_its_callers_hold_and_itself() -> None:
    execution = method(held=("Order/1",))
    assert issued(execution, Target("shop", "price")).held == ("Order/1", "Cart/7")


def test_a_call_of_a_shared_method_carries_only_what_its_callers_hold() -> None:
    execution = method(READS, held=("Order/1",))
    assert issued(execution, Target("shop", "price")).held == ("Order/1",)


def test_a_send_carries_nothing() -> None:
    assert issued(method(held=("Order/1",)), ADD, detached=True).held == ()


def test_nobody_awaits_an_ended_execution_any_more() -> None:
    execution = method(held=("Order/1",))
    take(execution, requests.finish(execution, Finish(0, 0, 1, Payload(b"1")), NOW_MS, 0.0))
    assert execution.row.held_objects == ()
    assert chain_of(execution.row) == ("Cart/7",)


def test_a_call_back_to_a_held_object_is_refused_and_never_retried() -> None:
    failure = reentrancy(ADD, EXCLUSIVE, ("Order/1", "Cart/7", "Stock/2"))
    assert failure is not None
    assert (failure.type_name, failure.code) == ("ReentrancyError", FailureCode.REENTRANCY)
    assert not failure.retryable
    assert "Order/1 -> Cart/7 -> Stock/2 -> Cart/7" in failure.message


def test_a_shared_method_of_a_held_object_may_be_called() -> None:
    assert reentrancy(ADD, READS, ("Cart/7",)) is None
    assert reentrancy(ADD, EXCLUSIVE, ("Cart/8",)) is None


# --- states --------------------------------------------------------------------------------------


def test_an_attempt_starts_from_the_state_and_a_failing_one_keeps_its_changes() -> None:
    execution = method(object_state=Payload(b"0"))
    assert isinstance(execution.started, AttemptStarted)
    assert execution.started.object_state == Payload(b"0")
    failed = Finish(0, 0, 1, failure=Failure("ValueError", "no"), object_state=STATE)
    decision = requests.finish(execution, failed, NOW_MS, 0.0)
    assert decision.effects[0] == SaveObject(STATE)
    assert isinstance(decision.entries[0], AttemptEnded)
    assert decision.entries[0].object_state == STATE


def test_a_method_that_sends_no_state_changes_none() -> None:
    """`on_error="rollback"`, and a method that changed nothing."""
    decision = requests.finish(method(), Finish(0, 0, 1, Payload(b"1")), NOW_MS, 0.0)
    assert not any(isinstance(effect, SaveObject) for effect in decision.effects)


def test_the_outcome_and_the_state_are_one_entry() -> None:
    finish = Finish(0, 0, 1, Payload(b"1"), object_state=STATE)
    [entry] = requests.finish(method(), finish, NOW_MS, 0.0).entries
    assert entry == ExecutionEnded(Status.COMPLETED, Payload(b"1"), object_state=STATE)


@pytest.mark.parametrize("spec", [READS, MethodSpec("shop", "Cart.add", "function")])
def test_only_the_holder_of_an_object_saves_a_state(spec: MethodSpec) -> None:
    finish = Finish(0, 0, 1, Payload(b"1"), object_state=STATE)
    with pytest.raises(ProtocolError, match="only exclusive methods"):
        requests.finish(method(spec), finish, NOW_MS, 0.0)


SAVED = StepCompleted("0:1", "save", b"", b"k" * 16, Payload(b"null"), object_state=STATE)


def test_what_a_method_saves_is_written_with_the_entry_that_says_so() -> None:
    decision = requests.append(method(), Append(0, 0, 1, (SAVED,)), NOW_MS, 0.0)
    assert [SAVED] == decision.entries
    assert SaveObject(STATE) in decision.effects


def test_what_was_saved_before_a_reconnect_is_not_saved_again() -> None:
    execution = method()
    append = Append(0, 0, 1, (SAVED,))
    apply(execution, requests.append(execution, append, NOW_MS, 0.0), [Recorded(2, NOW_MS, SAVED)])
    decision = requests.append(execution, append, NOW_MS, 0.0)
    assert [] == decision.entries
    assert not any(isinstance(effect, SaveObject) for effect in decision.effects)


@pytest.mark.parametrize("spec", [READS, MethodSpec("shop", "Cart.add", "function")])
def test_only_the_holder_of_an_object_saves_on_its_way(spec: MethodSpec) -> None:
    with pytest.raises(ProtocolError, match="only exclusive methods"):
        requests.append(method(spec), Append(0, 0, 1, (SAVED,)), NOW_MS, 0.0)


def test_a_state_over_the_limit_fails_the_method_and_is_not_saved() -> None:
    large = Payload(bytes(MAX_PAYLOAD_BYTES + 1))
    finish = Finish(0, 0, 1, Payload(b"1"), object_state=large)
    decision = requests.finish(method(), finish, NOW_MS, 0.0)
    [entry] = decision.entries
    assert isinstance(entry, ExecutionEnded)
    assert entry.failure is not None
    assert "object state" in entry.failure.message
    assert entry.object_state is None
    assert not any(isinstance(effect, SaveObject) for effect in decision.effects)


# --- lanes ---------------------------------------------------------------------------------------


def test_a_lane_is_first_come_first_served() -> None:
    lanes = Lanes()
    places = [place(f"m{n}", "Cart/7", n) for n in range(1, 5)]
    assert [lanes.enter(p) for p in places] == [True, False, False, False]
    assert lanes.leave(places[2].key) is None  # one that waited gives up
    assert lanes.leave(places[0].key) is places[1]
    assert lanes.leave(places[1].key) is places[3]
    assert lanes.leave(places[3].key) is None
    assert len(lanes) == 0


def test_lanes_of_different_objects_do_not_meet() -> None:
    lanes = Lanes()
    assert all(lanes.enter(place(f"m{n}", f"Cart/{n}", n)) for n in range(10))


LANES = [f"C/{n}" for n in range(3)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LANES), st.booleans(), st.integers(0, 5)), max_size=60))
def test_lanes_are_queues(steps: list[tuple[str, bool, int]]) -> None:
    """Against lists: enter at the end, leave from anywhere."""
    lanes, model, order = Lanes(), {lane: list[Place]() for lane in LANES}, 0
    for lane, enters, nth in steps:
        queue = model[lane]
        if enters:
            order += 1
            queue.append(place(f"m{order}", lane, order, *LANES[: nth % 3]))
            assert lanes.enter(queue[-1]) == (len(queue) == 1)
        elif queue:
            gone = queue.pop(nth % len(queue))
            was_head = not queue or gone.order < queue[0].order
            head = lanes.leave(gone.key)
            assert head is (queue[0] if was_head and queue else None)
        for name, waiting in model.items():
            class_name, _, key = name.partition("/")
            head = lanes.head(ObjectKey("default", class_name, key))
            assert head is (waiting[0] if waiting else None)
            assert [p for p in waiting if lanes.is_head(p.key)] == waiting[:1]
    assert len(lanes) == sum(1 for queue in model.values() if queue)


# --- deadlocks -----------------------------------------------------------------------------------


def test_two_chains_over_three_objects_are_a_deadlock_and_the_youngest_call_goes() -> None:
    """a holds A and B and waits for C; c holds C and waits for A."""
    lanes = Lanes()
    lanes.enter(place("a", "C/A", 1))
    lanes.enter(place("b", "C/B", 2, "C/A"))
    lanes.enter(place("c", "C/C", 3))
    third = place("a wants C", "C/C", 4, "C/A", "C/B")
    lanes.enter(third)
    assert lanes.deadlock(third) is None
    fourth = place("c wants A", "C/A", 5, "C/C")
    lanes.enter(fourth)
    assert lanes.deadlock(fourth) is fourth
    assert lanes.deadlock(third) is fourth  # from wherever one looks


def test_a_cycle_over_many_lanes_is_found() -> None:
    lanes, size = Lanes(), 50
    for n in range(size):
        lanes.enter(place(f"h{n}", f"C/{n}", n + 1))
    for n in range(size):
        waiting = place(f"w{n}", f"C/{(n + 1) % size}", size + n + 1, f"C/{n}")
        lanes.enter(waiting)
        assert (lanes.deadlock(waiting) is not None) == (n == size - 1)


def test_waiting_for_one_lane_from_many_sides_is_no_deadlock() -> None:
    lanes = Lanes()
    lanes.enter(place("hot", "C/hot", 1))
    for n in range(2, 20):
        lanes.enter(place(f"h{n}", f"C/{n}", n))
        waiting = place(f"w{n}", "C/hot", 100 + n, f"C/{n}")
        lanes.enter(waiting)
        assert lanes.deadlock(waiting) is None


def test_a_chain_that_holds_nothing_is_in_no_deadlock() -> None:
    lanes = Lanes()
    lanes.enter(place("a", "C/A", 1))
    lanes.enter(place("b", "C/B", 2))
    lanes.enter(place("a wants B", "C/B", 3, "C/A"))
    sent = place("sent by b", "C/A", 4)
    lanes.enter(sent)
    assert lanes.deadlock(sent) is None


def test_who_waited_for_a_holder_that_ended_keeps_nobody() -> None:
    """Its call is being cancelled; the next holder of A awaits something else."""
    lanes = Lanes()
    lanes.enter(place("a", "C/A", 1))
    lanes.enter(place("b", "C/B", 2))
    lanes.enter(place("a wants B", "C/B", 3, "C/A"))
    lanes.enter(place("a2", "C/A", 4))
    assert lanes.leave(ExecutionKey("default", "a")) is not None
    waiting = place("b wants A", "C/A", 5, "C/B")
    lanes.enter(waiting)
    assert lanes.deadlock(waiting) is None


def test_a_victim_that_is_being_ended_is_not_counted_again() -> None:
    lanes = Lanes()
    lanes.enter(place("a", "C/A", 1))
    lanes.enter(place("b", "C/B", 2))
    first, second = place("a wants B", "C/B", 3, "C/A"), place("b wants A", "C/A", 4, "C/B")
    lanes.enter(first)
    lanes.enter(second)
    assert lanes.deadlock(first) is second
    second.doomed = True
    assert lanes.deadlock(first) is None


def test_objects_of_other_namespaces_are_other_objects() -> None:
    lanes = Lanes()
    lanes.enter(place("a", "C/A", 1))
    lanes.enter(place("b", "C/B", 2))
    foreign = place("elsewhere", "C/B", 3, "C/A")
    foreign.lane = ObjectKey("other", "C", "B")
    assert lanes.enter(foreign)
    waiting = place("b wants A", "C/A", 4, "C/B")
    lanes.enter(waiting)
    assert lanes.deadlock(waiting) is None
