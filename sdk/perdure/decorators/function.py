"""`@durable.function`: a body that survives crashes, retried as a whole (semantics, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    ParamSpec,
    Protocol,
    TypeVar,
    Unpack,
    overload,
)

from perdure.decorators.body import body_options, make_durable, named_retry
from perdure.decorators.durable_function import DurableFunction
from perdure.decorators.keywords import FunctionKeywords, check_keywords
from perdure.definition import Kind
from perdure.option_checks import optional_milliseconds
from perdure.options import DEFAULT_RETRY

if TYPE_CHECKING:
    from perdure.context import DurableContext

P = ParamSpec("P")
T = TypeVar("T")

_WHERE: Final = "@durable.function"


class DurableDecorator(Protocol):
    """`@durable.function(...)` or `@durable.flow(...)` with its options given."""

    def __call__(
        self, function: Callable[Concatenate[DurableContext, P], Coroutine[Any, Any, T]], /
    ) -> DurableFunction[P, T]: ...


@overload
def function(
    function: Callable[Concatenate[DurableContext, P], Coroutine[Any, Any, T]], /
) -> DurableFunction[P, T]: ...
@overload
def function(**options: Unpack[FunctionKeywords]) -> DurableDecorator: ...
def function(
    function: Callable[..., Any] | None = None, /, **options: Unpack[FunctionKeywords]
) -> Any:
    """Make a durable function of `async def f(ctx, ...)`, bare or with options.

    When the body raises, a new attempt runs it again (3 retries by default) and takes over what
    succeeded; its own steps and calls have no retries unless they name some.

    Args:
        options: see `FunctionKeywords`.

    Raises:
        TypeError: the function is no coroutine function with a context (the message names the
            decorator that fits), or an option is unknown.
        InvalidArgumentError: the value of an option is not allowed.
    """
    check_keywords(_WHERE, FunctionKeywords, options)
    checked = body_options(
        _WHERE,
        options,
        retry=named_retry(_WHERE, options) or DEFAULT_RETRY,
        attempt_timeout_ms=optional_milliseconds(_WHERE, "timeout", options.get("timeout")),
    )
    decorate = make_durable(_WHERE, Kind.FUNCTION, checked, options)
    return decorate if function is None else decorate(function)
