"""What a dataclass or Struct puts into JSON, worked out once per class.

Knows names, tags and defaults; encodes nothing. A default made by a factory is known only when the
factory is a builtin type (`list`, `dict`, ...): other factories may draw random numbers or read a
clock and are never called here.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, NamedTuple

import msgspec

_PURE_FACTORIES: Final = (list, dict, set, frozenset, tuple, str, int, float, bool, bytes)
_NOTHING: Final = object()
_NUMBERS: Final = (int, float)


class Field(NamedTuple):
    """One attribute, its name in JSON and its default, if that is known."""

    attribute: str
    name: str
    default: Any = _NOTHING

    def is_default(self, value: object) -> bool:
        """Whether `value` is the field's default, so that the canonical form leaves it out."""
        default = self.default
        if default is _NOTHING:
            return False
        same_kind = type(value) is type(default) or (
            type(value) in _NUMBERS and type(default) in _NUMBERS
        )
        if not same_kind:
            return False
        try:
            return bool(value == default)
        except Exception:  # a user's __eq__ may raise anything; then the field simply stays in
            return False


class Layout(NamedTuple):
    """How instances of one class look in JSON."""

    fields: tuple[Field, ...]
    tag_field: str | None = None
    tag: str | int | None = None
    as_array: bool = False
    omit_defaults: bool = False


def layout_of(kind: type) -> Layout | None:
    """The layout of a dataclass or Struct; None for every other class."""
    if issubclass(kind, msgspec.Struct):
        return _struct_layout(kind)
    if dataclasses.is_dataclass(kind):
        return Layout(
            tuple(
                Field(field.name, field.name, _default(field.default, field.default_factory))
                for field in dataclasses.fields(kind)
            )
        )
    return None


def factory_default(factory: object) -> Any:
    """What a builtin factory makes; a value equal to nothing for any other."""
    for known in _PURE_FACTORIES:
        if factory is known:
            return known()
    return _NOTHING


def _default(default: object, factory: object) -> Any:
    if default is not dataclasses.MISSING and default is not msgspec.NODEFAULT:
        return default
    return factory_default(factory)


def _struct_layout(kind: type[msgspec.Struct]) -> Layout:
    config = kind.__struct_config__
    return Layout(
        tuple(
            Field(field.name, field.encode_name, _default(field.default, field.default_factory))
            for field in msgspec.structs.fields(kind)
        ),
        tag_field=config.tag_field,
        tag=config.tag,
        as_array=config.array_like,
        omit_defaults=config.omit_defaults,
    )
