"""Pydantic models as payloads; used only once the user's own code has imported pydantic.

A model's JSON is the one pydantic writes (aliases, serializers and all), except that sets are
sorted. Decoding is pydantic's validation. This module never imports pydantic by itself.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any, Final, get_args

from perdure_runtime.serde.fields import Field, factory_default

_DECODERS: Final = 1024
_METADATA_MODULES: Final = ("pydantic", "annotated_types")
SortKey = Callable[[Any], bytes]


def is_model(kind: object) -> bool:
    """Whether `kind` is a class of pydantic models."""
    return (
        isinstance(kind, type)
        and "pydantic" in sys.modules
        and hasattr(kind, "__pydantic_serializer__")
        and hasattr(kind, "model_dump")
    )


def mentions_pydantic(hint: object) -> bool:
    """Whether a hint names a model, a pydantic dataclass or pydantic's field metadata."""
    if "pydantic" not in sys.modules:
        return False
    if isinstance(hint, type) and hasattr(hint, "__pydantic_validator__"):
        return True
    if type(hint).__module__.partition(".")[0] in _METADATA_MODULES:
        return True
    return any(map(mentions_pydantic, get_args(hint)))


def dump_model(model: Any, *, omit_defaults: bool, sort_key: SortKey) -> Any:
    """JSON-shaped data of a model: sets sorted by `sort_key`, defaults left out if asked."""
    dumped = model.model_dump(mode="json", by_alias=True, round_trip=True)
    return _align(dumped, model, omit_defaults, sort_key)


def validate_json(hint: Any, data: bytes) -> Any:
    """Decode with pydantic. Raises pydantic's ValidationError (a ValueError)."""
    return _validator(hint)(data)


@lru_cache(maxsize=_DECODERS)
def _validator(hint: Any) -> Callable[[bytes], Any]:
    pydantic = sys.modules["pydantic"]
    config = None if hasattr(hint, "__pydantic_validator__") else {"val_json_bytes": "base64"}
    try:
        adapter = pydantic.TypeAdapter(hint, config=config)
    except pydantic.PydanticUserError:  # the type brings its own configuration
        adapter = pydantic.TypeAdapter(hint)
    if tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 11):
        validate: Callable[[bytes], Any] = adapter.validate_json
        return validate
    return lambda data: adapter.validate_json(data, by_alias=True, by_name=True)


def _align(dumped: Any, value: Any, omit_defaults: bool, sort_key: SortKey) -> Any:
    """Walk a dump beside the value it came from, sorting what was a set and dropping defaults."""
    if isinstance(dumped, list):
        if not isinstance(value, (list, tuple, set, frozenset)) or len(value) != len(dumped):
            return dumped
        items = [
            _align(item, source, omit_defaults, sort_key)
            for item, source in zip(dumped, value, strict=True)
        ]
        return sorted(items, key=sort_key) if isinstance(value, (set, frozenset)) else items
    if not isinstance(dumped, dict):
        return dumped
    kind: Any = type(value)
    if is_model(kind):
        return _align_fields(dumped, value, _model_fields(kind), omit_defaults, sort_key)
    if dataclasses.is_dataclass(value) or not isinstance(value, Mapping):
        return dumped
    if len(value) != len(dumped):
        return dumped
    return {
        name: _align(item, source, omit_defaults, sort_key)
        for (name, item), source in zip(dumped.items(), value.values(), strict=True)
    }


def _align_fields(
    dumped: dict[str, Any],
    model: Any,
    fields: dict[str, Field],
    omit_defaults: bool,
    sort_key: SortKey,
) -> dict[str, Any]:
    aligned = {}
    for name, item in dumped.items():
        field = fields.get(name)
        if field is None:
            aligned[name] = item
            continue
        value = getattr(model, field.attribute)
        if not (omit_defaults and field.is_default(value)):
            aligned[name] = _align(item, value, omit_defaults, sort_key)
    return aligned


@lru_cache(maxsize=_DECODERS)
def _model_fields(kind: Hashable) -> dict[str, Field]:
    undefined = type(sys.modules["pydantic_core"].PydanticUndefined)
    fields = {}
    model: Any = kind
    for attribute, info in model.model_fields.items():
        name = info.serialization_alias or info.alias or attribute
        if isinstance(info.default, undefined):
            fields[name] = Field(attribute, name, factory_default(info.default_factory))
        else:
            fields[name] = Field(attribute, name, info.default)
    return fields
