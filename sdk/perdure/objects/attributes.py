"""Attributes of an object as one payload, and back (semantics, sections 6 and 9).

A JSON object of all attributes that do not start with `_`. They are restored by annotations: of
the class, or of `self.x: T = ...` in `__init__`; without one, by the type of what `__init__` sets,
where JSON has no such type. What could not be read back is refused when it is saved.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from types import SimpleNamespace
from typing import Any, ClassVar, Final, get_origin

import msgspec

from perdure.objects.base import SavedState, public_attributes
from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import Serializers

VERSION_KEY: Final = "state_version"
_JSON_TYPES: Final = (bool, int, float, str, list, dict, type(None))


class Attributes:
    """How the attributes of one class travel."""

    def __init__(self, cls: type, class_name: str) -> None:
        self._cls = cls
        self._class_name = class_name
        self._hints: dict[str, Any] | None = None

    @property
    def version(self) -> int:
        """`__state_version__` of the class."""
        return int(getattr(self._cls, "__state_version__", 1))

    def encode(self, instance: object, defaults: dict[str, Any], codec: Serializers) -> Payload:
        """The state of an instance.

        Args:
            defaults: what `hints_for` is given: the types that `__init__` set.

        Raises:
            SerializationError, LimitExceededError: an attribute cannot be encoded, or would not be
                read back by its annotation; names it.
        """
        values = public_attributes(instance)
        what = f"state of {self._class_name}"
        payload = codec.encode(values, what=what)
        hints = {name: defaults[name] for name in values if defaults.get(name, Any) is not Any}
        if hints:  # a state that cannot be loaded would make the object useless for ever
            every = dict.fromkeys(values, Any) | hints
            codec.decode_fields(payload, every, what=what)
        metadata = {**payload.metadata, VERSION_KEY: str(self.version)}
        return msgspec.structs.replace(payload, metadata=metadata)

    def restore(
        self, instance: object, state: Payload, defaults: dict[str, Any], codec: Serializers
    ) -> None:
        """Overwrite what `__init__` set with what was saved.

        Raises:
            SerializationError: it does not fit the annotations, or was saved by another version of
                the class and there is no `migrate`.
        """
        saved = int(state.metadata.get(VERSION_KEY, "1"))
        if saved != self.version:
            self._migrate(instance, SavedState(self._plain(state, codec), saved))
            return
        vars(instance).update(self.decode(state, defaults, codec))

    def decode(
        self, state: Payload, defaults: dict[str, Any], codec: Serializers
    ) -> dict[str, Any]:
        """Saved attributes by name. Raises `SerializationError`."""
        names = self._plain(state, codec)
        if int(state.metadata.get(VERSION_KEY, self.version)) != self.version:
            return names
        every = {name: defaults.get(name, Any) for name in names}
        if all(hint is Any for hint in every.values()):
            return names
        return codec.decode_fields(state, every, what=f"state of {self._class_name}")

    def hints_for(self, instance: object | None) -> dict[str, Any]:
        """Types to restore attributes by.

        Args:
            instance: fresh from `__init__`, so that its values tell what no annotation does.
        """
        if self._hints is None:
            self._hints = annotated_attributes(self._cls)
        hints = dict(self._hints)
        for name, value in public_attributes(instance).items() if instance is not None else ():
            if name not in hints and type(value) not in _JSON_TYPES:
                hints[name] = type(value) | None
        return hints

    def _migrate(self, instance: object, old: SavedState) -> None:
        migrate = getattr(instance, "migrate", None)
        if migrate is None:
            raise SerializationError(
                f"state of {self._class_name} was saved by version {old.version} of the class and "
                f"this is version {self.version}; define migrate(self, old) to take it over"
            )
        migrate(old)

    def _plain(self, state: Payload, codec: Serializers) -> dict[str, Any]:
        values = codec.decode(state, what=f"state of {self._class_name}")
        if not isinstance(values, dict):
            raise SerializationError(
                f"state of {self._class_name} is a {type(values).__name__}, not an object"
            )
        return values


def annotated_attributes(cls: type) -> dict[str, Any]:
    """Annotations of the class, and of `self.x: T` in its `__init__` methods, resolved.

    One that cannot be resolved counts as `Any`.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base is object or base.__module__.startswith("perdure."):
            continue
        module = inspect.getmodule(base)
        names = vars(module) if module is not None else {}
        written = {**_in_init(base), **dict(vars(base).get("__annotations__", {}))}
        for name, annotation in written.items():
            hint = _resolved(name, annotation, names)
            if not name.startswith("_") and get_origin(hint) is not ClassVar:
                found[name] = hint
    return found


def _in_init(cls: type) -> dict[str, Any]:
    init = vars(cls).get("__init__")
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))  # type: ignore[arg-type]
    except (TypeError, OSError, SyntaxError):  # no source: in an interactive session, say
        return {}
    return {
        node.target.attr: ast.unparse(node.annotation)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute)
        and isinstance(node.target.value, ast.Name)
        and node.target.value.id == "self"
    }


def _resolved(name: str, annotation: Any, names: dict[str, Any]) -> Any:
    holder: Any = SimpleNamespace(__annotations__={name: annotation})
    try:
        return typing.get_type_hints(holder, names, {}, include_extras=True)[name]
    except Exception:  # an annotation is arbitrary code
        return Any
