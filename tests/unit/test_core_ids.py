"""Ids and keys: they rest in journals and in other systems, so they never change."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perdure_runtime.core.ids import (
    CHAIN_START,
    SHARDS,
    ExecutionKey,
    child_id,
    command_key,
    make_epoch,
    next_chain,
    root_key_base,
    shard_of,
    unkeyed_command_key,
)
from perdure_runtime.core.limits import MAX_NAME_CHARS, check_name

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
KEYS = st.builds(ExecutionKey, NAMES, NAMES.filter(lambda name: not name.startswith("~")))
NUMBERS = st.integers(1, 2**40)
BYTES = st.binary(max_size=20)
OPERATIONS = st.tuples(BYTES, NAMES, NAMES, BYTES, NUMBERS, st.integers(0, 5))
ADDRESSES = st.tuples(KEYS, NUMBERS, NUMBERS, NAMES)


@given(OPERATIONS, OPERATIONS)
def test_two_operations_share_a_key_only_if_they_are_one(one: Any, other: Any) -> None:
    assert (one == other) == (command_key(*one) == command_key(*other))


@given(ADDRESSES, ADDRESSES)
def test_two_calls_share_a_child_only_if_they_are_one(one: Any, other: Any) -> None:
    assert (one == other) == (child_id(*one) == child_id(*other))


@given(NAMES, NAMES, NAMES)
def test_text_that_moves_between_fields_changes_the_key(a: str, b: str, c: str) -> None:
    assert command_key(b"", a + b, c, b"", 1) != command_key(b"", a, b + c, b"", 1)


@given(ADDRESSES)
def test_a_child_lives_in_the_shard_of_its_root(address: Any) -> None:
    key = address[0]
    child = ExecutionKey(key.namespace, child_id(*address))
    grandchild = ExecutionKey(key.namespace, child_id(child, 1, 1, "0:1"))
    assert shard_of(key) == shard_of(child) == shard_of(grandchild)
    assert 0 <= shard_of(key) < SHARDS


@given(ADDRESSES)
def test_a_made_id_is_a_valid_name(address: Any) -> None:
    made = child_id(*address)
    assert check_name("execution id", made) == made
    assert len(made) <= MAX_NAME_CHARS


def test_runs_and_namespaces_have_keys_of_their_own() -> None:
    bases = {
        root_key_base(ExecutionKey(namespace, "a"), run)
        for namespace in ("default", "other")
        for run in (1, 2)
    }
    assert len(bases) == 4


@given(BYTES, NAMES, NAMES, NUMBERS, NAMES)
def test_a_key_without_digest_is_never_shared_between_attempts(
    scope: bytes, kind: str, name: str, attempt: int, path: str
) -> None:
    key = unkeyed_command_key(scope, kind, name, attempt, path)
    assert key != unkeyed_command_key(scope, kind, name, attempt + 1, path)
    assert key != command_key(scope, kind, name, path.encode(), attempt)


@given(st.lists(BYTES, min_size=1, max_size=5), st.data())
def test_a_chain_tells_every_change(journal: list[bytes], data: st.DataObject) -> None:
    def chain(entries: list[bytes], late: int = -1) -> bytes:
        end = CHAIN_START
        for index, entry in enumerate(entries):
            end = next_chain(end, entry, index + (index == late))
        return end

    position = data.draw(st.integers(0, len(journal) - 1))
    changed = [*journal[:position], journal[position] + b"\0", *journal[position + 1 :]]
    assert chain(journal) != chain(changed)
    assert chain(journal) != chain(journal[:-1])
    assert chain(journal) != chain(journal, late=position)


@given(st.tuples(st.integers(1, 2**30), NUMBERS), st.tuples(st.integers(1, 2**30), NUMBERS))
def test_an_epoch_is_never_issued_twice(one: tuple[int, int], other: tuple[int, int]) -> None:
    one, other = (one[0], one[1] % 2**31), (other[0], other[1] % 2**31)
    assert (one == other) == (make_epoch(*one) == make_epoch(*other))


def test_what_is_recorded_somewhere_stays_as_it_is() -> None:
    key = ExecutionKey("default", "order-1")
    assert "~208-42776f4ab6e9cff19939183f01ef9185" == child_id(key, 1, 1, "0:1")
    assert 0x208 == shard_of(key)
