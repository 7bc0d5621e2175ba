"""What a callable must look like to be a function, a flow or a step; told at decoration.

The context is the first positional parameter. A first parameter that is annotated with something
else is data, and the message names the decorator that fits.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeVar

from perdure.definition import Definition

_Parameter = inspect.Parameter
_POSITIONAL: Final = (_Parameter.POSITIONAL_ONLY, _Parameter.POSITIONAL_OR_KEYWORD)
_CONTEXT_NAMES: Final = frozenset({"ctx", "context"})
_ANYTHING: Final = frozenset({"Any", "typing.Any", "object"})
_LAST_WORD: Final = re.compile(r"\w*(?=\W*$)")


def is_coroutine_function(function: Any) -> bool:
    """Whether calling it gives a coroutine; sees through `partial` and callable objects."""
    if type(function) is FunctionType and function.__code__.co_flags & inspect.CO_COROUTINE:
        return True  # asked for every step
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 - the attribute itself is wanted
    )


def looks_durable(function: Callable[..., Any]) -> bool:
    """Whether a plain callable is a coroutine function that asks for a context."""
    first = _first_parameter(function)
    return first is not None and is_coroutine_function(function) and _is_context(first) is True


def context_parameters(function: Callable[..., Any]) -> list[str]:
    """Names of the parameters that ask for a context, at any position; `T | None` counts too."""
    return [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in (_Parameter.VAR_POSITIONAL, _Parameter.VAR_KEYWORD)
        and (_is_context(parameter) is True or _is_optional_context(parameter))
    ]


def check_body(decorator: str, function: Any) -> None:
    """Raise TypeError unless `function` can be the body of a function or flow."""
    name = _check_plain_function(decorator, function)
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"{decorator}: {name}() is an async generator; return a value instead")
    first = _first_parameter(function)
    if not inspect.iscoroutinefunction(function):
        if first is not None and _is_context(first):
            advice = f"write `async def {name}`"
        else:
            advice = "use @durable.step for ordinary code, or write `async def` with a context"
        raise TypeError(f"{decorator}: {name}() is a plain `def`; {advice}")
    if first is not None and first.name in ("self", "cls") and "." in function.__qualname__:
        raise TypeError(
            f"{decorator}: {function.__qualname__}() is a method; decorate a function of a module"
        )
    if first is None:
        raise TypeError(
            f"{decorator}: {name}() takes no context; add `ctx: DurableContext` as its first "
            "parameter, or use @durable.step"
        )
    if _is_context(first) is False:
        raise TypeError(
            f"{decorator}: the first parameter of {name}() is `{first}`, not the context; put "
            "`ctx: DurableContext` before it, or use @durable.step"
        )


def check_step(function: Any) -> None:
    """Raise TypeError unless `function` can be a step."""
    check_ambient("@durable.step", function)


def check_ambient(decorator: str, function: Any) -> None:
    """Raise TypeError unless `function` can be a body or a step without a context parameter."""
    name = _check_plain_function(decorator, function)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(f"{decorator}: {name}() is a generator; return a list instead")
    first = _first_parameter(function)
    if first is not None and _is_context(first) is True:
        raise TypeError(
            f"{decorator}: {name}() takes a context (`{first}`); use @durable.function or "
            "@durable.flow, or drop the parameter"
        )


def _check_plain_function(decorator: str, function: Any) -> str:
    if isinstance(getattr(function, "definition", None), Definition):
        raise TypeError(f"{decorator}: {function} is decorated already; use one decorator")
    if isinstance(function, type):
        raise TypeError(f"{decorator}: {function.__name__} is a class; decorate a function")
    if isinstance(function, (staticmethod, classmethod)):
        raise TypeError(
            f"{decorator}: put it below @{type(function).__name__}, or decorate a function"
        )
    if not callable(function):
        raise TypeError(
            f"{decorator} decorates functions, not {function!r}; options are keywords, for "
            f'instance {decorator}(name="...")'
        )
    name = getattr(function, "__name__", None)
    if name is None or name == "<lambda>":
        what = "a lambda" if name else f"a {type(function).__name__} object"
        raise TypeError(f"{decorator}: {what} has no name to record; write a def")
    return str(name)


def _first_parameter(function: Callable[..., Any]) -> inspect.Parameter | None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # a builtin that tells nothing about its parameters
        return None
    first = next(iter(parameters), None)
    return first if first is not None and first.kind in _POSITIONAL else None


def _is_optional_context(parameter: inspect.Parameter) -> bool:
    return parameter.name in _CONTEXT_NAMES and "Context" in str(parameter.annotation)


def _is_context(parameter: inspect.Parameter) -> bool | None:
    """True: a context; False: something else; None: the parameter does not say."""
    annotation = parameter.annotation
    if annotation is _Parameter.empty or annotation is Any or annotation is object:
        return True if parameter.name in _CONTEXT_NAMES else None
    if isinstance(annotation, TypeVar):
        return None
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    if text in _ANYTHING:
        return True if parameter.name in _CONTEXT_NAMES else None
    last = _LAST_WORD.search(text)
    return last is not None and last.group().endswith("Context")
