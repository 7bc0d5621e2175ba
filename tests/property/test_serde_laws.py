"""Laws of payloads: round trips, digests that do not depend on order, canonical text as JSON."""

import json
import math
import random
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from perdure_runtime.serde import TYPED_JSON, canonical_json, digest, signature_of, step_input

TEXT = st.text(st.characters(codec="utf-8"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | TEXT
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@dataclass(frozen=True)
class Record:
    name: str
    when: datetime
    price: Decimal
    key: UUID | None
    data: bytes
    tags: frozenset[str]
    by_number: dict[int, tuple[float, ...]]


RECORDS = st.builds(
    Record,
    TEXT,
    st.datetimes(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.none() | st.uuids(),
    st.binary(),
    st.frozensets(TEXT),
    st.dictionaries(st.integers(), st.lists(FLOATS).map(tuple)),
)


def shuffled(value: Any, seed: int) -> Any:
    """The same value with other orders of keys."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, seed)) for key, item in value.items()]
        random.Random(seed).shuffle(items)
        return dict(items)
    return [shuffled(item, seed) for item in value] if isinstance(value, list) else value


@given(JSON_VALUES)
def test_json_values_come_back(value: Any) -> None:
    assert value == TYPED_JSON.decode(TYPED_JSON.encode(value))


@given(RECORDS)
def test_records_come_back_by_hint(value: Record) -> None:
    payload = TYPED_JSON.encode(value)
    restored = TYPED_JSON.decode(payload, Record)
    assert value == restored
    assert payload == TYPED_JSON.encode(restored)


@given(JSON_VALUES, st.integers())
def test_the_digest_does_not_depend_on_the_order_of_keys(value: Any, seed: int) -> None:
    assert digest(value) == digest(shuffled(value, seed))


@given(JSON_VALUES)
def test_what_was_decoded_has_the_digest_of_what_was_sent(value: Any) -> None:
    payload = TYPED_JSON.encode(value)
    assert payload.digest == digest(value) == digest(TYPED_JSON.decode(payload))


@given(JSON_VALUES)
def test_canonical_text_is_json_and_a_fixed_point(value: Any) -> None:
    text = canonical_json(value)
    assert text == canonical_json(json.loads(text))


@given(FLOATS)
def test_canonical_floats_read_back_exactly(value: float) -> None:
    text = canonical_json(value).decode()
    assert value == float(text)
    assert math.isfinite(float(text))
    assert ("e" in text) == (value != 0 and not 1e-6 <= abs(value) < 1e21)


@given(st.sets(st.integers() | TEXT | FLOATS | st.tuples(st.integers(), TEXT)))
def test_sets_have_one_encoding(value: set[Any]) -> None:
    again: set[Any] = set()
    for member in sorted(value, key=repr, reverse=True):
        again.add(member)
    assert TYPED_JSON.encode(value) == TYPED_JSON.encode(again)


def three(a: Any, b: Any = 1, *rest: Any, c: Any = None, **more: Any) -> None: ...


@given(
    st.lists(JSON_VALUES, min_size=1, max_size=4), st.dictionaries(TEXT, JSON_VALUES, max_size=2)
)
def test_a_call_comes_back(args: list[Any], kwargs: dict[str, Any]) -> None:
    names = {key: value for key, value in kwargs.items() if key not in ("a", "b", "c")}
    signature = signature_of(three)
    restored = signature.unbind(signature.bind(args, names))
    assert (tuple(args), names) == restored
    again = step_input(three, *restored)
    assert step_input(three, args, names) == again
    assert again.digest is not None
