"""Checks of a task's input: a schema, or a function of the user's.

The result replaces the input: defaults filled in, strings parsed, and so on.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from perdure.executor.errors import refusal

_CROSS: Final = "\N{MULTIPLICATION SIGN}"
Validate = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Check:
    """A check of inputs.

    Args:
        hint: the type of what it gives.
    """

    validate: Validate
    hint: Any = Any


class SchemaRefused(Exception):
    """An input does not fit a schema: the message has a line for each reason and place."""


def by_schema(schema: Any) -> Check:
    """A check by a pydantic model or `TypeAdapter`, a type that msgspec knows, or a callable.

    Raises:
        DurableTaskError: it is none of these.
    """
    for name in ("model_validate", "validate_python"):
        parse = getattr(schema, name, None)
        if callable(parse):
            return Check(_pydantic(parse), schema if isinstance(schema, type) else Any)
    if isinstance(schema, type) or hasattr(schema, "__origin__") or hasattr(schema, "__args__"):
        return Check(_typed(schema), schema)
    if callable(schema):
        return by_function(schema)
    raise refusal(
        f"input_schema takes a pydantic model or TypeAdapter, a type, or a callable, not {schema!r}"
    )


def by_function(check: Callable[[Any], Any]) -> Check:
    """A check by a function, sync or async, that returns the input of `run`, or raises."""
    if not callable(check):
        raise refusal(f"validate_input takes a callable, not {check!r}")

    async def validate(value: Any) -> Any:
        checked = check(value)
        return await checked if inspect.isawaitable(checked) else checked

    return Check(validate)


async def checked(task_id: str, check: Check | None, value: Any) -> Any:
    """The input of a run.

    Raises:
        DurableTaskError: not retryable, "Invalid input to task ID: why".
    """
    if check is None:
        return value
    try:
        return await check.validate(value)
    except Exception as error:
        raise refusal(f"Invalid input to task {task_id}: {error}") from error


def _pydantic(parse: Callable[[Any], Any]) -> Validate:
    async def validate(value: Any) -> Any:
        try:
            return parse(value)
        except ValueError as error:  # its ValidationError is one
            problems = getattr(error, "errors", None)
            if not callable(problems):
                raise
            lines = [_line(each["msg"], ".".join(map(str, each["loc"]))) for each in problems()]
            raise SchemaRefused("\n".join(lines)) from error

    return validate


def _typed(schema: Any) -> Validate:
    async def validate(value: Any) -> Any:
        try:
            if isinstance(schema, type) and isinstance(value, schema):
                return value
        except TypeError:  # a generic or a protocol: it is read as any other value
            pass
        try:
            return msgspec.convert(value, schema)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$")
            raise SchemaRefused(_line(reason, place.rstrip("`").lstrip("."))) from error

    return validate


def _line(reason: str, place: str) -> str:
    told = f"{_CROSS} {reason}"
    return f"{told}\n  → at {place}" if place else told
