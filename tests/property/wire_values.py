"""Hypothesis strategies for every value that travels, built from the types of its fields.

A new class or field needs no work here unless its type is new; then `strategy_for` fails.
"""

from __future__ import annotations

import types
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.payload import Failure, Payload

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBER = st.integers(min_value=-(2**63), max_value=2**63 - 1)

# Fields whose empty value means something else on the wire (a default): see the .proto comments.
NEVER_EMPTY = {
    "namespace": TEXT.filter(bool),
    "timezone": TEXT.filter(bool),
    "type": TEXT.filter(bool),
    "encoding": TEXT.filter(bool),
    "on_exhausted": TEXT.filter(bool),
    "tries": st.integers(min_value=1, max_value=2**63 - 1),
    "limit": st.integers(min_value=1, max_value=2**63 - 1),
}
# These record exactly one of `result` and `failure`; others may have neither.
MUST_HAVE_OUTCOME = {"StepCompleted", "BranchCompleted", "CallCompleted", "PromiseSettled"}


def union_members(union: Any) -> tuple[type, ...]:
    """The classes of a union alias."""
    return get_args(union)


def strategy_for(annotation: Any) -> st.SearchStrategy[Any]:
    """A strategy for values of a type."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return st.one_of(*(strategy_for(member) for member in get_args(annotation)))
    if origin is tuple:
        item, dots = get_args(annotation)
        assert dots is Ellipsis
        return st.lists(strategy_for(item), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(*(strategy_for(part) for part in get_args(annotation)), max_size=2)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        type(None): st.none(),
        str: TEXT,
        int: NUMBER,
        bool: st.booleans(),
        float: st.floats(allow_nan=False),
        bytes: st.binary(max_size=20),
    }
    if annotation in simple:
        return simple[annotation]
    if issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    return values_of(annotation)


@cache
def values_of(cls: type) -> st.SearchStrategy[Any]:
    """A strategy for values of a struct or named tuple."""
    if cls is Failure:
        return st.deferred(_failures)
    if issubclass(cls, msgspec.Struct):
        hints = {field.name: field.type for field in msgspec.structs.fields(cls)}
    else:
        hints = get_type_hints(cls)
    fields = {
        name: NEVER_EMPTY[name] if name in NEVER_EMPTY else strategy_for(hint)
        for name, hint in hints.items()
    }
    if {"result", "failure"} <= fields.keys():
        return _with_outcome(cls, fields)
    return st.builds(cls, **fields)


def _with_outcome(cls: type, fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    neither = st.none()
    cases = [
        fields | {"result": values_of(Payload), "failure": neither},
        fields | {"result": neither, "failure": values_of(Failure)},
    ]
    if cls.__name__ not in MUST_HAVE_OUTCOME:
        cases.append(fields | {"result": neither, "failure": neither})
    return st.one_of(*(st.builds(cls, **case) for case in cases))


def _failures() -> st.SearchStrategy[Failure]:
    fields = {
        field.name: strategy_for(field.type)
        for field in msgspec.structs.fields(Failure)
        if field.name != "cause"
    }
    one = st.builds(Failure, **fields)

    def chained(parts: list[Failure]) -> Failure:
        chain = parts[-1]
        for part in reversed(parts[:-1]):
            chain = msgspec.structs.replace(part, cause=chain)
        return chain

    return st.lists(one, min_size=1, max_size=3).map(chained)


RECORDED = values_of(Recorded)
