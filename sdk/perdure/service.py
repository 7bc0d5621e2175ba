"""Services: named groups of functions, flows, steps and handlers that a worker offers together.

A service is a list of definitions with a name and a version. Running it is the worker's part,
finding it from elsewhere the coordinator's (semantics, section 3).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, TypeVar, overload

from perdure.decorators.shape import is_coroutine_function, looks_durable
from perdure.definition import Definition, Kind
from perdure.objects.definition import MethodDefinition, ObjectDefinition, object_definition
from perdure.objects.function_state import function_state
from perdure.options import RateLimit, checked_limits
from perdure.registry import REGISTRY, definition_of
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.messages import MethodSpec

Lifespan = Callable[[], AbstractAsyncContextManager[Any]]
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_VERSION = "1.0.0"


class Service:
    """What one or more workers offer under a name. Made by `durable.service`."""

    def __init__(self, name: str, version: str, lifespan: Lifespan | None = None) -> None:
        self.name = check_name("service", name)
        self.version = check_name("version", version)
        self.lifespan = lifespan
        self._methods: dict[str, Definition] = {}

    def __repr__(self) -> str:
        return f"Service({self.name!r}, {self.version!r}, methods={list(self._methods)})"

    @property
    def methods(self) -> dict[str, Definition]:
        """What the service offers, by name (a copy)."""
        return dict(self._methods)

    def add_function(self, function: Callable[..., Any], *, name: str | None = None) -> None:
        """Offer a decorated function, flow or step, or any plain callable.

        A plain coroutine function whose first parameter is the context becomes a durable function
        with defaults, any other callable a step. Adding the same again changes nothing.

        Args:
            name: under which it is offered; its own name when None.

        Raises:
            TypeError: it is not callable, or is a class.
            InvalidArgumentError: the service offers other code under this name already; the
                message names both.
        """
        self.add_definition(_as_definition(function, Kind.STEP), name=name)

    def add_object(self, cls: type) -> None:
        """Offer a durable object: all remote methods of a class that `@durable.object` made.

        Raises:
            TypeError: the class is not decorated.
            InvalidArgumentError: another service of this process offers it, or its decorator names
                another one: an object belongs to one service.
        """
        definition = object_definition(cls)
        if definition.service not in (None, self.name):
            raise InvalidArgumentError(
                f"object {definition.name} belongs to service {definition.service!r} by its "
                f"decorator; {self.name!r} cannot offer it too"
            )
        for method in definition.methods.values():
            others = [home for home in REGISTRY.homes(method.identity) if home != self.name]
            if others:
                raise InvalidArgumentError(
                    f"object {definition.name} belongs to service {others[0]!r} already; an object "
                    f"has one home, so {self.name!r} cannot offer it too"
                )
        for method in definition.methods.values():
            self.add_definition(method)

    def add_definition(self, definition: Definition, *, name: str | None = None) -> None:
        """Offer a definition; see `add_function`."""
        offered = definition.renamed(name or definition.name)
        known = self._methods.get(offered.name)
        if known is not None and known.identity == offered.identity:
            return
        if known is not None and known.code != offered.code:
            raise InvalidArgumentError(
                f"service {self.name!r} has two methods named {offered.name!r}: {known.code} and "
                f"{offered.code}; rename one with name="
            )
        if known is not None:  # the same code made anew: a reload, or a cell that ran again
            REGISTRY.unsettle(self.name, known)
        self._methods[offered.name] = offered
        REGISTRY.settle(self.name, offered)
        if offered.options.state_scope == "function":
            self.add_object(function_state(self.name, offered.name).cls)

    def offer(self, definition: Definition) -> None:
        """Offer a definition without making this its home: calls of the function go elsewhere."""
        self._methods[definition.name] = definition

    @overload
    def handler(self, function: F, /) -> F: ...
    @overload
    def handler(
        self,
        /,
        *,
        name: str | None = None,
        max_concurrency: int | None = None,
        rate_limit: RateLimit | None = None,
    ) -> Callable[[F], F]: ...
    def handler(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        max_concurrency: int | None = None,
        rate_limit: RateLimit | None = None,
    ) -> Any:
        """Offer a plain callable, sync (run in a thread) or async; returns it unchanged.

        A handler has no retries of its own: the policy of the flow that calls it applies.

        Args:
            name: under which it is offered; its own name when None.
            max_concurrency, rate_limit: of its executions, as of `@durable.function`.

        Raises:
            TypeError: it is decorated or takes a context; the message says what to use.
        """

        most, rate = checked_limits("handler()", max_concurrency, rate_limit)

        def offer(plain: Callable[..., Any]) -> Callable[..., Any]:
            if definition_of(plain) is not None and hasattr(plain, "definition"):
                raise TypeError(f"{plain} is decorated already; use service.add_function")
            if looks_durable(plain):
                raise TypeError(
                    f"handler {plain.__name__}() takes a context; use @durable.function and "
                    "service.add_function"
                )
            definition = _as_definition(plain, Kind.HANDLER)
            options = replace(definition.options, max_concurrency=most, rate_limit=rate)
            self.add_definition(replace(definition, options=options), name=name)
            return plain

        return offer if function is None else offer(function)

    def method_specs(self) -> tuple[MethodSpec, ...]:
        """What a worker registers with the coordinator."""
        return tuple(each.method_spec(self.name, self.version) for each in self._methods.values())

    def get_service_config(self) -> dict[str, Any]:
        """The service as plain data: name, version, functions, flows, objects, handlers.

        Each entry holds name, version, options in seconds and the JSON schemas of input and output
        (None where the type hints allow none).
        """
        described: dict[str, list[dict[str, Any]]] = {kind: [] for kind in Kind}
        objects: dict[ObjectDefinition, list[MethodDefinition]] = {}
        for definition in self._methods.values():
            if not isinstance(definition, MethodDefinition):
                described[definition.kind].append(_described(definition, self.version))
            elif not (definition.is_hidden or definition.owner.is_hidden):
                objects.setdefault(definition.owner, []).append(definition)
        return {
            "name": self.name,
            "version": self.version,
            "functions": described[Kind.FUNCTION],
            "flows": described[Kind.FLOW],
            "objects": [
                _described_object(owner, methods, self.version)
                for owner, methods in objects.items()
            ],
            "handlers": described[Kind.STEP] + described[Kind.HANDLER],
        }


def service(name: str, version: str | None = None, *, lifespan: Lifespan | None = None) -> Service:
    """The service of this name in this process; made at the first call.

    Args:
        version: "1.0.0" when nothing says otherwise.
        lifespan: makes an async context manager that is entered once per worker; what it yields
            is `perdure.resources()` in steps and handlers.

    Raises:
        InvalidArgumentError: the service exists with another version or another lifespan.
    """
    known = REGISTRY.services.get(name)
    if known is None:
        made = Service(name, DEFAULT_VERSION if version is None else version, lifespan)
        return REGISTRY.services.setdefault(name, made)
    if version is not None and version != known.version:
        raise InvalidArgumentError(
            f"service {name!r} has version {known.version!r} in this process, not {version!r}"
        )
    if lifespan is not None and known.lifespan not in (None, lifespan):
        raise InvalidArgumentError(f"service {name!r} has another lifespan already")
    known.lifespan = lifespan or known.lifespan
    return known


def _as_definition(function: Callable[..., Any], plain_kind: Kind) -> Definition:
    own = getattr(function, "definition", None)
    if isinstance(own, Definition):
        return own
    if isinstance(function, type):
        raise TypeError(
            f"{function.__name__} is a class; add_object takes classes with @durable.object"
        )
    if not callable(function):
        raise TypeError(f"{function!r} is not callable")
    if looks_durable(function):
        from perdure.decorators import function as durable_function

        return durable_function(function).definition
    name = getattr(function, "__name__", None)
    if name == "<lambda>":
        raise TypeError("a lambda has no name; write a def")
    return Definition(plain_kind, name or type(function).__name__, function)


def _described(definition: Definition, version: str) -> dict[str, Any]:
    options = definition.options
    entry: dict[str, Any] = {"name": definition.name, "version": definition.version or version}
    if definition.is_durable:
        entry["deterministic"] = options.deterministic
        entry["max_concurrent_steps"] = options.max_concurrent_steps
    if definition.kind is Kind.FLOW:
        entry["checkpoint_interval"] = options.checkpoint_interval
        retry, timeout_ms = options.step_retry, options.step_timeout_ms
        entry["flow_retries"] = options.retry.max_retries if options.retry else 0
    else:
        retry, timeout_ms = options.retry, options.attempt_timeout_ms
    entry["max_retries"] = None if retry is None else retry.max_retries
    entry["retry_delay"] = None if retry is None else retry.delay
    entry["timeout"] = _seconds(timeout_ms)
    entry["execution_timeout"] = _seconds(options.execution_timeout_ms)
    entry["max_concurrency"] = options.max_concurrency
    rate = options.rate_limit
    entry["rate_limit"] = (
        None if rate is None else {"per_second": rate.per_second, "burst": rate.burst}
    )
    entry["doc"] = inspect.getdoc(definition.function) or ""
    entry["async"] = is_coroutine_function(definition.function)
    entry["input_schema"] = definition.signature.input_schema()
    entry["output_schema"] = definition.signature.output_schema()
    return entry


def _described_object(
    owner: ObjectDefinition, methods: list[MethodDefinition], version: str
) -> dict[str, Any]:
    return {
        "name": owner.name,
        "version": owner.version or version,
        "doc": inspect.cleandoc(owner.cls.__doc__ or ""),
        "state_version": owner.attributes.version,
        "on_error": owner.on_error,
        "methods": [
            {**_described(each, version), "name": each.method, "shared": each.is_shared}
            for each in methods
        ],
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
