"""What this process has defined: decorated functions, services, and which belongs to which.

One registry per process, filled as modules are imported. It decides the target of a function
(semantics, section 3): `service=` on the decorator, else the service it was added to, else
`default`. It knows nothing of workers or coordinators.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from perdure.definition import Definition
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import AmbiguousTargetError

if TYPE_CHECKING:
    from perdure.service import Service

DEFAULT_SERVICE: Final = "default"


class Durable(Protocol):
    """Whatever a decorator returns."""

    @property
    def definition(self) -> Definition:
        """What was decorated."""
        ...


class Registry:
    """Definitions and services by name. Not thread-safe: modules are imported one by one."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self._decorated: dict[str, Definition] = {}
        self._homes: dict[Hashable, dict[str, Definition]] = {}

    def add(self, definition: Definition) -> None:
        """Remember what was decorated at module level; the last one of a name counts."""
        if not definition.is_local:
            self._decorated[definition.code] = definition

    def decorated(self) -> tuple[Definition, ...]:
        """Everything decorated at module level, in order of its definition."""
        return tuple(self._decorated.values())

    def settle(self, service: str, definition: Definition) -> None:
        """Remember that a service offers a definition."""
        self._homes.setdefault(definition.identity, {})[service] = definition

    def unsettle(self, service: str, definition: Definition) -> None:
        """Forget that a service offers a definition."""
        self._homes.get(definition.identity, {}).pop(service, None)

    def homes(self, identity: Hashable) -> dict[str, Definition]:
        """The services that offer what has an identity (a user's callable is its own), each with
        the definition it has there."""
        try:
            return self._homes.get(identity, {})
        except TypeError:  # a callable object without a hash was never settled
            return {}

    def target_of(self, definition: Definition, service: str | None = None) -> Target:
        """Where calls of a definition go.

        Args:
            service: beats everything else.

        Raises:
            AmbiguousTargetError: several services of this process offer it.
        """
        homes = self.homes(definition.identity)
        named = service or definition.service
        if named is not None:
            return Target(named, homes.get(named, definition).name)
        if len(homes) > 1:
            raise AmbiguousTargetError(
                f"{definition.name} belongs to the services {', '.join(sorted(homes))}; "
                "say which one with service="
            )
        for home, offered in homes.items():
            return Target(home, offered.name)
        return Target(DEFAULT_SERVICE, definition.name)


REGISTRY: Final = Registry()


def definition_of(function: object) -> Definition | None:
    """The definition behind a decorated function, or behind a plain one that a service offers."""
    found = getattr(function, "definition", None)
    if isinstance(found, Definition):
        return found
    if not callable(function):
        return None
    return next(iter(REGISTRY.homes(function).values()), None)


def target_of(definition: Definition, service: str | None = None) -> Target:
    """Where calls of a definition go in this process; see `Registry.target_of`."""
    return REGISTRY.target_of(definition, service)


def is_placed(definition: Definition) -> bool:
    """Whether this process knows the definition's service and need not ask the coordinator."""
    return definition.service is not None or bool(REGISTRY.homes(definition.identity))


def collect_services(
    definitions: Iterable[Definition], default: str = DEFAULT_SERVICE
) -> list[Service]:
    """Put definitions that are in no service yet where they belong, and name those services.

    Raises:
        InvalidArgumentError: two definitions of one name from different code meet in a service.
    """
    from perdure.service import service

    touched: dict[str, Service] = {}
    for definition in definitions:
        homes = REGISTRY.homes(definition.identity)
        name = definition.service or (None if homes else default)
        if name is not None and name not in homes:
            touched[name] = service(name)
            touched[name].add_definition(definition)
    return list(touched.values())


def all_services() -> list[Service]:
    """Everything that this process has defined, for a runtime that serves all of it."""
    collect_services(REGISTRY.decorated())
    return list(REGISTRY.services.values())


@contextmanager
def isolated_registry() -> Iterator[Registry]:
    """An empty registry for the duration of a block, for tests that define things."""
    saved = dict(vars(REGISTRY))
    vars(REGISTRY).update(vars(Registry()))
    try:
        yield REGISTRY
    finally:
        vars(REGISTRY).update(saved)
