"""Direct calls: contexts passed by hand, keywords, ids in steps, where calls are refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from perdure import durable
from perdure.client.step_ids import id_in_step
from perdure.context.ambient import entered
from perdure.context.step_context import StepContext
from perdure.decorators.calling import folded, split_context
from perdure.errors import CoordinatorUnavailableError, NotDeterministicError
from perdure.registry import isolated_registry
from perdure_runtime.core.entries import Target
from perdure_runtime.serde import TYPED_JSON


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with isolated_registry():
        yield


@durable.function
async def process(ctx: Any, data: int, more: str | None = None, *, loud: bool = False) -> str:
    return f"{data}{more}{loud}"


@durable.function
async def optional(ctx: Any, data: int | None = None) -> int | None:
    return data


@pytest.mark.parametrize(
    ("expected", "args", "kwargs"),
    [
        ((1,), (1,), {}),
        ((1, "x"), (1, "x"), {}),
        ((1, "x"), (None, 1, "x"), {}),  # too many: the first stands for the context
        ((None, "x"), (None, "x"), {}),  # it fits as data
        ((), (None,), {"data": 1}),  # `data` is there twice otherwise
    ],
)
def test_none_in_place_of_the_context_is_dropped_only_if_the_call_does_not_fit_otherwise(
    expected: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert (None, expected) == split_context(process.definition, args, kwargs)


def test_none_may_be_data() -> None:
    assert (None, (None,)) == split_context(optional.definition, (None,), {})
    assert (None, (None,)) == split_context(optional.definition, (None, None), {})


@pytest.mark.parametrize(
    ("expected", "args", "kwargs"),
    [
        (((1,), {}), (1,), {}),
        (((1, "x"), {}), (1,), {"more": "x"}),
        (((1, "x"), {}), (), {"more": "x", "data": 1}),
        (((1,), {"loud": True}), (1,), {"loud": True}),
    ],
)
def test_keywords_travel_by_position_where_they_can_and_defaults_stay_out(
    expected: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert expected == folded(process.definition, args, kwargs)


@pytest.mark.parametrize("kwargs", [{"colour": "red"}, {"data": 1}])
def test_keywords_that_do_not_fit_name_the_function(kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"process\(\) "):
        folded(process.definition, (1,), kwargs)


async def test_a_direct_call_needs_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERDURE_ENDPOINT", raising=False)
    monkeypatch.setenv("PERDURE_EMBEDDED", "0")
    with pytest.raises(CoordinatorUnavailableError):
        await process(1)


async def test_a_start_in_the_body_of_an_execution_is_refused() -> None:
    stand_in: Any = object()  # only its presence counts
    with entered(stand_in), pytest.raises(NotDeterministicError, match=r"use ctx\.send"):
        await process.start(1)


def step_try(key: str) -> StepContext:
    return StepContext(
        idempotency_key=key,
        execution_id="order-1",
        attempt=1,
        report=lambda progress: None,
        is_cancelled=lambda: False,
    )


def test_a_step_that_runs_again_starts_the_same_executions_again() -> None:
    target, one, two = Target("a", "b"), TYPED_JSON.encode(1), TYPED_JSON.encode(2)

    def ids(key: str) -> list[str]:
        step = step_try(key)
        return [id_in_step(step, target, payload) for payload in (one, one, two)]

    first = ids("0a" * 16)
    assert 3 == len(set(first))
    assert first == ids("0a" * 16)
    assert not set(first) & set(ids("0b" * 16))


def test_the_order_of_different_starts_does_not_matter() -> None:
    target, one, two = Target("a", "b"), TYPED_JSON.encode(1), TYPED_JSON.encode(2)
    step, again = step_try("0a" * 16), step_try("0a" * 16)
    first = {id_in_step(step, target, one), id_in_step(step, target, two)}
    assert first == {id_in_step(again, target, two), id_in_step(again, target, one)}
