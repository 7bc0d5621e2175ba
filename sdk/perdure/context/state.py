"""`ctx.state`: values that belong to the execution and survive crashes and attempts.

Values are encoded when set and decoded at each get, so nobody shares them. A write rides with the
next command; a get needs no entry (semantics, section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure_runtime.core.limits import check_name

if TYPE_CHECKING:
    from perdure_runtime.driver import Body
    from perdure_runtime.serde import Serializers


class State:
    """The state of one execution; branches share it."""

    __slots__ = ("_body", "_serializers")

    def __init__(self, body: Body, serializers: Serializers) -> None:
        self._body = body
        self._serializers = serializers

    async def get(self, key: str, default: Any = None) -> Any:
        """A copy of the value, in JSON shape; `default` if the key is not there."""
        payload = self._body.state_get(check_name("state key", key))
        if payload is None:
            return default
        return self._serializers.decode(payload, what=f"state {key!r}")

    async def set(self, key: str, value: Any) -> None:
        """Keep a value.

        Raises:
            InvalidArgumentError: the key is empty or longer than 255 characters.
            SerializationError, LimitExceededError: the value cannot be encoded.
        """
        check_name("state key", key)
        payload = self._serializers.encode(value, what=f"state {key!r}")
        self._body.state_set(key, payload)

    async def update(self, key: str, change: Callable[[Any], Any], default: Any = None) -> Any:
        """Set a key to `change(its value)` as one step that nothing comes between; the new value.

        Args:
            change: plain code without effects; it may be called more than once.
            default: what it is given when the key is not there.
        """
        value = change(await self.get(key, default))
        await self.set(key, value)
        return value

    async def delete(self, key: str) -> None:
        """Forget a value; nothing happens if the key is not there."""
        self._body.state_delete(check_name("state key", key))

    async def keys(self) -> list[str]:
        """The keys that have values, sorted."""
        return sorted(self._body.state_keys())
