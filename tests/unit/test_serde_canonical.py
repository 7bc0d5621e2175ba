"""The canonical form and its digest, against the fixtures that other languages read too."""

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pydantic
import pytest

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.serde import TYPED_JSON, canonical_json, digest, keyed_digest

FIXTURES: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "proto/spec/fixtures/digests.json").read_text()
)


@pytest.mark.parametrize("case", FIXTURES["digests"], ids=lambda case: case["name"])
def test_fixture(case: dict[str, str]) -> None:
    value = json.loads(case["json"])
    assert case["canonical"] == canonical_json(value).decode()
    assert case["digest"] == digest(value).hex() == TYPED_JSON.encode(value).digest.hex()
    assert case["digest"] == blake2b(case["canonical"].encode(), digest_size=16).hexdigest()


@pytest.mark.parametrize("case", FIXTURES["keyed"])
def test_keyed_fixture(case: dict[str, str]) -> None:
    keyed = keyed_digest(bytes.fromhex(case["digest"]), bytes.fromhex(case["key"]))
    assert case["keyed"] == keyed.hex()


def test_no_digest_stays_none_under_a_key() -> None:
    assert b"" == keyed_digest(b"", b"key")


@dataclass
class Before:
    id: str


@dataclass
class After:
    id: str
    limit: int = 10
    tags: list[str] = field(default_factory=list)
    note: str | None = None


class StructAfter(msgspec.Struct):
    id: str
    limit: int = 10
    tags: list[str] = []


class ModelAfter(pydantic.BaseModel):
    id: str
    limit: int = 10
    tags: list[str] = pydantic.Field(default_factory=list)


@pytest.mark.parametrize("kind", [After, StructAfter, ModelAfter])
def test_a_new_field_with_a_default_does_not_change_the_digest(kind: Any) -> None:
    assert digest(Before("a")) == digest(kind(id="a"))
    assert digest([{"x": Before("a")}]) == digest([{"x": kind(id="a")}])
    assert digest(Before("a")) != digest(kind(id="a", limit=11))
    assert b'{"id":"a","limit":10,"tags":[]' == TYPED_JSON.encode(kind(id="a")).data[:30]


def test_a_factory_that_is_not_a_builtin_type_is_never_called() -> None:
    @dataclass
    class Order:
        id: UUID = field(default_factory=uuid4)

    made = Order()
    Order.__dataclass_fields__["id"].default_factory = lambda: pytest.fail("called")
    assert canonical_json({"id": made.id}) == canonical_json(made)


def test_sets_are_sorted_by_canonical_bytes_in_data_and_digest() -> None:
    assert b'["a",1.5,10,9]' == canonical_json({9, 10, "a", 1.5})
    assert b'["a",10,9]' == TYPED_JSON.encode({9, "a", 10}).data
    assert digest(frozenset({(2, 1), (1, 2)})) == digest({(1, 2), (2, 1)})


def test_sets_of_a_model_are_sorted() -> None:
    class Tags(pydantic.BaseModel):
        names: set[str]
        nested: dict[str, frozenset[int]]

    value = Tags(names={"b", "a", "c"}, nested={"x": frozenset((10, 9))})
    assert b'{"names":["a","b","c"],"nested":{"x":[10,9]}}' == TYPED_JSON.encode(value).data


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0, -0.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1, 2), [1, 2]),
        ({1: "a"}, {"1": "a"}),
        ({1.0: "a"}, {1: "a"}),
    ],
)
def test_same_digest(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, "1"), (None, 0), ([], {}), ([1, 2], [2, 1]), (1.5, 1.25)]
)
def test_other_digest(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_data_keeps_the_order_of_keys_and_the_kind_of_numbers() -> None:
    payload = TYPED_JSON.encode({"b": 1.0, "a": -0.0, "c": 1e300})
    assert b'{"b":1.0,"a":-0.0,"c":1e300}' == payload.data


def test_errors_name_the_place() -> None:
    with pytest.raises(SerializationError, match=r"value\['a'\]\[1\]: float nan has no JSON form"):
        digest({"a": [1.5, float("nan")]})
