"""What `@durable.object` makes of a class: its name and one `Definition` per remote method."""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from perdure.definition import Definition
from perdure.objects.attributes import Attributes
from perdure_runtime.core.messages import MethodSpec

if TYPE_CHECKING:
    from perdure_runtime.serde import Signature

OnError = Literal["keep", "rollback"]

MARK: Final = "__perdure_object__"
GET_STATE: Final = "get_state"


@dataclass(frozen=True, eq=False)
class MethodDefinition(Definition):
    """A remote method. `name` is "Class.method", `function` takes `self`.

    Args:
        owner: the class it belongs to.
        injected: names of the parameters that never travel: `self`, and the context if declared.
        is_shared: it only reads, and runs on the last committed state.
        on_error: what becomes of the attributes when it raises.
    """

    owner: ObjectDefinition = field(kw_only=True)
    injected: tuple[str, ...] = ("self",)
    is_shared: bool = False
    on_error: OnError = "keep"

    @property
    def identity(self) -> Hashable:
        """The class and the method: a base may hand its function on to several classes."""
        return self.owner.cls, self.method

    @property
    def method(self) -> str:
        """Its name within the class."""
        return self.name.rpartition(".")[2]

    @cached_property
    def signature(self) -> Signature:
        """Without `self` and the context."""
        from perdure_runtime.serde import signature_of

        return signature_of(self.function, self.injected)

    @cached_property
    def code(self) -> str:
        """`module.qualified_name` of the class, and the method."""
        cls = self.owner.cls
        return f"{cls.__module__}.{cls.__qualname__}.{self.method}"

    @property
    def is_local(self) -> bool:
        """Whether its class was made inside a function."""
        return "<locals>" in self.owner.cls.__qualname__

    @property
    def is_hidden(self) -> bool:
        """Whether it is ours, not the user's."""
        return self.method == GET_STATE

    def method_spec(self, service: str, version: str) -> MethodSpec:
        """See `Definition.method_spec`."""
        from msgspec.structs import replace as changed

        return changed(super().method_spec(service, version), shared=self.is_shared)


@dataclass(frozen=True, eq=False)
class ObjectDefinition:
    """One object class.

    Args:
        name: of the class as others call it.
        methods: by their name within the class.
        local: names of public methods that are no remote ones.
        is_hidden: it is ours, not the user's.
    """

    cls: type
    name: str
    service: str | None
    version: str
    on_error: OnError
    methods: dict[str, MethodDefinition]
    local: frozenset[str]
    is_hidden: bool = False

    @cached_property
    def takes_id(self) -> bool:
        """Whether `__init__` is given the id; one without parameters is not."""
        return len(inspect.signature(self.cls.__init__).parameters) > 1  # type: ignore[misc]

    @cached_property
    def attributes(self) -> Attributes:
        """How instances become payloads."""
        return Attributes(self.cls, self.name)


def object_key(callee: Any) -> str:
    """The object's id of a method that a proxy gave.

    Raises:
        TypeError: it is the method of a class, which belongs to no object.
    """
    key = getattr(callee, "object_key", None)
    if not isinstance(key, str):
        raise TypeError(f"{callee!r} belongs to no object; take the method of a proxy")
    return key


def object_definition(cls: Any) -> ObjectDefinition:
    """What `@durable.object` made of this class itself (not of a base).

    Raises:
        TypeError: it is not decorated.
    """
    found = vars(cls).get(MARK) if isinstance(cls, type) else None
    if not isinstance(found, ObjectDefinition):
        name = cls.__name__ if isinstance(cls, type) else repr(cls)
        raise TypeError(f"{name} is no durable object; decorate the class with @durable.object")
    return found
