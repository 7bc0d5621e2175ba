"""`@durable.step`, `@durable.function`, `@durable.flow`: defaults, names, and what they refuse."""

import asyncio
import functools
import math
import warnings
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from typing import Any

import pytest

from perdure import RetryPolicy, durable
from perdure.decorators import DurableFunction, DurableStep
from perdure.definition import Kind
from perdure.errors import InvalidArgumentError, NotDeterministicWarning
from perdure.options import Options
from perdure.registry import REGISTRY, isolated_registry

Body = Callable[..., Coroutine[Any, Any, Any]]


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with isolated_registry():
        yield


async def body(ctx: Any, data: int, more: str = "x") -> str:
    """Says hello."""
    return f"{data}{more}"


def plain(path: str) -> str:
    return path + "!"


# --- defaults (the table of semantics, section 3) ----------------------------------------------


def test_a_function_retries_its_whole_body_three_times_and_no_step() -> None:
    assert Options(retry=RetryPolicy()) == durable.function(body).definition.options


def test_a_flow_retries_its_steps_three_times_and_not_itself() -> None:
    expected = Options(
        retry=RetryPolicy(max_retries=0), step_retry=RetryPolicy(), max_concurrent_steps=10
    )
    assert expected == durable.flow(body).definition.options


def test_a_step_has_no_policy_of_its_own() -> None:
    assert Options() == durable.step(plain).definition.options


def test_timeout_is_for_an_attempt_of_a_function_and_for_each_step_of_a_flow() -> None:
    function = durable.function(timeout=2, execution_timeout=9)(body).definition.options
    assert (2_000, 9_000, None) == _timeouts(function)
    flow = durable.flow(timeout=2, execution_timeout=9)(body).definition.options
    assert (None, 9_000, 2_000) == _timeouts(flow)
    assert (2_000, None, None) == _timeouts(durable.step(timeout=2)(plain).definition.options)


def _timeouts(options: Options) -> tuple[int | None, int | None, int | None]:
    return options.attempt_timeout_ms, options.execution_timeout_ms, options.step_timeout_ms


def test_max_retries_of_a_flow_are_those_of_its_steps() -> None:
    options = durable.flow(max_retries=7, flow_retries=2)(body).definition.options
    assert RetryPolicy(max_retries=7) == options.step_retry
    assert RetryPolicy(max_retries=2) == options.retry


def test_step_retries_and_step_timeout_are_clearer_names() -> None:
    clear = durable.flow(step_retries=7, step_timeout=2)(body).definition.options
    assert durable.flow(max_retries=7, timeout=2)(body).definition.options == clear


def test_a_flow_without_a_limit_of_steps() -> None:
    assert durable.flow(max_concurrent_steps=None)(body).definition.options == Options(
        retry=RetryPolicy(max_retries=0), step_retry=RetryPolicy(), max_concurrent_steps=None
    )


def test_the_seed_options_are_taken() -> None:
    function = durable.function(
        name="data_processor", max_retries=5, retry_delay=2.0, timeout=300.0, deterministic=True
    )(body)
    assert "data_processor" == function.definition.name
    assert RetryPolicy(max_retries=5, delay=2.0) == function.definition.options.retry
    assert 10 == durable.flow(checkpoint_interval=10)(body).definition.options.checkpoint_interval


# --- what the decorated object is ---------------------------------------------------------------


def test_the_function_stays_itself() -> None:
    function = durable.function(body)
    assert isinstance(function, DurableFunction)
    assert ("body", "Says hello.", __name__) == (
        function.__name__,
        function.__doc__,
        function.__module__,
    )
    assert function.definition.function is body
    assert Kind.FUNCTION is function.definition.kind


def test_the_context_is_no_part_of_the_input() -> None:
    signature = durable.function(body).definition.signature
    assert ["data", "more"] == list(signature.parameters)
    assert b'{"data":1}' == signature.bind((1,), {}).data


