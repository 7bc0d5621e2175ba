"""`@durable.flow`: a body of several steps, each retried by itself (semantics, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar, Unpack, overload

from perdure.decorators.body import body_options, make_durable, named_retry
from perdure.decorators.durable_function import DurableFunction
from perdure.decorators.function import DurableDecorator
from perdure.decorators.keywords import FlowKeywords, check_keywords
from perdure.definition import Kind
from perdure.option_checks import optional_milliseconds
from perdure.options import DEFAULT_RETRY, NO_RETRIES, Options, retry_policy
from perdure_runtime.core.errors import InvalidArgumentError

if TYPE_CHECKING:
    from perdure.context import DurableContext

P = ParamSpec("P")
T = TypeVar("T")

_WHERE: Final = "@durable.flow"
_MAX_CONCURRENT_STEPS: Final = 10
_SECOND_NAMES: Final = {"step_retries": "max_retries", "step_timeout": "timeout"}


@overload
def flow(
    function: Callable[Concatenate[DurableContext, P], Coroutine[Any, Any, T]], /
) -> DurableFunction[P, T]: ...
@overload
def flow(**options: Unpack[FlowKeywords]) -> DurableDecorator: ...
def flow(function: Callable[..., Any] | None = None, /, **options: Unpack[FlowKeywords]) -> Any:
    """Make a durable flow of `async def f(ctx, ...)`, bare or with options.

    Steps and plain handlers that the body runs are retried one by one (3 times by default); an
    exception that leaves the body fails the flow.

    Args:
        options: see `FlowKeywords`.

    Raises:
        TypeError: the function is no coroutine function with a context (the message names the
            decorator that fits), or an option is unknown.
        InvalidArgumentError: the value of an option is not allowed, or both of its names are given.
    """
    check_keywords(_WHERE, FlowKeywords, options)
    checked, given = flow_options(_WHERE, options)
    decorate = make_durable(_WHERE, Kind.FLOW, checked, given)
    return decorate if function is None else decorate(function)


def flow_options(where: str, options: FlowKeywords) -> tuple[Options, dict[str, Any]]:
    """The checked options of a flow, and its keywords each under one name."""
    given = _with_one_name(options)
    checked = body_options(
        where,
        given,
        retry=retry_policy(f"{where}: flow_retries", options.get("flow_retries")) or NO_RETRIES,
        step_retry=named_retry(where, given) or DEFAULT_RETRY,
        step_timeout_ms=optional_milliseconds(where, "timeout", given.get("timeout")),
        max_concurrent_steps=_MAX_CONCURRENT_STEPS,
    )
    return checked, given


def _with_one_name(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None}
    for clear, short in _SECOND_NAMES.items():
        if clear in given and short in given:
            raise InvalidArgumentError(
                f"{_WHERE}: {clear} and {short} are two names for one option; give one"
            )
        if clear in given:
            given[short] = given.pop(clear)
    if "max_concurrent_steps" in options and options["max_concurrent_steps"] is None:
        given["max_concurrent_steps"] = None
    return given
