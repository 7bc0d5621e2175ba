"""Turns any supported value into plain data that msgspec prints as we want it.

Two forms: the *wire* form (every field, the order of dicts kept) and the *canonical* form (fields
equal to their default left out, numbers as in `numbers`; msgspec then sorts the keys). Sets become
lists sorted by the canonical bytes of their members in both. Says where in the value a problem is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec

from perdure_runtime.serde.fields import Layout, layout_of
from perdure_runtime.serde.models import dump_model, is_model
from perdure_runtime.serde.numbers import canonical_float, is_ordinary_float

MAX_DEPTH: Final = 128
_MAX_PATH_CHARS: Final = 200
WIRE: Final = msgspec.json.Encoder()
SORTED: Final = msgspec.json.Encoder(order="sorted")
_EXACT_INTEGERS: Final = 2**53
_SCALARS: Final = frozenset((str, int, bool, type(None)))
_PLAIN: Final = _SCALARS | {dict, list, tuple, float}
_STRINGS: Final = {str}
_KEY_TYPES: Final = (int, bytes, UUID, datetime, date, time, timedelta, Decimal)


class Unencodable(Exception):
    """A value cannot become JSON; `segments` is its path, innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.segments: list[str] = []

    @property
    def path(self) -> str:
        """The path inside the value, like `[0].items["a"]`; empty for the value itself."""
        path = "".join(reversed(self.segments))
        if len(path) <= _MAX_PATH_CHARS:
            return path
        return f"{path[: _MAX_PATH_CHARS // 2]} ... {path[-_MAX_PATH_CHARS // 2 :]}"


def is_plain(value: object, depth: int = 0) -> bool:
    """Whether msgspec alone prints `value` right in both forms; the usual case, checked fast."""
    kind = type(value)
    members: Iterable[Any]
    if kind is dict:
        if value and set(map(type, value)) != _STRINGS:  # type: ignore[call-overload]  # a dict here
            return False
        members = value.values()  # type: ignore[attr-defined]  # a dict here
    elif kind is list or kind is tuple:
        members = value  # type: ignore[assignment]  # a list or tuple here
    else:
        return kind in _SCALARS or (kind is float and is_ordinary_float(value))  # type: ignore[arg-type]  # a float here
    kinds = set(map(type, members))
    if kinds <= _SCALARS:
        return True
    if depth >= MAX_DEPTH - 1 or not kinds <= _PLAIN:
        return False  # too deep for this check: the walk decides, and names the place
    return all(type(member) in _SCALARS or is_plain(member, depth + 1) for member in members)