@pytest.mark.parametrize("decorator", [durable.function, durable.flow])
@pytest.mark.parametrize("name", ["ctx", "context", "c", "_"])
def test_the_context_is_the_first_parameter_whatever_its_name(
    decorator: Callable[[Any], DurableFunction[..., Any]], name: str
) -> None:
    scope: dict[str, Any] = {}
    exec(f"async def made({name}, data): ...", scope)  # noqa: S102 - names are what varies
    assert ["data"] == list(decorator(scope["made"]).definition.signature.parameters)


def test_options_make_a_copy() -> None:
    function = durable.function(body)
    changed = function.options(id="a").options(priority=3)
    assert ("a", 3) == (changed.call_options.id, changed.call_options.priority)
    assert function.call_options.id is None
    assert changed.definition is function.definition


def test_options_are_checked_where_they_are_written() -> None:
    with pytest.raises(InvalidArgumentError, match="timeout must be more than 0"):
        durable.function(body).options(timeout=-1)


def test_module_level_definitions_are_registered_and_local_ones_are_not() -> None:
    async def local(ctx: Any) -> None: ...

    function = durable.function(body)
    durable.function(local)
    assert (function.definition,) == REGISTRY.decorated()
    assert durable.function(local).definition.is_local


# --- what they refuse ---------------------------------------------------------------------------


def no_context() -> None: ...
async def no_parameters() -> None: ...
async def data_first(data: dict[str, Any]) -> None: ...
async def data_in_text(data: "dict[str, Any]") -> None: ...
def sync_with_context(ctx: Any) -> None: ...
async def keyword_only(*, ctx: Any) -> None: ...
async def packed(*args: Any) -> None: ...
async def generator(ctx: Any) -> Any:
    yield 1


class Holder:
    async def method(self, ctx: Any) -> None: ...


@pytest.mark.parametrize("name", ["function", "flow"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (no_context, r"no_context\(\) is a plain `def`; use @durable.step"),
        (no_parameters, "takes no context; add `ctx: DurableContext`.*or use @durable.step"),
        (data_first, r"first parameter of data_first\(\) is `data: dict\[str, typing\.Any\]`"),
        (data_in_text, "not the context.*or use @durable.step"),
        (sync_with_context, "write `async def sync_with_context`"),
        (keyword_only, "takes no context"),
        (packed, "takes no context"),
        (generator, "is an async generator"),
        (Holder.method, "is a method"),
        (Holder, "is a class"),
        (staticmethod(body), "below @staticmethod"),
        ("name", "decorates functions, not 'name'; options are keywords"),
        (None.__class__, "is a class"),
        (lambda ctx: None, "a lambda has no name"),
    ],
)
def test_a_body_that_cannot_work_is_refused_at_decoration(
    name: str, wrong: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=rf"@durable\.{name}.*{message}"):
        getattr(durable, name)(wrong)


def sync_context(ctx: Any, data: int) -> None: ...
async def async_context(context: "perdure.DurableContext") -> None: ...  # type: ignore[name-defined] # noqa: F821 - only text
def counting() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (sync_context, r"takes a context \(`ctx: Any`\); use @durable.function or @durable.flow"),
        (async_context, "takes a context"),
        (counting, "is a generator; return a list"),
        (generator, "is a generator"),
        (Holder, "is a class"),
        (functools.partial(plain, "a"), "a partial object has no name"),
        (lambda: None, "a lambda has no name"),
        (42, "decorates functions, not 42"),
    ],
)
def test_a_step_that_cannot_work_is_refused_at_decoration(wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=rf"@durable\.step.*{message}"):
        durable.step(wrong)


def test_a_parameter_called_context_may_be_data_if_it_says_so() -> None:
    def summarize(context: str) -> str:
        return context

    assert ["context"] == list(durable.step(summarize).definition.signature.parameters)


def test_decorating_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="decorated already"):
        durable.flow(durable.function(body))  # type: ignore[arg-type] # the point


