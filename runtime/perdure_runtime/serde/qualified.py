"""Names of code objects that stay the same in every process: `module.qualified_name`.

A module that runs as the main program is named as others would import it, so that a journal begun
by `python app.py` goes on under `perdure worker app:service`. Nothing here ever imports a module.
"""

from __future__ import annotations

import sys
from functools import cache
from os.path import basename, splitext
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, ModuleType
from typing import Any, Final

_MAIN: Final = "__main__"
_CODE: Final = (FunctionType, BuiltinFunctionType, MethodDescriptorType, type)


def module_name(module: str) -> str:
    """`module`, or for the main program the name under which it would be imported."""
    return _main_name() if module == _MAIN else module


@cache
def _main_name() -> str:
    main = sys.modules.get(_MAIN)
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name: str = spec.name
        return name.removesuffix(f".{_MAIN}")
    path = getattr(main, "__file__", None)
    return splitext(basename(path))[0] if path else _MAIN


def code_name(value: object) -> str | None:
    """`module.qualified_name` of a function, class, module or anything that wraps one; else None.

    A wrapper (a decorated durable function) counts when the instance itself carries `__qualname__`
    and `__module__`, as `functools.update_wrapper` leaves them.
    """
    if isinstance(value, _CODE):
        return f"{module_name(value.__module__ or 'builtins')}.{value.__qualname__}"
    if isinstance(value, ModuleType):
        return module_name(value.__name__)
    own: dict[str, Any] = getattr(value, "__dict__", {})
    qualname, module = own.get("__qualname__"), own.get("__module__")
    if callable(value) and isinstance(qualname, str) and isinstance(module, str):
        return f"{module_name(module)}.{qualname}"
    return None


def find_class(module: str, qualname: str) -> type | None:
    """The class of that name if its module is loaded already; never imports.

    Classes made inside functions (`<locals>`) have no address and are not found.
    """
    found: Any = sys.modules.get(module)
    if found is None and module == _main_name():
        found = sys.modules.get(_MAIN)
    if found is None or not qualname:
        return None
    for part in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(part)
        if found is None:
            return None
    return found if isinstance(found, type) else None
