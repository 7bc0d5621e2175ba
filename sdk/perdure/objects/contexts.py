"""Contexts among the arguments of a method call: they say who calls, and never travel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from perdure.objects.definition import MethodDefinition
from perdure_runtime.core.errors import InvalidArgumentError

if TYPE_CHECKING:
    from perdure_runtime.driver import Body

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def without_contexts(
    definition: MethodDefinition,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    body: Body | None,
) -> Arguments:
    """The arguments that travel. None in the place of the context is dropped too.

    Args:
        body: of the execution that makes the call; None outside of executions.

    Raises:
        InvalidArgumentError: a context of another execution.
    """
    from perdure.context.context import DurableContext
    from perdure.context.proxy import ContextProxy

    def travels(value: object) -> bool:
        if isinstance(value, DurableContext):
            if value.surroundings.body is not body:
                raise InvalidArgumentError(
                    f"{definition.name}(): the context that was passed is not the caller's own; "
                    "leave it out, a call belongs to the execution that makes it"
                )
            return False
        return not isinstance(value, ContextProxy)

    contexts = definition.injected[1:]
    args = tuple(value for value in args if travels(value))
    keywords = {
        name: value
        for name, value in kwargs.items()
        if travels(value) and not (name in contexts and value is None)
    }
    if contexts and None in args:
        args = _without_none(definition.signature.arguments, args, keywords)
    return args, keywords


def _without_none(
    bind: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """Without the None that stands for a context, if the call does not fit otherwise."""
    if _fits(bind, args, kwargs):
        return args
    for place, value in enumerate(args):
        fewer = (*args[:place], *args[place + 1 :])
        if value is None and _fits(bind, fewer, kwargs):
            return fewer
    return args


def _fits(bind: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        bind(args, kwargs)
    except TypeError:
        return False
    return True