@pytest.mark.parametrize("name", ["function", "flow", "step"])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_retries": -1}, "max_retries must be 0"),
        ({"max_retries": 1.0}, "max_retries must be an int"),
        ({"retry_delay": -1}, "retry_delay must be 0 or more"),
        ({"retry_delay": math.nan}, "retry_delay must be 0 or more"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"timeout": -5}, "timeout must be more than 0 seconds, not -5"),
        ({"timeout": math.nan}, "timeout must be more than 0 seconds, not nan"),
        ({"timeout": "5"}, "timeout must be more than 0 seconds, not '5'"),
        ({"timeout": True}, "timeout must be more than 0 seconds, not True"),
        ({"retry": 1, "max_retries": 1}, "give retry or max_retries, not both"),
        ({"raises": "ValueError"}, "raises takes exception classes"),
        ({"retry_on": [1]}, "retry_on takes exception classes"),
        ({"reuse_on_retry": 1}, "reuse_on_retry must be True or False"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_at_decoration(
    name: str, option: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"@durable\.{name}.*{message}"):
        getattr(durable, name)(**option)


@pytest.mark.parametrize("name", ["function", "flow"])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"checkpoint_interval": 0}, "checkpoint_interval must be 1"),
        ({"max_concurrent_steps": 0}, "max_concurrent_steps must be 1"),
        ({"execution_timeout": 0}, "execution_timeout must be more than 0"),
        ({"deterministic": "no"}, "deterministic must be True or False"),
        ({"on_exhausted": "explode"}, "on_exhausted must be 'fail' or 'pause'"),
        ({"id_from": "id"}, "id_from must be callable"),
    ],
)
def test_options_of_bodies_are_checked(name: str, option: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"@durable\.{name}.*{message}"):
        getattr(durable, name)(**option)


@pytest.mark.parametrize(
    "both", [{"step_retries": 1, "max_retries": 1}, {"step_timeout": 1, "timeout": 1}]
)
def test_both_names_of_one_option_are_refused(both: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="two names for one option"):
        durable.flow(**both)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("function", "max_retry", "has no option 'max_retry'; did you mean 'max_retries'?"),
        ("function", "step_retries", "has no option 'step_retries'"),
        ("step", "execution_timeout", "has no option 'execution_timeout'"),
        ("step", "zzz", "it has at_most_once, max_concurrency, max_retries, name"),
    ],
)
def test_unknown_options_are_refused(name: str, option: str, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        getattr(durable, name)(**{option: 1})


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb"])
def test_names_are_checked(name: str) -> None:
    if name:
        with pytest.raises(InvalidArgumentError, match="name of a function"):
            durable.function(name=name)(body)
    with pytest.raises(InvalidArgumentError, match="service"):
        durable.function(service=name)(body)


# --- clocks -------------------------------------------------------------------------------------


async def asks_the_time(ctx: Any) -> str:
    return str(datetime.now())  # noqa: DTZ005 - the point


def test_a_body_that_names_the_real_clock_is_warned_of_with_file_and_line() -> None:
    with pytest.warns(NotDeterministicWarning, match=r"datetime.now in asks_the_time\(\)") as seen:
        durable.flow(asks_the_time)
    assert __file__ == seen[0].filename
    assert asks_the_time.__code__.co_firstlineno + 1 == seen[0].lineno


def test_a_body_without_determinism_may_ask_the_time() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        durable.function(deterministic=False)(asks_the_time)


# --- steps called outside of executions ---------------------------------------------------------


def test_a_sync_step_is_the_plain_function_where_no_loop_runs() -> None:
    assert "a!" == durable.step(plain)("a")  # type: ignore[comparison-overlap] # typed as awaited


async def test_a_sync_step_is_awaited_where_a_loop_runs() -> None:
    assert "a!" == await durable.step(plain)("a")


async def test_an_async_step_is_a_coroutine() -> None:
    @durable.step
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    assert 4 == await double(2)


async def test_a_step_in_a_class_is_bound() -> None:
    class Shop:
        price = 3

        @durable.step
        def total(self, count: int) -> int:
            return self.price * count

    bound = Shop().total
    assert isinstance(bound, DurableStep)
    assert 6 == await bound(2)
    assert isinstance(Shop.total, DurableStep)
