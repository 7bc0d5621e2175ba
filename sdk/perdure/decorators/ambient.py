"""`@task` and `@workflow`: durable functions and flows without a context parameter.

Their bodies use `perdure.ctx`, and call other durable code directly (semantics, section 3). All
else is as in `@durable.function(deterministic=False)` and `@durable.flow`. The body of a plain
`def` runs as one recorded step.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, Protocol, TypeVar, Unpack, overload

from perdure.context.ambient import current_context
from perdure.decorators.body import body_options, make_durable, named_retry
from perdure.decorators.durable_function import DurableFunction
from perdure.decorators.flow import flow_options
from perdure.decorators.keywords import FlowKeywords, FunctionKeywords, check_keywords
from perdure.definition import Kind
from perdure.option_checks import optional_milliseconds
from perdure.options import DEFAULT_RETRY

P = ParamSpec("P")
T = TypeVar("T")

_TASK: Final = "@task"
_WORKFLOW: Final = "@workflow"


class AmbientDecorator(Protocol):
    """`@task(...)` or `@workflow(...)` with its options given."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> DurableFunction[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> DurableFunction[P, T]: ...


@overload
def task(function: Callable[P, Coroutine[Any, Any, T]], /) -> DurableFunction[P, T]: ...
@overload
def task(function: Callable[P, T], /) -> DurableFunction[P, T]: ...
@overload
def task(**options: Unpack[FunctionKeywords]) -> AmbientDecorator: ...
def task(function: Callable[..., Any] | None = None, /, **options: Unpack[FunctionKeywords]) -> Any:
    """Make a durable function of a callable without a context, bare or with options.

    Args:
        options: see `FunctionKeywords`; `deterministic` is False by default.

    Raises:
        TypeError: the callable takes a context (use `@durable.function`), is a generator or none
            at all, or an option is unknown.
        InvalidArgumentError: the value of an option is not allowed.
    """
    check_keywords(_TASK, FunctionKeywords, options)
    checked = body_options(
        _TASK,
        {"deterministic": False, **options},
        retry=named_retry(_TASK, options) or DEFAULT_RETRY,
        attempt_timeout_ms=optional_milliseconds(_TASK, "timeout", options.get("timeout")),
    )
    decorate = make_durable(_TASK, Kind.FUNCTION, checked, options, adapt=_as_coroutine)
    return decorate if function is None else decorate(function)


@overload
def workflow(function: Callable[P, Coroutine[Any, Any, T]], /) -> DurableFunction[P, T]: ...
@overload
def workflow(function: Callable[P, T], /) -> DurableFunction[P, T]: ...
@overload
def workflow(**options: Unpack[FlowKeywords]) -> AmbientDecorator: ...
def workflow(function: Callable[..., Any] | None = None, /, **options: Unpack[FlowKeywords]) -> Any:
    """Make a durable flow of a callable without a context, bare or with options.

    Args:
        options: see `FlowKeywords`.

    Raises:
        TypeError, InvalidArgumentError: as `task`.
    """
    check_keywords(_WORKFLOW, FlowKeywords, options)
    checked, given = flow_options(_WORKFLOW, options)
    decorate = make_durable(_WORKFLOW, Kind.FLOW, checked, given, adapt=_as_coroutine)
    return decorate if function is None else decorate(function)


def _as_coroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, or a body that runs it as its only step."""
    if inspect.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    async def body(*args: Any, **kwargs: Any) -> Any:
        context = current_context()
        assert context is not None
        return await context.run(
            functools.partial(function, *args, **kwargs), name=function.__name__
        )

    return body
