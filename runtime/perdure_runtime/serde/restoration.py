"""Recorded failures back to exceptions (semantics, section 5), without running users' code.

A class is looked up by module and qualified name among the modules that are loaded; nothing is ever
imported, and only `Exception` subclasses are made. `args` are set without calling `__init__`.
"""

from __future__ import annotations

import base64
import builtins
from collections.abc import Sequence
from types import BuiltinFunctionType, WrapperDescriptorType
from typing import Any, Final, Literal

from perdure_runtime.core.errors import (
    ApplicationError,
    DataLossError,
    DeadlockError,
    EventTimeoutError,
    ReentrancyError,
    SerializationError,
)
from perdure_runtime.core.payload import Failure
from perdure_runtime.serde.failures import NAMED, ExceptionState
from perdure_runtime.serde.qualified import find_class
from perdure_runtime.serde.serializer import Serializer
from perdure_runtime.serde.typed_json import TYPED_JSON

OWN: Final = "own"
Allowed = Literal["own"] | Sequence[type[BaseException]]
_BUILTINS: Final = builtins.__name__
_OURS: Final = (ReentrancyError, DeadlockError, DataLossError, EventTimeoutError)


def restore_exception(
    failure: Failure, *, allowed: Allowed, serializer: Serializer = TYPED_JSON
) -> Exception | None:
    """The exception that a failure records, or None if its class may not or cannot be restored.

    Args:
        allowed: "own" for failures of the caller's own steps: any class of a loaded module; else
            the classes declared with `raises=`, which with their subclasses and the builtins are
            all that is restored of a callee, beside what the engine itself raises in bodies and
            fails calls with. A declared class also stands for a failure from another language that
            has its name.

    The causes that can be restored are attached as `__cause__`, its notes as notes.
    """
    kind = _class_of(failure, allowed)
    if kind is None:
        return None
    state = _state(failure, serializer)
    if issubclass(kind, BaseExceptionGroup):
        error = _group(kind, failure, state, allowed, serializer)
    else:
        error = _made(kind, _arguments(kind, failure, state))
    if error is None:
        return None
    if state is not None:
        vars(error).update(state.attributes)
        for note in state.notes:
            error.add_note(note)
    if isinstance(error, NAMED):
        error.type_name = failure.type_name
        error.details = restore_details(failure, serializer)
    if isinstance(error, ApplicationError):
        after_ms = failure.retry_after_ms
        error.retry_after = None if after_ms is None else after_ms / 1000
    if failure.cause is not None:
        error.__cause__ = restore_exception(failure.cause, allowed=allowed, serializer=serializer)
    return error if _is_readable(error, failure) else None


def restore_details(failure: Failure, serializer: Serializer = TYPED_JSON) -> Any:
    """The details of a failure in their JSON shape; None if there are none."""
    if failure.details is None:
        return None
    return serializer.decode(failure.details, what="details")


def annotate(
    error: BaseException, *, execution_id: str = "", path: str = "", advice: str = ""
) -> None:
    """Say where a failure happened and what to do, in notes: `str(error)` stays the user's text."""
    if execution_id:
        place = f", command {path}" if path else ""
        error.add_note(f"in execution {execution_id}{place}")
    if advice:
        error.add_note(advice)


def _class_of(failure: Failure, allowed: Allowed) -> type[Exception] | None:
    if isinstance(allowed, str):
        return _exception(find_class(failure.module, failure.qualname))
    if failure.module == _BUILTINS:
        return _exception(getattr(builtins, failure.qualname, None))
    declared = [kind for kind in map(_exception, (*allowed, *_OURS)) if kind is not None]
    if not failure.module:
        return next((kind for kind in declared if kind.__name__ == failure.type_name), None)
    found = _exception(find_class(failure.module, failure.qualname))
    if found is not None and issubclass(found, tuple(declared)):
        return found
    for kind in declared:  # declared classes made inside functions are not found by name
        if (kind.__module__, kind.__qualname__) == (failure.module, failure.qualname):
            return kind
    return None


def _exception(kind: object) -> type[Exception] | None:
    return kind if isinstance(kind, type) and issubclass(kind, Exception) else None


def _state(failure: Failure, serializer: Serializer) -> ExceptionState | None:
    if failure.args is None:
        return None
    try:
        state = serializer.decode(failure.args, ExceptionState, what="arguments")
    except SerializationError:  # another language's idea of arguments; the message remains
        return None
    return state if isinstance(state, ExceptionState) else None


def _arguments(
    kind: type[Exception], failure: Failure, state: ExceptionState | None
) -> tuple[Any, ...]:
    if state is None:
        return (failure.message,)
    args = state.args
    if issubclass(kind, UnicodeDecodeError) and len(args) == 5 and isinstance(args[1], str):
        args = [args[0], base64.b64decode(args[1]), *args[2:]]
    return tuple(args)


def _made(kind: type[Exception], args: tuple[Any, ...]) -> Exception | None:
    """An instance with `args`; `__init__` runs only where it is the interpreter's own."""
    try:
        if isinstance(kind.__init__, WrapperDescriptorType) and isinstance(
            kind.__new__, BuiltinFunctionType
        ):
            try:
                return kind(*args)
            except Exception:  # the arguments were not kept as its constructor wants them
                pass
        error = kind.__new__(kind, *args)
        error.args = args
    except Exception:  # a __new__ of its own
        return None
    return error


def _group(
    kind: type[Exception],
    failure: Failure,
    state: ExceptionState | None,
    allowed: Allowed,
    serializer: Serializer,
) -> Exception | None:
    if state is None or not state.members:
        return None
    members = [
        restore_exception(member, allowed=allowed, serializer=serializer)
        or _stand_in(member, serializer)
        for member in state.members
    ]
    return _made(kind, (failure.message, members))


def _stand_in(failure: Failure, serializer: Serializer) -> Exception:
    details = restore_details(failure, serializer)
    return ApplicationError(failure.message, type_name=failure.type_name, details=details)


def _is_readable(error: Exception, failure: Failure) -> bool:
    """Whether `str(error)` still works: a `__str__` may need what could not be kept."""
    try:
        return bool(str(error)) or not failure.message
    except Exception:
        return False
