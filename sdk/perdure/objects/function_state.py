"""The hidden object behind `state_scope="function"`: keys and values of one function.

Each value has a version, so that a read, a change made by the caller and a write can be one:
`set_if` writes only when nobody else did in between.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Final

from perdure.objects.base import DurableObject
from perdure.objects.decorator import define, shared
from perdure.objects.definition import MethodDefinition, ObjectDefinition
from perdure.options import DEFAULT_RETRY, Options

_OPTIONS: Final = Options(retry=DEFAULT_RETRY, reuse_on_retry=False)


class FunctionState(DurableObject):
    """Values by key, each as [version, value]."""

    ID: ClassVar[str] = "state"

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.values: dict[str, list[Any]] = {}
        self.count = 0

    @shared
    async def get(self, key: str) -> list[Any] | None:
        """The version and the value of a key, None if it is not there."""
        return self.values.get(key)

    @shared
    async def keys(self) -> list[str]:
        """All keys."""
        return list(self.values)

    async def set(self, key: str, value: Any) -> None:
        """Set a key. No two values ever have the same version, deleted ones included."""
        self.count += 1
        self.values[key] = [self.count, value]

    async def set_if(self, key: str, value: Any, version: int) -> tuple[bool, list[Any] | None]:
        """Set a key if it still has this version (0: is not there); whether, and what it has."""
        found = self.values.get(key)
        if (0 if found is None else found[0]) != version:
            return False, found
        await self.set(key, value)
        return True, None

    async def delete(self, key: str) -> None:
        """Forget a key."""
        self.values.pop(key, None)


def hidden_class(service: str, function: str) -> str:
    """The class name of a function's state: each belongs to one service."""
    return f"{service}.{function}~state"


def function_state(service: str, function: str) -> ObjectDefinition:
    """The object class that a service offers beside a function."""
    # Made inside of the function, as its name says: nothing but that function finds it.
    qualname = f"{service}.{function}.<locals>.{FunctionState.__name__}"
    cls = type(FunctionState.__name__, (FunctionState,), {"__qualname__": qualname})
    return define(
        cls, _OPTIONS, {"name": hidden_class(service, function), "service": service}, hidden=True
    )


@cache
def state_methods() -> dict[str, MethodDefinition]:
    """The methods by name, for their signatures; they are offered nowhere."""
    return function_state("perdure", "function").methods
