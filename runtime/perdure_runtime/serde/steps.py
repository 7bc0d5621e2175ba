"""The identity of a step's input: its digest and its name (semantics, section 2).

The digest covers the arguments by name with defaults filled in, those of `functools.partial`, a
bound `self` and captured variables, and (unless the user named the step) which function it is, so
that two functions of one name never share a result. Functions, classes and modules count by name.
Global variables and attributes of modules are not covered.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

from msgspec import Struct

from perdure_runtime.serde.canonical import digest_of
from perdure_runtime.serde.qualified import code_name
from perdure_runtime.serde.reduction import SORTED, Reduction, Unencodable, is_plain

_LAMBDA: Final = "<lambda>"
_EXTRA: Final = ""  # no parameter has this name
_SELF: Final = "self"
_CODE: Final = "code"
_CAPTURED: Final = "captured"


class StepInput(Struct, frozen=True):
    """What identifies a step beside its place.

    `digest` is None when something could not be encoded; `unencodable` then names the variable and
    `reason` says why. `code` is `module.qualified_name` of the function, for messages.
    """

    digest: bytes | None
    unencodable: str | None
    name: str
    code: str
    reason: str = ""


class _Plan(Struct, frozen=True):
    """What can be told from the code alone: made once, shared by all closures of one `def`."""

    positional: tuple[str, ...]
    is_simple: bool


MAX_PLANS: Final = 4096
_plans: Final[dict[int, tuple[CodeType, _Plan]]] = {}
"""By `id` of the code, which the entry keeps alive: hashing code reads all of it, every time."""


def step_input(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    name: str | None = None,
) -> StepInput:
    """The digest and the name of one step.

    Args:
        function: any callable; `functools.partial` and bound methods are taken apart.
        name: what the user calls the step; the function's own name when None.

    Raises:
        ValueError: a lambda (or another callable without a name) has no `name`.
        TypeError: the arguments do not fit the function.
    """
    while isinstance(function, functools.partial):
        args = (*function.args, *args)
        kwargs = {**function.keywords, **kwargs}
        function = function.func
    target, captured = _taken_apart(function)
    code = code_name(target) or type(function).__qualname__
    label = name or _name_of(function, code)
    if target is not function:  # a method: None stands for `self`, which counts as captured
        args = (None, *args)
    arguments = _arguments(target, args, kwargs)
    if isinstance(target, FunctionType) and target.__closure__:
        for variable, cell in zip(target.__code__.co_freevars, target.__closure__, strict=True):
            captured[variable] = cell
    identity = "" if name else code
    try:
        return StepInput(_digest(arguments, identity, captured), None, label, code)
    except Unencodable as error:
        return StepInput(None, error.path, label, code, error.reason)


def _taken_apart(function: Any) -> tuple[Any, dict[str, Any]]:
    """The function behind a callable, and the `self` it is bound to."""
    if isinstance(function, FunctionType):
        return function, {}
    if isinstance(function, MethodType):
        return function.__func__, {_SELF: function.__self__}
    if isinstance(function, BuiltinFunctionType):
        owner = function.__self__
        return function, {} if owner is None or isinstance(owner, ModuleType) else {_SELF: owner}
    if code_name(function) is None:
        return type(function).__call__, {_SELF: function}
    return function, {}


def _digest(arguments: dict[str, Any], identity: str, captured: dict[str, Any]) -> bytes:
    if not captured and is_plain(arguments):
        try:
            return digest_of(SORTED.encode({**arguments, _EXTRA: identity}))
        except Exception:  # a lone surrogate, say: the walk below finds out where
            pass
    form = _argument_form()
    reduced = _reduce_each(form, arguments)
    reduced[_EXTRA] = [identity, _reduce_each(form, captured)] if captured else identity
    return digest_of(SORTED.encode(reduced))


def _reduce_each(form: Reduction, values: Mapping[str, Any]) -> dict[str, Any]:
    reduced = {}
    for name, value in values.items():
        try:
            reduced[name] = form.reduce(value)
        except Unencodable as error:
            error.segments.append(name)
            raise
        except RecursionError:
            problem = Unencodable("it is nested too deeply")
            problem.segments.append(name)
            raise problem from None
    return reduced


def _argument_form() -> Reduction:
    """The canonical form, with code by name and cells by what they hold.

    A captured function that itself captures variables is described with them, each function once.
    """
    described: set[int] = set()

    def describe(value: Any, depth: int) -> Any:
        if isinstance(value, CellType):
            try:
                return form.reduce(value.cell_contents, depth)
            except ValueError:
                return {_CODE: None}  # not assigned yet
        name = code_name(value)
        if name is None:
            return unsupported.reduce(value, depth)
        if not isinstance(value, FunctionType) or not value.__closure__ or id(value) in described:
            return {_CODE: name}
        described.add(id(value))
        cells = zip(value.__code__.co_freevars, value.__closure__, strict=True)
        return {_CODE: name, _CAPTURED: form.reduce(dict(cells), depth + 1)}

    form = Reduction(canonical=True, fallback=describe, probe=True)
    unsupported = Reduction(canonical=True)
    return form


def _arguments(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name with defaults, as `inspect.Signature.bind` has them but much faster."""
    if isinstance(target, FunctionType):
        plan = _plan_of(target.__code__)
        if plan.is_simple and not kwargs and not target.__dict__:
            names, given = plan.positional, len(args)
            if given == len(names):
                return dict(zip(names, args, strict=True))
            defaults = target.__defaults__ or ()
            if len(names) - len(defaults) <= given < len(names):
                return dict(zip(names, (*args, *defaults[given - len(names) :]), strict=True))
    try:
        try:
            bound = inspect.signature(target).bind(*args, **kwargs)
        except TypeError:  # a wrapper may take other arguments than what it wraps
            bound = inspect.signature(target, follow_wrapped=False).bind(*args, **kwargs)
    except ValueError:  # a builtin that tells nothing about its parameters
        return {"args": list(args), "kwargs": dict(kwargs)}
    except TypeError as error:
        raise TypeError(f"{code_name(target)}() {error}") from None
    bound.apply_defaults()
    return bound.arguments


def _plan_of(code: CodeType) -> _Plan:
    known = _plans.get(id(code))
    if known is not None:
        return known[1]
    variadic = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    plan = _Plan(
        positional=code.co_varnames[: code.co_argcount],
        is_simple=not variadic and not code.co_kwonlyargcount,
    )
    if len(_plans) >= MAX_PLANS:  # functions made at run time, without end
        _plans.clear()
    _plans[id(code)] = code, plan
    return plan


def _name_of(function: Any, code: str) -> str:
    name = getattr(function, "__name__", None) or type(function).__name__
    if name == _LAMBDA:
        raise ValueError(
            f'a lambda has no name to record ({code}); give one: ctx.run(fn, ..., name="...")'
        )
    return str(name)
