"""Typed JSON: what comes back, with a hint and without one, and what is refused and how."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest

from perdure_runtime.core.errors import LimitExceededError, PerdureWarning, SerializationError
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import MAX_DEPTH, TYPED_JSON


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Word(StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: int


class Movie(TypedDict, total=False):
    title: str
    seen: set[int]


class Customer(str):
    """A subclass of a plain type, as users make for ids."""


@dataclass(frozen=True)
class Line:
    product: str
    price: Decimal
    tags: frozenset[str] = frozenset()


@dataclass
class Order:
    lines: list[Line]
    at: datetime
    owner: UUID | None = None
    raw: bytes = b""
    by_size: dict[int, Line] = field(default_factory=dict)


class Shape(msgspec.Struct, tag=True):
    sides: int


class Circle(msgspec.Struct, tag=True):
    radius: float


class Inner(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    when: date


class Model(pydantic.BaseModel):
    inner: set[Inner]
    amount: Decimal
    name: str = pydantic.Field(alias="fullName")


LINE = Line("p", Decimal("1.10"), frozenset({"b", "a"}))
NOW = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
MODEL = Model(inner={Inner(when=date(2024, 1, 2))}, amount=Decimal("2.50"), fullName="n")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (None, None),
        (True, bool),
        (2**70, int),
        (1.0, float),
        ("é\u2028😀", str),
        (b"\x00\xff", bytes),
        (NOW, datetime),
        (NOW.replace(tzinfo=None), datetime),
        (date(2024, 2, 29), date),
        (time(1, 2, 3), time),
        (timedelta(days=-3, microseconds=5), timedelta),
        (UUID(int=7), UUID),
        (Decimal("1.10"), Decimal),
        (Path("/a/b"), Path),
        (Customer("c"), Customer),
        (Colour.RED, Colour),
        (Size.BIG, Size),
        (Word.YES, Word),
        ({1, 2}, set[int]),
        (frozenset({"a"}), frozenset[str]),
        ((1, "a"), tuple[int, str]),
        ((1, 2, 3), tuple[int, ...]),
        (Point(1, 2), Point),
        ({"title": "t", "seen": {1}}, Movie),
        ({1: {NOW}}, dict[int, set[datetime]]),
        ({1.5: "a"}, dict[float, str]),
        ({Colour.RED: 1}, dict[Colour, int]),
        ({UUID(int=1): LINE}, dict[UUID, Line]),
        (Order([LINE], NOW, UUID(int=1), b"x", {3: LINE}), Order),
        ([Shape(3), Circle(1.0)], list[Shape | Circle]),
        (MODEL, Model),
        ([MODEL], list[Model]),
        ({"a": MODEL}, dict[str, Model | None]),
        ([MODEL, 1], list[Model | int]),
        (None, Model | None),
        ("a", Literal["a", "b"]),
        (3, Annotated[int, msgspec.Meta(ge=0)]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_restored_by_hint(value: Any, hint: Any) -> None:
    restored = TYPED_JSON.decode(TYPED_JSON.encode(value), hint)
    assert (value, type(value)) == (restored, type(restored))


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ([1, 2], {2, 1}),
        ([1, "a"], (1, "a")),
        ("AP8=", b"\x00\xff"),
        ("2024-02-29", date(2024, 2, 29)),
        ({"product": "p", "price": "1.10", "tags": ["a", "b"]}, LINE),
        ({"1": 2}, {1: 2}),
        ("red", Colour.RED),
        ({"a": 1}, OrderedDict(a=1)),
        ([1, 2], Point(1, 2)),
        ({"inner": [{"when": "2024-01-02"}], "amount": "2.50", "fullName": "n"}, MODEL),
        (["a", 1], {"a": 1, 1: 2}.keys()),
    ],
    ids=str,
)
def test_without_a_hint_the_json_shape_comes_back(shape: Any, value: Any) -> None:
    assert shape == TYPED_JSON.decode(TYPED_JSON.encode(value))


def test_order_of_a_dict_is_kept() -> None:
    assert ["b", "a"] == list(TYPED_JSON.decode(TYPED_JSON.encode({"b": 1, "a": 2})))


class Opaque:
    """Nothing can encode this."""


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (r"input\['a'\]\[0\]: .*Opaque has no JSON form; pass plain data", {"a": [Opaque()]}),
        (r"input\.lines\[0\]: .*Opaque", Order([Opaque()], NOW)),  # type: ignore[list-item]  # the point
        (r"input: .*generator has no JSON form", (n for n in [1])),
        (r"input\[1\]: float inf has no JSON form; pass None", [1.0, float("inf")]),
        (r"input\['k'\]: float nan", {"k": float("nan")}),
        (r"input\['s'\]: str that JSON cannot hold: .*surrogates", {"s": "\ud800"}),
        (r"input\['\\ud800'\]: str that JSON cannot hold", {"\ud800": 1}),
        (r"input\['1'\]: two keys of the dict both become '1'", {1: "a", "1": "b"}),
        (r"input\[\(1, 2\)\]: a key of type tuple cannot be a key in JSON", {(1, 2): 3}),
        (r"input\[None\]: a key of type NoneType", {None: 3}),
        (r"input\[True\]: a key of type bool", {True: 3}),
    ],
)
def test_refused_with_the_place_the_type_and_advice(message: str, value: Any) -> None:
    with pytest.raises(SerializationError, match=message):
        TYPED_JSON.encode(value, what="input")


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def test_deep_nesting_is_refused_not_a_recursion_error() -> None:
    assert nested(MAX_DEPTH) == TYPED_JSON.decode(TYPED_JSON.encode(nested(MAX_DEPTH)))
    for value in (nested(MAX_DEPTH + 1), nested(100_000)):
        with pytest.raises(SerializationError, match="deeper than 128 levels") as caught:
            TYPED_JSON.encode(value)
        assert len(str(caught.value)) < 500
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(SerializationError, match="contains itself"):
        TYPED_JSON.encode(itself)
    with pytest.raises(SerializationError, match="nested too deeply"):
        TYPED_JSON.decode(Payload(b"[" * 100_000 + b"]" * 100_000))


def test_size_limit_names_size_and_limit() -> None:
    with pytest.raises(LimitExceededError, match=r"input is 4194305 bytes .* limit is 4194304"):
        TYPED_JSON.encode("x" * (4 * 1024 * 1024 - 1), what="input")
    TYPED_JSON.encode("x" * (4 * 1024 * 1024 - 2))


@pytest.mark.parametrize(
    ("message", "data", "hint"),
    [
        (r"decode input\[...\]\[1\] as dict\[str, list\[int\]\]: Expected `int`, got `str`",
         b'{"a":[1,"x"]}', dict[str, list[int]]),
        (r"decode input as Line: Object missing required field `price`", b'{"product":"p"}', Line),
        (r"decode input as Any: JSON is malformed", b"{'a'}", Any),
        (r"decode input as Colour: Invalid enum value 'blue'", b'"blue"', Colour),
        (r"decode input as Model: 1 validation error for Model\nfullName",
         b'{"inner":[],"amount":"1"}', Model),
        (r"decode input as Opaque: Expected `Opaque`", b"1", Opaque),
        (r"decode input as int: Input data was truncated", b"", int),
    ],
)  # fmt: skip
def test_decode_errors_name_the_place(message: str, data: bytes, hint: Any) -> None:
    with pytest.raises(SerializationError, match="cannot " + message):
        TYPED_JSON.decode(Payload(data), hint, what="input")


def test_another_encoding_is_refused_by_name() -> None:
    with pytest.raises(SerializationError, match="encoding is 'cloudpickle', not 'json'"):
        TYPED_JSON.decode(Payload(b"", "cloudpickle"))


def test_a_hint_that_nothing_can_decode_warns_and_gives_the_json_shape() -> None:
    hint = Line | Order
    with pytest.warns(PerdureWarning, match="JSON shape: Type unions may not contain more than"):
        value = TYPED_JSON.decode(TYPED_JSON.encode(LINE), hint)
    assert {"product": "p", "price": "1.10", "tags": ["a", "b"]} == value


def test_unset_fields_and_renamed_fields_of_structs() -> None:
    class Renamed(msgspec.Struct, rename="camel", omit_defaults=True):
        first_name: str
        last_name: str | msgspec.UnsetType = msgspec.UNSET
        age: int = 0

    payload = TYPED_JSON.encode([Renamed("a")])
    assert b'[{"firstName":"a"}]' == payload.data
    assert [Renamed("a")] == TYPED_JSON.decode(payload, list[Renamed])


def test_structs_as_arrays() -> None:
    class Row(msgspec.Struct, array_like=True, tag="row"):
        a: int
        b: int = 2

    payload = TYPED_JSON.encode(Row(1))
    assert b'["row",1,2]' == payload.data
    assert Row(1) == TYPED_JSON.decode(payload, Row)
