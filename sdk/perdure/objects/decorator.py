"""`@durable.object` and `@durable.shared` (semantics, section 6).

They check a class and record its remote methods; they change nothing of what instances do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar, Unpack, overload

from perdure.decorators.body import body_options, named_retry, warn_of_clocks
from perdure.decorators.keywords import ObjectKeywords, check_keywords
from perdure.decorators.shape import context_parameters
from perdure.definition import Kind
from perdure.objects.base import DurableObject, ObjectId
from perdure.objects.definition import (
    GET_STATE,
    MARK,
    MethodDefinition,
    ObjectDefinition,
)
from perdure.option_checks import optional_milliseconds
from perdure.options import DEFAULT_RETRY, NO_RETRIES, Options
from perdure.registry import REGISTRY
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError, SharedMethodError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_WHERE: Final = "@durable.object"
_SHARED: Final = "__perdure_shared__"
_OURS: Final = frozenset({"get_or_create", GET_STATE, "save", "id", "migrate"})
_RESERVED: Final = frozenset({"get_or_create", GET_STATE, "id"})


class ObjectDecorator(Protocol):
    """`@durable.object(...)` with its options given."""

    def __call__(self, cls: type[T], /) -> type[T]: ...


@overload
def durable_object(cls: type[T], /) -> type[T]: ...
@overload
def durable_object(**options: Unpack[ObjectKeywords]) -> ObjectDecorator: ...
def durable_object(cls: type | None = None, /, **options: Unpack[ObjectKeywords]) -> Any:
    """Make a durable object of a class, bare or with options; returns the class itself.

    Its remote methods are its public `async def` ones; a context is injected where one is
    declared. One exclusive method runs at a time per id, first come, first served. Attributes are
    saved with the outcome of the method. A class without the base `DurableObject` is given
    `get_or_create`, `get_state`, `save` and `id`.

    Args:
        options: see `ObjectKeywords`.

    Raises:
        TypeError: it is no class, is decorated already, or a method cannot be a remote one (the
            message names it); or an option is unknown.
        InvalidArgumentError: the value of an option is not allowed.
    """
    check_keywords(_WHERE, ObjectKeywords, options)
    on_error = options.get("on_error", "keep")
    if on_error not in ("keep", "rollback"):
        raise InvalidArgumentError(
            f"{_WHERE}: on_error must be 'keep' or 'rollback', not {on_error!r}"
        )
    checked = body_options(
        _WHERE,
        options,
        retry=named_retry(_WHERE, options) or DEFAULT_RETRY,
        attempt_timeout_ms=optional_milliseconds(_WHERE, "timeout", options.get("timeout")),
    )

    def decorate(decorated: type[T]) -> type[T]:
        define(decorated, checked, options)
        return decorated

    return decorate if cls is None else decorate(cls)


def shared(method: F) -> F:
    """Let a method of a durable object run beside others, on the last committed state.

    It only reads: if it changes an attribute, it fails with `SharedMethodError`.

    Raises:
        TypeError: it is no `async def` method.
    """
    if not inspect.iscoroutinefunction(method):
        raise TypeError(f"@durable.shared: {_name(method)} must be an `async def` method")
    setattr(method, _SHARED, True)
    return method


def define(
    cls: Any, options: Options, given: ObjectKeywords, *, hidden: bool = False
) -> ObjectDefinition:
    """Make an object class of a plain one, and remember it. Raises TypeError.

    Args:
        hidden: it is ours, not the user's.
    """
    _check_class(cls)
    definition = ObjectDefinition(
        cls,
        given.get("name") or cls.__name__,
        given.get("service"),
        given.get("version", ""),
        given.get("on_error", "keep"),
        {},
        frozenset(_local_methods(cls)),
        hidden,
    )
    if not issubclass(cls, DurableObject):
        _complete(cls)
    for name, function in _remote_methods(cls):
        _add(definition, name, function, options, is_shared=hasattr(function, _SHARED))
        if options.deterministic:
            warn_of_clocks(function)
    reading = Options(retry=NO_RETRIES, reuse_on_retry=False, raises=(NotFoundError,))
    _add(definition, GET_STATE, DurableObject.get_state, reading, is_shared=True)
    setattr(cls, MARK, definition)
    return definition


def _add(
    owner: ObjectDefinition,
    name: str,
    function: Callable[..., Any],
    options: Options,
    *,
    is_shared: bool,
) -> None:
    contexts = context_parameters(function)
    if len(contexts) > 1:
        raise TypeError(
            f"{_WHERE}: {owner.name}.{name}() takes two contexts ({', '.join(contexts)}); keep one"
        )
    first = next(iter(inspect.signature(function).parameters))
    method = MethodDefinition(
        Kind.OBJECT,
        f"{owner.name}.{name}",
        function,
        _of_method(options, is_shared),
        service=owner.service,
        version=owner.version,
        owner=owner,
        injected=(first, *contexts),
        is_shared=is_shared,
        on_error=owner.on_error,
    )
    owner.methods[name] = method
    REGISTRY.add(method)


def _of_method(options: Options, is_shared: bool) -> Options:
    """A read is never taken over from an earlier attempt (semantics, section 2)."""
    from dataclasses import replace

    raises = (*options.raises, SharedMethodError) if is_shared else options.raises
    return replace(options, reuse_on_retry=options.reuse_on_retry and not is_shared, raises=raises)


def _check_class(cls: Any) -> None:
    if not isinstance(cls, type):
        raise TypeError(f"{_WHERE} decorates classes, not {cls!r}; options are keywords")
    if MARK in vars(cls):
        raise TypeError(f"{_WHERE}: {cls.__name__} is decorated already; use one decorator")
    _check_names(cls)
    _check_parameters(cls)
    if inspect.iscoroutinefunction(getattr(cls, "migrate", None)):
        raise TypeError(f"{_WHERE}: {cls.__name__}.migrate() must be a plain `def`")
    version = getattr(cls, "__state_version__", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise TypeError(
            f"{_WHERE}: {cls.__name__}.__state_version__ must be an int of 1 or more, not "
            f"{version!r}"
        )


def _check_names(cls: Any) -> None:
    for name in _RESERVED:
        found = inspect.getattr_static(cls, name, None)
        if found is not None and found is not inspect.getattr_static(DurableObject, name, None):
            if isinstance(found, ObjectId):
                continue
            if name in ("get_or_create", GET_STATE) and MARK in _marks(cls):
                continue
            raise TypeError(
                f"{_WHERE}: {cls.__name__}.{name} is a name of Perdure's own; rename it"
            )


def _check_parameters(cls: Any) -> None:
    parameters = list(inspect.signature(_init(cls)).parameters.values())[1:]
    required = [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if len(required) > 1 or any(each.kind is each.KEYWORD_ONLY for each in required):
        raise TypeError(
            f"{_WHERE}: {cls.__name__}.__init__() takes {', '.join(map(str, required))}; it is "
            "called with the object's id alone, give the others defaults"
        )


def _marks(cls: type) -> set[str]:
    return {name for base in cls.__mro__ for name in vars(base) if name == MARK}


def _complete(cls: Any) -> None:
    """Give a class without the base what the base has."""
    base = vars(DurableObject)
    for name in ("get_or_create", GET_STATE, "save"):
        if not hasattr(cls, name):
            setattr(cls, name, base[name])
    if not hasattr(cls, "id"):
        cls.id = ObjectId()


def _remote_methods(cls: type) -> list[tuple[str, Callable[..., Any]]]:
    remote: list[tuple[str, Callable[..., Any]]] = []
    for name in dir(cls):
        value = inspect.getattr_static(cls, name)
        if name.startswith("_") or not inspect.isfunction(value) or _is_ours(cls, name, value):
            if inspect.isfunction(value) and getattr(value, _SHARED, False):
                raise TypeError(
                    f"@durable.shared: {cls.__name__}.{name}() is private; nobody can call it"
                )
            continue
        if inspect.isasyncgenfunction(value):
            raise TypeError(
                f"{_WHERE}: {cls.__name__}.{name}() is an async generator; return a list, or "
                "start its name with an underscore"
            )
        if inspect.iscoroutinefunction(value):
            remote.append((name, value))
    return remote


def _local_methods(cls: type) -> list[str]:
    return [
        name
        for name in dir(cls)
        if not name.startswith("_")
        and name not in _OURS
        and callable(value := getattr(cls, name, None))
        and not inspect.iscoroutinefunction(value)
    ]


def _is_ours(cls: type, name: str, value: Any) -> bool:
    return name in _OURS and (
        name == "migrate" or value is inspect.getattr_static(DurableObject, name, None)
    )


def _name(method: Any) -> str:
    return getattr(method, "__qualname__", None) or repr(method)


def _init(cls: Any) -> Callable[..., Any]:
    init: Callable[..., Any] = getattr(cls, "__init__")  # noqa: B009 - mypy minds the plain form
    return init
