"""How the values of tasks travel: as JSON shapes, restored by the hints of the task's code.

Everything between two pieces of user code (flows, journals, the coordinator) sees these shapes
only; they become values again where the code runs, or at a handle.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import msgspec

from perdure.executor.errors import refusal
from perdure_runtime.serde import TYPED_JSON


@runtime_checkable
class TextSerializer(Protocol):
    """A serializer of the user's: values to text and back. Hints play no part."""

    def serialize(self, value: Any) -> str:
        """A value as text."""
        ...

    def deserialize(self, text: str) -> Any:
        """The value again."""
        ...


class Values:
    """Encodes and decodes for one executor.

    Args:
        serializer: instead of Perdure's typed JSON.

    Raises:
        DurableTaskError: the serializer lacks a method.
    """

    def __init__(self, serializer: TextSerializer | None = None) -> None:
        if serializer is not None and not isinstance(serializer, TextSerializer):
            raise refusal(
                f"serializer= takes an object with serialize(value) and deserialize(text), not "
                f"{serializer!r}"
            )
        self._serializer = serializer

    def shape(self, value: Any, what: str) -> Any:
        """A value as it travels.

        Raises:
            SerializationError, LimitExceededError: it cannot; names the place inside of it.
            what the user's serializer raises.
        """
        if self._serializer is None:
            return msgspec.json.decode(TYPED_JSON.encode(value, what=what).data)
        text = self._serializer.serialize(value)
        if not isinstance(text, str):
            raise refusal(f"the serializer made {type(text).__name__} of {what}, not str")
        return text

    def value(self, shape: Any, hint: Any, what: str) -> Any:
        """The value again, by its hint. Raises `SerializationError`."""
        if self._serializer is None:
            return TYPED_JSON.decode(TYPED_JSON.encode(shape), hint, what=what)
        if isinstance(shape, str):
            return self._serializer.deserialize(shape)
        return self._structure(shape)

    def _structure(self, shape: Any) -> Any:
        """What an executor's own flow put around serialized values: outputs of tasks of tasks."""
        if isinstance(shape, dict) and "output" in shape:
            found = shape | {"output": self.value(shape["output"], Any, "output")}
            if "children_outputs" in shape:
                found["children_outputs"] = list(map(self._structure, shape["children_outputs"]))
            return found
        return shape
