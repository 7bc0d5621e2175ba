"""Digests of steps (semantics, section 2): what they cover, and what cannot be covered."""

import functools
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import pytest

from perdure_runtime.serde import StepInput, step_input


def load(path: str, limit: int = 10, *, strict: bool = False) -> str: ...  # type: ignore[empty-body]  # only its signature matters
def store(path: str) -> str: ...  # type: ignore[empty-body]  # as above


@dataclass
class Client:
    url: str

    def get(self, path: str) -> str: ...  # type: ignore[empty-body]  # as above

    @classmethod
    def make(cls, url: str) -> "Client": ...  # type: ignore[empty-body]  # as above

    def __call__(self, path: str) -> str: ...  # type: ignore[empty-body]  # as above


class Opaque:
    def get(self, path: str) -> str: ...  # type: ignore[empty-body]  # as above


def of(
    function: Callable[..., Any], *args: Any, name: str | None = None, **kwargs: Any
) -> StepInput:
    return step_input(function, args, kwargs, name)


def test_arguments_count_by_name_with_defaults() -> None:
    assert of(load, "a") == of(load, path="a") == of(load, "a", 10) == of(load, "a", strict=False)
    digests = {of(load, "a").digest, of(load, "b").digest, of(load, "a", 11).digest}
    digests.add(of(load, "a", strict=True).digest)
    assert 4 == len(digests)
    assert None not in digests


def test_the_default_of_a_parameter_is_covered() -> None:
    before, after = (
        FunctionType(store.__code__, globals(), "store", (default,)) for default in ("a", "b")
    )
    assert of(before).digest != of(after).digest
    assert of(before).digest == of(after, "a").digest


def test_partial_arguments_are_covered() -> None:
    assert of(load, "a", 3) == of(functools.partial(load, "a", limit=3))
    assert of(load, "a", 3) == of(functools.partial(functools.partial(load, "a"), 3))


def test_a_bound_self_is_covered() -> None:
    assert of(Client("x").get, "a") == of(Client("x").get, "a")
    assert of(Client("x").get, "a").digest != of(Client("y").get, "a").digest
    assert of(Client("x"), "a").digest not in (of(Client("y"), "a").digest, None)
    assert "get" == of(Client("x").get, "a").name
    assert of(Client.make, "x").digest is not None
    assert of("a".join, ["x"]).digest != of("b".join, ["x"]).digest


def test_a_self_that_cannot_be_encoded_is_named() -> None:
    step = of(Opaque().get, "a")
    assert (None, "self", "get") == (step.digest, step.unencodable, step.name)
    assert "Opaque has no JSON form" in step.reason


def test_captured_variables_are_covered() -> None:
    def capture(value: Any) -> Callable[[int], Any]:
        def step(n: int) -> Any:
            return value, n

        return step

    assert of(capture(1), 5) == of(capture(1), 5)
    digests = [of(capture(value), 5).digest for value in (1, 2, {"a": 1}, {3, 4}, Client("x"))]
    assert 5 == len(set(digests))
    assert None not in digests


def test_a_captured_variable_that_cannot_be_encoded_is_named() -> None:
    lock = {"inner": [threading.Lock()]}

    def step(n: int) -> Any:
        return lock, n

    result = of(step, 1)
    assert result.digest is None
    assert "lock['inner'][0]" == result.unencodable
    assert "has no JSON form" in result.reason


@pytest.mark.parametrize("value", [threading.Lock(), float("nan"), "\ud800"])
def test_an_argument_that_cannot_be_encoded_is_named(value: Any) -> None:
    result = of(store, value)
    assert (None, "path") == (result.digest, result.unencodable)


def test_captured_code_counts_by_name() -> None:
    def capture(code: Any) -> Callable[[], Any]:
        def step() -> Any:
            return code

        return step

    digests = [of(capture(code)).digest for code in (load, store, Client, math, math.sqrt, len)]
    assert None not in digests
    assert 6 == len(set(digests))
    assert of(capture(load)) == of(capture(load))
    assert of(store, load).digest is not None


def test_a_captured_wrapper_of_a_function_counts_by_name() -> None:
    class Durable:
        def __init__(self, function: Callable[..., Any]) -> None:
            functools.update_wrapper(self, function)
            self.lock = threading.Lock()

        def __call__(self) -> None: ...

    durable = Durable(load)

    def step() -> Any:
        return durable

    assert of(step).digest is not None
    assert "load" == of(durable, "x").name


def test_what_a_captured_function_captures_is_covered_too() -> None:
    def capture(value: Any) -> Callable[[], Any]:
        def helper() -> Any:
            return value

        def step() -> Any:
            return helper()

        return step

    assert of(capture(1)).digest != of(capture(2)).digest
    assert of(capture(1)) == of(capture(1))
    assert "helper['value']" == of(capture(Opaque())).unencodable


def test_functions_that_capture_themselves_or_what_is_not_assigned_yet() -> None:
    def recursive(n: int) -> int:
        return recursive(n - 1) if n else later()

    assert of(recursive, 3).digest is not None

    def later() -> int:
        return 0

    assert of(recursive, 3).digest is not None


def test_two_functions_of_one_name_differ_unless_the_user_names_them() -> None:
    def other() -> Callable[[str], str]:
        def store(path: str) -> str: ...  # type: ignore[empty-body]  # as above

        return store

    assert of(store, "a").name == of(other(), "a").name
    assert of(store, "a").digest != of(other(), "a").digest
    assert of(store, "a", name="s").digest == of(other(), "a", name="s").digest


def test_a_nameless_lambda_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"a lambda has no name to record .*give one: ctx\.run"):
        of(lambda: 1)
    assert "named" == of(lambda: 1, name="named").name
    assert of(lambda: 1, name="named").digest is not None


def test_wrong_arguments_are_a_type_error_that_names_the_function() -> None:
    for args in ((), ("a", 1, 2)):
        with pytest.raises(TypeError, match=r"load\(\) "):
            of(load, *args)


def test_variadic_functions_and_builtins() -> None:
    def many(*parts: str, **options: int) -> None: ...

    assert of(many, "a", x=1).digest != of(many, "a", x=2).digest
    assert of(max, 1, 2).digest != of(max, 2, 1).digest
    assert "mod" not in of(max, 1, 2).name


def test_arguments_of_wrapped_methods_and_wrappers_that_inject_are_covered() -> None:
    def bare(function: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    def injecting(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(path: str) -> Any:
            return function(path, "session", "more")

        return wrapper

    class Service(Client):
        fetch = bare(Client.get)

    service = Service("x")
    assert of(service.fetch, "a").digest not in (None, of(service.fetch, "b").digest)

    def save(path: str, session: str, more: str) -> None: ...

    digests = [of(injecting(save), path).digest for path in ("a", "b")]
    assert None not in digests
    assert 2 == len(set(digests))
