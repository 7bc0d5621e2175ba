"""The public names of `perdure` with their signatures, against a committed list.

A change of the list is a change for users: it belongs into the changelog. Write it anew with
`PERDURE_UPDATE_PUBLIC_API=1 make test PYTEST_ARGS=tests/architecture/test_public_api.py`.
"""

import inspect
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import perdure

FACADES = ("perdure.executor",)
SNAPSHOT = Path(__file__).with_name("public_api.txt")


def signature(value: object) -> str:
    if not callable(value):
        return f": {type(value).__name__}"
    try:
        return str(inspect.signature(value))
    except ValueError:  # a class whose constructor is written in C
        return "(...)"


def members(name: str, cls: type) -> Iterator[str]:
    """Public members that `cls` or a base of ours defines; those of the standard library are not
    ours to promise."""
    names = {
        member
        for base in cls.__mro__
        if base.__module__.startswith("perdure")
        for member in vars(base)
        if not member.startswith("_")
    }
    for member in sorted(names):
        value = inspect.getattr_static(cls, member)
        match value:
            case staticmethod() | classmethod():
                kind = type(value).__name__
                yield f"  {kind} {name}.{member}{signature(value.__func__)}"
            case property():
                yield f"  property {name}.{member}"
            case _ if inspect.isfunction(value):
                prefix = "async " if inspect.iscoroutinefunction(value) else ""
                yield f"  {prefix}{name}.{member}{signature(value)}"
            case _:
                yield f"  attribute {name}.{member}"


def describe(name: str, value: object) -> Iterator[str]:
    if isinstance(value, type):
        bases = ", ".join(base.__name__ for base in value.__bases__)
        yield f"class {name}({bases})"
        yield f"  {name}{signature(value)}"
        yield from members(name, value)
    elif inspect.isroutine(value):
        prefix = "async def" if inspect.iscoroutinefunction(value) else "def"
        yield f"{prefix} {name}{signature(value)}"
    elif inspect.ismodule(value):
        yield f"module {name}"
    else:
        yield f"object {name}: {type(value).__name__}"


def public_api() -> str:
    names: list[str] = sorted(getattr(perdure, "__all__", []))
    lines = [line for name in names for line in describe(name, getattr(perdure, name))]
    for facade in FACADES:
        module = import_module(facade)
        lines.append(f"module {facade}")
        for name in sorted(module.__all__):
            lines += describe(name, getattr(module, name))
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Pythons render signatures differently")
def test_public_api_is_the_committed_one() -> None:
    if os.environ.get("PERDURE_UPDATE_PUBLIC_API"):
        SNAPSHOT.write_text(public_api(), encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == public_api()
