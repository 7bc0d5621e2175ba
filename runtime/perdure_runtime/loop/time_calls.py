"""Finding the wall-clock calls that cannot be made virtual, by reading a function's bytecode.

`datetime.now`, `utcnow` and `today` are C methods of an immutable type. A decorator warns with
what is found here (semantics, section 4). Only the function's own body and the functions and
comprehensions written inside it are read, never what it calls.
"""

from __future__ import annotations

import datetime
import dis
import inspect
import sys
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any, Final, NamedTuple

_CLOCKS: Final[dict[type, frozenset[str]]] = {
    datetime.datetime: frozenset({"now", "utcnow", "today"}),
    datetime.date: frozenset({"today"}),
}
_UNKNOWN: Final = object()


class TimeCall(NamedTuple):
    """A place where a body names a wall clock."""

    name: str
    file: str
    line: int


def find_time_calls(function: Callable[..., Any]) -> list[TimeCall]:
    """Return where a function names datetime.now, utcnow or today, under whatever import name."""
    plain = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(plain, "__code__", None)
    if not isinstance(code, CodeType):
        return []
    names = dict(getattr(plain, "__globals__", {}))
    for name, cell in zip(code.co_freevars, plain.__closure__ or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return _read(code, names)


def _read(code: CodeType, names: dict[str, Any]) -> list[TimeCall]:
    found: list[TimeCall] = []
    names = dict(names)
    value: Any = _UNKNOWN  # what the instruction before left on the stack
    module: Any = _UNKNOWN  # what `from module import ...` imports from
    line = code.co_firstlineno
    for instruction in dis.get_instructions(code):
        positions = instruction.positions
        line = (positions.lineno if positions else None) or line
        operation, argument = instruction.opname, instruction.argval
        if operation.count("FAST") == 2:  # two in one, from 3.13 on: STORE_FAST_LOAD_FAST
            if operation.startswith("STORE_"):
                names[argument[0]], value = value, _UNKNOWN
            operation = "STORE_FAST" if operation.endswith("STORE_FAST") else "LOAD_FAST"
            argument = argument[-1]
        if operation == "IMPORT_NAME":
            # `import a.b` leaves `a`; datetime has no submodules, so the name is enough.
            value = module = sys.modules.get(argument, _UNKNOWN)
        elif operation == "IMPORT_FROM":
            value = getattr(module, argument, _UNKNOWN)
        elif operation.startswith("STORE_") and isinstance(argument, str):
            names[argument] = value
            value = _UNKNOWN
        elif operation in ("LOAD_ATTR", "LOAD_METHOD"):
            owner, value = value, _attribute(value, argument)
            if isinstance(owner, type) and argument in _CLOCKS.get(owner, ()):
                found.append(TimeCall(f"{owner.__name__}.{argument}", code.co_filename, line))
        elif operation.startswith("LOAD_") and isinstance(argument, str):
            value = names.get(argument, _UNKNOWN)
        elif operation not in ("CACHE", "PUSH_NULL", "PRECALL", "NOP", "EXTENDED_ARG"):
            value = _UNKNOWN
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += _read(constant, names)
    return found


def _attribute(value: Any, name: str) -> Any:
    """Read an attribute of modules only: a property of anything else would run its code."""
    return getattr(value, name, _UNKNOWN) if isinstance(value, ModuleType) else _UNKNOWN
