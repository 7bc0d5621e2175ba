"""`@durable.step`: ordinary code whose result is recorded (semantics, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, Protocol, TypeVar, Unpack, overload

from perdure.decorators.body import named_retry
from perdure.decorators.durable_step import DurableStep
from perdure.decorators.keywords import StepKeywords, check_keywords
from perdure.decorators.shape import check_step
from perdure.definition import Definition, Kind
from perdure.option_checks import check_flag, error_classes, optional_milliseconds
from perdure.options import Options, checked_limits
from perdure.registry import REGISTRY

P = ParamSpec("P")
T = TypeVar("T")

_WHERE: Final = "@durable.step"


class StepDecorator(Protocol):
    """`@durable.step(...)` with its options given."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, T]], /) -> DurableStep[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> DurableStep[P, T]: ...


@overload
def step(function: Callable[P, Coroutine[Any, Any, T]], /) -> DurableStep[P, T]: ...
@overload
def step(function: Callable[P, T], /) -> DurableStep[P, T]: ...
@overload
def step(**options: Unpack[StepKeywords]) -> StepDecorator: ...
def step(function: Callable[..., Any] | None = None, /, **options: Unpack[StepKeywords]) -> Any:
    """Make a step of a sync or async function without a context, bare or with options.

    Called inside an execution its result is recorded once; the body runs at least once. Without a
    retry policy of its own, a flow's steps follow the flow and a function's are not retried.

    Args:
        options: see `StepKeywords`.

    Raises:
        TypeError: the function takes a context, is a generator, or is no function; or an option
            is unknown.
        InvalidArgumentError: the value of an option is not allowed.
    """
    check_keywords(_WHERE, StepKeywords, options)
    most, rate_limit = checked_limits(
        _WHERE, options.get("max_concurrency"), options.get("rate_limit")
    )
    checked = Options(
        retry=named_retry(_WHERE, options),
        attempt_timeout_ms=optional_milliseconds(_WHERE, "timeout", options.get("timeout")),
        at_most_once=check_flag(_WHERE, "at_most_once", options.get("at_most_once", False)),
        reuse_on_retry=check_flag(_WHERE, "reuse_on_retry", options.get("reuse_on_retry", True)),
        raises=error_classes(_WHERE, "raises", options.get("raises", ())),
        max_concurrency=most,
        rate_limit=rate_limit,
    )

    def decorate(plain: Callable[..., Any]) -> DurableStep[..., Any]:
        check_step(plain)
        definition = Definition(
            Kind.STEP,
            options.get("name") or plain.__name__,
            plain,
            checked,
            service=options.get("service"),
            version=options.get("version", ""),
        )
        REGISTRY.add(definition)
        return DurableStep(definition)

    return decorate if function is None else decorate(function)
