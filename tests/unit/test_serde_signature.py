"""Calls on the wire (semantics, section 3): input by name, result by return hint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from perdure_runtime.core.errors import PerdureWarning, SerializationError
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import TYPED_JSON, CloudPickle, Signature, signature_of

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass
class Order:
    id: str
    tags: frozenset[str] = frozenset()


class Model(pydantic.BaseModel):
    n: int


ORDER = Order("o", frozenset({"a"}))


def nothing() -> None: ...
def one(data: Order) -> list[Order]: ...  # type: ignore[empty-body]  # only its signature matters
def one_default(limit: int = 5) -> None: ...
def one_any(limit: Any = 5) -> None: ...
def one_optional(limit: int | None = 5) -> None: ...
def several(order: Order, count: int = 1, *, note: str = "") -> None: ...
def variadic(first: int, /, *rest: Order, flag: bool = False, **others: Order) -> None: ...
def only_args(*orders: Order) -> None: ...
def only_kwargs(**orders: Order) -> None: ...
def gaps(a: int, b: int = 2, *rest: int) -> None: ...
async def with_context(ctx: object, order: Order, count: int = 1) -> Order: ...  # type: ignore[empty-body]  # as above
def context_last(order: Order, ctx: object) -> None: ...
def context_after_default(order: Order, count: int = 1, *, ctx: object) -> None: ...


def sent(function: Any, *args: Any, **kwargs: Any) -> bytes:
    return signature_of(function).bind(args, kwargs).data


@pytest.mark.parametrize(
    ("wire", "function", "args", "kwargs"),
    [
        (b"null", nothing, (), {}),
        (b'{"id":"o","tags":["a"]}', one, (ORDER,), {}),
        (b'{"id":"o","tags":["a"]}', one, (), {"data": ORDER}),
        (b'{"order":{"id":"o","tags":["a"]}}', several, (ORDER,), {}),
        (b'{"order":{"id":"o","tags":["a"]},"count":2}', several, (ORDER, 2), {}),
        (b'{"order":{"id":"o","tags":["a"]},"note":"n"}', several, (ORDER,), {"note": "n"}),
        (b'{"first":1}', variadic, (1,), {}),
        (
            b'{"first":1,"rest":[{"id":"o","tags":["a"]}],"flag":true,'
            b'"others":{"x":{"id":"o","tags":["a"]}}}',
            variadic,
            (1, ORDER),
            {"flag": True, "x": ORDER},
        ),
        (b'[{"id":"o","tags":["a"]}]', only_args, (ORDER,), {}),
        (b"[]", only_args, (), {}),
        (b'{"x":{"id":"o","tags":["a"]}}', only_kwargs, (), {"x": ORDER}),
        (b"{}", only_kwargs, (), {}),
        (b'{"a":1,"b":3,"rest":[4]}', gaps, (1, 3, 4), {}),
    ],
)
def test_input_on_the_wire_and_back(
    wire: bytes, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    signature = signature_of(function)
    payload = signature.bind(args, kwargs)
    assert wire == payload.data
    restored_args, restored_kwargs = signature.unbind(payload)
    assert signature.arguments(args, kwargs) == signature.arguments(restored_args, restored_kwargs)


def test_defaults_are_not_filled_in() -> None:
    assert ((ORDER,), {"note": "n"}) == signature_of(several).unbind(
        signature_of(several).bind((ORDER,), {"note": "n"})
    )


@pytest.mark.parametrize(
    ("wire", "call", "function"),
    [
        (b"null", ((), {}), one_default),  # null is no int, so it can mean "not given"
        (b"5", ((5,), {}), one_any),
        (b"5", ((5,), {}), one_optional),
    ],
)
def test_an_only_parameter_left_to_its_default(wire: bytes, call: Any, function: Any) -> None:
    assert wire == sent(function)
    assert call == signature_of(function).unbind(Payload(wire))


def test_none_given_for_a_nullable_parameter_is_none() -> None:
    for function in (one_any, one_optional):
        assert ((None,), {}) == signature_of(function).unbind(Payload(sent(function, None)))


def test_an_array_is_taken_in_the_order_of_the_parameters() -> None:
    assert ((ORDER, 2), {}) == signature_of(several).unbind(Payload(b'[{"id":"o","tags":["a"]},2]'))


def test_skipped_defaults_before_variadic_arguments_are_filled_in() -> None:
    assert ((1, 2, 7), {}) == signature_of(gaps).unbind(Payload(b'{"a":1,"rest":[7]}'))


@pytest.mark.parametrize(
    ("call", "function", "injected"),
    [
        ((("CTX", ORDER), {}), with_context, (0,)),
        ((("CTX", ORDER), {}), with_context, ("ctx",)),
        (((ORDER, "CTX"), {}), context_last, ("ctx",)),
        (((ORDER,), {"ctx": "CTX"}), context_after_default, ("ctx",)),
    ],
)
def test_injected_parameters_never_travel(call: Any, function: Any, injected: Any) -> None:
    signature = signature_of(function, injected)
    payload = signature.bind((ORDER,), {})
    assert b"ctx" not in payload.data
    assert call == signature.unbind(payload, injected=("CTX",))
    assert ((ORDER,), {}) == signature.unbind(payload)


def test_several_injected_parameters_come_in_their_order() -> None:
    class Thing:
        def method(self, order: Order, ctx: object) -> None: ...

    signature = signature_of(Thing.method, ("ctx", "self"))
    payload = signature.bind((ORDER,), {})
    assert (("SELF", ORDER, "CTX"), {}) == signature.unbind(payload, ("SELF", "CTX"))


def test_an_injected_parameter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match=r"nothing\(\) has no parameter 0"):
        Signature(nothing, (0,))


@pytest.mark.parametrize(
    ("message", "function", "args", "kwargs"),
    [
        ("nothing.. too many positional arguments; it takes ..", nothing, (1,), {}),
        ("one.. missing a required .*'data'", one, (), {}),
        ("several.. got an unexpected keyword argument 'x'", several, (ORDER,), {"x": 1}),
        ("variadic.. .*'first'", variadic, (), {}),
    ],
)
def test_wrong_arguments_are_a_type_error_that_names_the_function(
    message: str, function: Any, args: Any, kwargs: Any
) -> None:
    with pytest.raises(TypeError, match=r"test_serde_signature\." + message):
        signature_of(function).bind(args, kwargs)


@pytest.mark.parametrize(
    ("message", "function", "wire"),
    [
        ("takes no input; send null", nothing, b"1"),
        ("unknown 'x'; expected order, count, note", several, b'{"order":{"id":"o"},"x":1}'),
        (r"lacks order; it takes \(order", several, b'{"count":1}'),
        ("expected a JSON object with order, count, note", several, b'"text"'),
        ("3 values for limit, other|4 values for order, count, note", several, b"[1,2,3,4]"),
        (r"decode input\.order as Order: .*`id`", several, b'{"order":{}}'),
        (
            r"decode input\.count as int: Expected `int`",
            several,
            b'{"order":{"id":"o"},"count":"x"}',
        ),
        ("decode data as Order: Expected `object`", one, b"null"),
        ("decode limit as .*: Expected `int", one_default, b'"x"'),
    ],
)
def test_input_that_does_not_fit_is_a_serialization_error(
    message: str, function: Any, wire: bytes
) -> None:
    with pytest.raises(SerializationError, match=message):
        signature_of(function).unbind(Payload(wire))


def test_results_by_return_hint() -> None:
    signature = signature_of(one)
    payload = signature.bind_result((ORDER,))
    assert [ORDER] == signature.decode_result(payload)
    assert 5 == signature_of(nothing).decode_result(Payload(b"5"))  # -> None restores nothing
    with pytest.raises(SerializationError, match=r"result of .*one\(\)"):
        signature.bind_result(object())


def test_a_hint_that_cannot_be_resolved_counts_as_any_and_the_others_keep_their_meaning() -> None:
    def price(amount: Decimal, order: Order) -> None: ...

    signature = signature_of(price)
    payload = signature.bind((1, ORDER), {})
    with pytest.warns(PerdureWarning, match=r"hint .Decimal. of 'amount' in .*price\(\)"):
        assert ((1, ORDER), {}) == signature.unbind(payload)


def test_local_classes_are_found_among_the_local_names() -> None:
    @dataclass
    class Local:
        n: int

    def take(value: Local) -> None: ...

    signature = signature_of(take, local_names=locals())
    assert ((Local(1),), {}) == signature.unbind(Payload(b'{"n":1}'))


def test_local_classes_that_the_function_captures_need_no_help() -> None:
    @dataclass
    class Local:
        n: int

    def take(value: Local) -> Local:
        return Local(value.n)

    assert ((Local(1),), {}) == signature_of(take).unbind(Payload(b'{"n":1}'))


def test_signatures_are_made_once_for_functions_of_modules() -> None:
    assert signature_of(one) is signature_of(one)
    assert signature_of(with_context) is not signature_of(with_context, (0,))


def test_other_callables() -> None:
    class Adder:
        def __call__(self, a: int, b: int) -> int:
            return a + b

    assert b'{"a":1,"b":2}' == signature_of(Adder()).bind((1, 2), {}).data
    assert b'{"a":1,"b":2}' == signature_of(Adder().__call__).bind((1, 2), {}).data
    bound = partial(several, ORDER, count=3)
    assert b'{"note":"n"}' == signature_of(bound).bind((), {"note": "n"}).data


def test_another_serializer() -> None:
    signature, pickled = signature_of(several), CloudPickle()
    payload = signature.bind((ORDER, 2), {"note": "x"}, pickled)
    assert ((ORDER, 2), {"note": "x"}) == signature.unbind(payload, serializer=pickled)
    with pytest.raises(SerializationError, match="unknown 'z'"):
        signature.unbind(pickled.encode({"z": 1}), serializer=pickled)


def test_input_schema() -> None:
    assert {"type": "null"} == signature_of(nothing).input_schema()
    assert {"type": "integer", "default": 5}.items() >= (
        signature_of(one_default).input_schema() or {}
    ).items()
    schema = signature_of(several).input_schema()
    assert schema is not None
    assert ["order"] == schema["required"]
    assert {"type": "integer"} == schema["properties"]["count"]
    assert {"$ref": "#/$defs/Order"} == schema["properties"]["order"]
    assert "id" in schema["$defs"]["Order"]["properties"]


def test_schemas_of_models_and_of_what_has_none() -> None:
    def take(model: Model, models: list[Model]) -> Model: ...  # type: ignore[empty-body]  # as above

    schema = signature_of(take).input_schema()
    assert schema is not None
    assert "n" in str(schema)
    assert "n" in str(signature_of(take).output_schema())

    def odd(a: Order | Model) -> None: ...

    assert signature_of(odd).input_schema() is None


def test_the_digest_is_that_of_the_input() -> None:
    call = signature_of(several).bind((ORDER,), {})
    assert TYPED_JSON.encode({"order": Order("o", frozenset("a"))}).digest == call.digest
