"""The checker of object histories finds what cannot be explained, and nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest

from perdure.testing.simulator.linearizability import Operation, explained


def apply(state: Any, did: Any) -> tuple[Any, Any]:
    """A list to append to."""
    return (state, state) if did == "read" else ((*state, did), len(state) + 1)


def explains(*operations: Operation, final: Any = None) -> bool:
    return explained(operations, (), apply, final)


def test_what_ran_at_once_may_have_any_order() -> None:
    first = Operation("a", 2, 0, 10)
    second = Operation("b", 1, 0, 10)
    assert explains(first, second, final=("b", "a"))
    assert not explains(first, second, final=("a", "b"))


def test_what_ended_before_comes_before() -> None:
    assert not explains(Operation("a", 2, 0, 4), Operation("b", 1, 5, 10))
    assert explains(Operation("a", 1, 0, 4), Operation("b", 2, 5, 10))


def test_a_doubled_and_a_lost_effect_are_found() -> None:
    assert not explains(Operation("a", 1, 0, 1), Operation("read", ("a", "a"), 2, 3))
    assert not explains(Operation("a", 1, 0, 1), Operation("read", (), 2, 3))


def test_readers_see_what_is_committed() -> None:
    early, late = Operation("read", (), 0, 9), Operation("read", ("a",), 0, 9)
    assert explains(Operation("a", 1, 0, 9), early, late)
    stale = Operation("read", (), 8, 9)
    assert not explains(Operation("a", 1, 0, 4), stale)


def test_one_sender_keeps_its_order() -> None:
    first = Operation("a", 2, 0, 10, sender="s", number=1)
    second = Operation("b", 1, 0, 10, sender="s", number=2)
    assert not explains(first, second)


@pytest.mark.parametrize("had_effect", [True, False])
def test_what_was_cancelled_may_have_had_its_effect(had_effect: bool) -> None:
    cancelled = Operation("a", None, 0, 3, completed=False)
    seen = ("a",) if had_effect else ()
    assert explains(cancelled, Operation("read", seen, 5, 6))
    assert not explains(cancelled, Operation("read", ("a", "a"), 5, 6))


def test_what_was_cancelled_has_no_effect_later_than_its_end() -> None:
    cancelled = Operation("a", None, 0, 3, completed=False)
    unseen, seen = Operation("read", (), 5, 6), Operation("read", ("a",), 7, 8)
    assert not explains(cancelled, unseen, seen)


def test_long_histories_are_decided() -> None:
    chance = random.Random(1)
    order = [*range(40)]
    operations = [Operation(each, each + 1, max(0, each - 3), each + 3) for each in order]
    chance.shuffle(operations)
    assert explains(*operations, final=tuple(order))
