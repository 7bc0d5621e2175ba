"""Type hints of a function, resolved when first needed, one by one.

A hint that names something unknown (imported under `TYPE_CHECKING` only, say) counts as `Any`, with
a `PerdureWarning` that names it; the others keep their meaning.
"""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Mapping
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from perdure_runtime.core.errors import PerdureWarning
from perdure_runtime.serde.qualified import code_name

RETURN = "return"


def resolve_hints(function: Any, local_names: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Hints by parameter name (and "return"); unhinted names are missing.

    Args:
        local_names: names of the scope that defined the function, for classes made there.
    """
    plain = inspect.unwrap(function)
    known = {**(local_names or {}), **_captured(plain)}
    try:
        return typing.get_type_hints(plain, localns=known, include_extras=True)
    except Exception:  # an annotation is arbitrary code: find the ones that work
        return _resolve_one_by_one(plain, known)


def accepts_none(hint: Any) -> bool:
    """Whether None is a value of the hinted type."""
    if hint in (Any, object, None, NoneType):
        return True
    origin = get_origin(hint)
    if origin is Annotated:
        return accepts_none(get_args(hint)[0])
    if origin in (Union, UnionType):
        return any(map(accepts_none, get_args(hint)))
    return isinstance(hint, typing.TypeVar)


def _captured(function: Any) -> dict[str, Any]:
    names = {}
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None)
    for name, cell in zip(code.co_freevars if code else (), cells or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return names


def _resolve_one_by_one(function: Any, known: dict[str, Any]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    try:
        annotations = dict(getattr(function, "__annotations__", {}))
    except Exception:  # Python 3.14 evaluates them all at once, here
        annotations = {}
    for name, annotation in annotations.items():
        holder: Any = SimpleNamespace(__annotations__={name: annotation})
        try:
            hints |= typing.get_type_hints(
                holder, getattr(function, "__globals__", {}), known, include_extras=True
            )
        except Exception as error:
            warnings.warn(
                f"hint {annotation!r} of {name!r} in {code_name(function)}() is taken as Any: "
                f"{error}; import it at run time to have values restored by it",
                PerdureWarning,
                stacklevel=2,
            )
    return hints
