"""JSON schemas of inputs and results, for service configurations; best effort, never an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from perdure_runtime.serde.models import is_model

_REFERENCES: Final = "#/$defs/{name}"
_DEFINITIONS: Final = "$defs"


def input_schema(
    hints: Mapping[str, Any], required: Sequence[str], *, single: bool
) -> dict[str, Any] | None:
    """Schema of an input on the wire: the only parameter's, an object's, or null's."""
    if not hints:
        return {"type": "null"}
    schemas = _schemas(list(hints.values()))
    if schemas is None:
        return None
    parts, definitions = schemas
    if single:
        return _with_definitions(parts[0], definitions)
    schema = {
        "type": "object",
        "properties": dict(zip(hints, parts, strict=True)),
        "required": list(required),
        "additionalProperties": False,
    }
    return _with_definitions(schema, definitions)


def output_schema(hint: Any) -> dict[str, Any] | None:
    """Schema of one hint."""
    schemas = _schemas([hint])
    return None if schemas is None else _with_definitions(schemas[0][0], schemas[1])


def _schemas(hints: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    definitions: dict[str, Any] = {}

    def of_custom_type(kind: type) -> dict[str, Any]:
        if not is_model(kind):
            return {}
        model: Any = kind
        schema: dict[str, Any] = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop(_DEFINITIONS, {}))
        return schema

    try:
        parts, components = msgspec.json.schema_components(
            hints, schema_hook=of_custom_type, ref_template=_REFERENCES
        )
    except Exception:  # a hint that has no schema: the configuration goes without
        return None
    return list(parts), {**definitions, **components}


def _with_definitions(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return {**schema, _DEFINITIONS: definitions} if definitions else schema