class Reduction:
    """One of the two forms, as a walk over values.

    Args:
        canonical: the canonical form rather than the wire form.
        fallback: what to do with a value of no supported type; it returns plain data or raises
            `Unencodable`.
        probe: try every scalar on its own, to find the one that msgspec refuses.
    """

    def __init__(
        self,
        *,
        canonical: bool,
        fallback: Callable[[Any, int], Any] | None = None,
        probe: bool = False,
    ) -> None:
        self.canonical = canonical
        self.fallback = fallback
        self.probe = probe

    def reduce(self, value: Any, depth: int = 0) -> Any:
        """Plain data for `value`. Raises `Unencodable`."""
        if depth > MAX_DEPTH:
            raise Unencodable(
                f"it is nested deeper than {MAX_DEPTH} levels, or contains itself; "
                "store it flat and refer by id"
            )
        kind = type(value)
        handler = _HANDLERS.get(kind)
        if handler is None:
            handler = _classified.get(kind) or _classify(kind)
        return handler(self, value, depth)

    def _scalar(self, value: Any, depth: int) -> Any:
        if self.probe:
            try:
                WIRE.encode(value)
            except Exception as error:
                raise Unencodable(
                    f"{type(value).__name__} that JSON cannot hold: {error}"
                ) from None
        return value

    def _float(self, value: float, depth: int) -> Any:
        if is_ordinary_float(value):
            return value
        try:
            text = canonical_float(value)
        except ValueError:
            raise Unencodable(f"float {value!r} has no JSON form; pass None or a string") from None
        if not self.canonical:
            return value
        return (
            int(value)
            if abs(value) < _EXACT_INTEGERS and value % 1 == 0
            else msgspec.Raw(text.encode())
        )

    def _list(self, value: Iterable[Any], depth: int) -> list[Any]:
        reduced = []
        for index, item in enumerate(value):
            try:
                reduced.append(self.reduce(item, depth + 1))
            except Unencodable as error:
                error.segments.append(f"[{index}]")
                raise
        return reduced

    def _set(self, value: Iterable[Any], depth: int) -> list[Any]:
        members = self._list(value, depth)
        if self.canonical:
            return sorted(members, key=SORTED.encode)
        keys = CANONICAL._list(value, depth) if self.fallback is None else members
        order = sorted(range(len(members)), key=lambda index: SORTED.encode(keys[index]))
        return [members[index] for index in order]

    def _dict(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        reduced: dict[str, Any] = {}
        for key, item in value.items():
            try:
                name = key if type(key) is str else _key_text(key)
                if name in reduced:
                    raise Unencodable(f"two keys of the dict both become {name!r} in JSON")
                if self.probe:
                    self._scalar(name, depth)
                reduced[name] = self.reduce(item, depth + 1)
            except Unencodable as error:
                error.segments.append(f"[{key!r}]")
                raise
        return reduced

    def _object(self, value: Any, depth: int) -> Any:
        layout = _layouts[type(value)]
        omits = (self.canonical or layout.omit_defaults) and not layout.as_array
        reduced: dict[str, Any] = {}
        if layout.tag_field is not None:
            reduced[layout.tag_field] = layout.tag
        for field in layout.fields:
            item = getattr(value, field.attribute, msgspec.UNSET)
            if item is msgspec.UNSET and not layout.as_array:
                continue
            if omits and field.is_default(item):
                continue
            try:
                reduced[field.name] = self.reduce(item, depth + 1)
            except Unencodable as error:
                error.segments.append(f".{field.attribute}")
                raise
        return list(reduced.values()) if layout.as_array else reduced

    def _enum(self, value: Enum, depth: int) -> Any:
        return self.reduce(value.value, depth)

    def _model(self, value: Any, depth: int) -> Any:
        dumped = dump_model(
            value,
            omit_defaults=self.canonical,
            sort_key=lambda item: SORTED.encode(CANONICAL.reduce(item)),
        )
        return self.reduce(dumped, depth)

    def _path(self, value: PurePath, depth: int) -> str:
        return str(value)

    def _text(self, value: str, depth: int) -> Any:
        return self._scalar(str.__str__(value), depth)

    def _integer(self, value: int, depth: int) -> Any:
        return self._scalar(int(value), depth)

    def _real(self, value: float, depth: int) -> Any:
        return self._float(float(value), depth)

    def _unknown(self, value: Any, depth: int) -> Any:
        if self.fallback is not None:
            return self.fallback(value, depth)
        kind = type(value)
        raise Unencodable(
            f"{kind.__module__}.{kind.__qualname__} has no JSON form; pass plain data, "
            "a dataclass, a msgspec.Struct or a pydantic model, "
            "or opt in to the cloudpickle serializer"
        )


Handler = Callable[[Reduction, Any, int], Any]

_HANDLERS: Final[dict[type, Handler]] = {
    **dict.fromkeys(
        (
            *(str, int, bool, type(None), bytes, bytearray, memoryview),
            *(datetime, date, time, timedelta, UUID, Decimal),
        ),
        Reduction._scalar,
    ),
    float: Reduction._float,
    dict: Reduction._dict,
    list: Reduction._list,
    tuple: Reduction._list,
    set: Reduction._set,
    frozenset: Reduction._set,
}
_BASES: Final[tuple[tuple[type, Handler], ...]] = (
    (Enum, Reduction._enum),
    (PurePath, Reduction._path),
    (str, Reduction._text),
    (int, Reduction._integer),
    (float, Reduction._real),
    (bytes, Reduction._scalar),
    (datetime, Reduction._scalar),
    (date, Reduction._scalar),
    (UUID, Reduction._scalar),
    (Mapping, Reduction._dict),
    (list, Reduction._list),
    (tuple, Reduction._list),
    (Set, Reduction._set),
)
# Weak, so that classes made inside functions can go away.
_classified: Final[WeakKeyDictionary[type, Handler]] = WeakKeyDictionary()
_layouts: Final[WeakKeyDictionary[type, Layout]] = WeakKeyDictionary()

CANONICAL: Final = Reduction(canonical=True)
WIRE_FORM: Final = Reduction(canonical=False)
PROBE: Final = Reduction(canonical=False, probe=True)


def _classify(kind: type) -> Handler:
    handler: Handler = Reduction._unknown
    layout = None if is_model(kind) else layout_of(kind)
    if is_model(kind):
        handler = Reduction._model
    elif layout is not None:
        _layouts[kind] = layout
        handler = Reduction._object
    else:
        for base, candidate in _BASES:
            if issubclass(kind, base):
                handler = candidate
                break
    _classified[kind] = handler
    return handler


def _key_text(key: Any) -> str:
    """The JSON name of a dict key; hints restore the key from it."""
    if isinstance(key, Enum):
        return _key_text(key.value)
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, float):
        try:
            return canonical_float(float(key))
        except ValueError:
            raise Unencodable(f"{key!r} cannot be a key in JSON") from None
    if isinstance(key, _KEY_TYPES) and not isinstance(key, bool):
        encoded = WIRE.encode(int(key) if isinstance(key, int) else key)
        return encoded.decode().strip('"')
    raise Unencodable(
        f"a key of type {type(key).__name__} cannot be a key in JSON; use strings, numbers, UUIDs, "
        "dates or enums, or pass a list of pairs"
    )
