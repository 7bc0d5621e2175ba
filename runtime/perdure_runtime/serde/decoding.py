"""Decoders of JSON for type hints, built once per hint.

Hints that nothing can decode (a union of two dataclasses, `Never`) give the JSON shape instead,
with one `PerdureWarning`: a hint is documentation first, and the first run sees the same value.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Final, get_origin

import msgspec

from perdure_runtime.core.errors import PerdureWarning, SerializationError
from perdure_runtime.serde.models import is_model, mentions_pydantic, validate_json

_DECODERS: Final = 4096
_BY_CONSTRUCTOR: Final = (str, int, float, list, dict, PurePath)
_PLACE: Final = re.compile(r" - at (?:`key` in )?`\$(.*)`$", re.DOTALL)
Decode = Callable[[bytes], Any]

decode_any: Final[Decode] = msgspec.json.Decoder().decode


def decoder_for(hint: Any) -> Decode:
    """A function from JSON bytes to a value of the hinted type. Never raises."""
    if hint is Any:
        return decode_any
    try:
        hash(hint)
    except TypeError:  # Annotated[...] with unhashable metadata
        return _build(hint)
    return _cached(hint)


def decode_json(data: bytes, hint: Any, what: str) -> Any:
    """Decode `data` by `hint`.

    Raises:
        SerializationError: the data is no JSON or does not fit the hint; names the place.
    """
    try:
        return decoder_for(hint)(data)
    except RecursionError:
        raise SerializationError(f"cannot decode {what}: it is nested too deeply") from None
    except Exception as error:  # a user's __post_init__ or validator may raise anything
        raise SerializationError(_explain(what, hint, error)) from error


def hint_name(hint: Any) -> str:
    """How to write a hint in a message."""
    return hint.__qualname__ if isinstance(hint, type) else str(hint).replace("typing.", "")


@lru_cache(maxsize=_DECODERS)
def _cached(hint: Any) -> Decode:
    return _build(hint)


def _build(hint: Any) -> Decode:
    if hint is None or hint is inspect.Parameter.empty:
        return decode_any
    if is_model(hint) or mentions_pydantic(hint):
        return lambda data: validate_json(hint, data)
    try:
        return msgspec.json.Decoder(hint, dec_hook=_restore).decode
    except Exception as error:  # NameError of a forward reference, TypeError of a union, ...
        warnings.warn(
            f"values hinted {hint_name(hint)} come back in their JSON shape: {error}",
            PerdureWarning,
            stacklevel=4,
        )
        return decode_any


def _restore(hint: Any, value: Any) -> Any:
    """What msgspec cannot build by itself: models in other types, and subclasses of plain types."""
    kind = get_origin(hint) or hint
    if is_model(kind) or mentions_pydantic(hint):
        return validate_json(hint, msgspec.json.encode(value))
    if not isinstance(kind, type):
        return value
    try:
        if isinstance(value, kind):
            return value
    except TypeError:  # a Protocol that is not runtime-checkable constrains nothing
        return value
    if issubclass(kind, _BY_CONSTRUCTOR) and not issubclass(kind, Enum):
        return kind(value)
    raise ValueError(f"Expected `{hint_name(hint)}`, got JSON `{type(value).__name__}`")


def _explain(what: str, hint: Any, error: Exception) -> str:
    text = str(error)
    place = _PLACE.search(text)
    if place is not None:
        what, text = f"{what}{place[1]}", text[: place.start()]
    if isinstance(error, (msgspec.DecodeError, ValueError, TypeError)):
        return f"cannot decode {what} as {hint_name(hint)}: {text}"
    return f"cannot decode {what} as {hint_name(hint)}: {type(error).__name__}: {text}"
