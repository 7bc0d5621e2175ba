"""Exceptions as recorded failures (semantics, section 5): readable in every language.

Everything is bounded: message, traceback, arguments, causes. Restoring is `restoration`.
"""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec

from perdure_runtime.core.errors import (
    ApplicationError,
    DataLossError,
    InvalidArgumentError,
    NonRetryableError,
    NotDeterministicError,
    RecordedError,
    ReentrancyError,
    SerializationError,
    SharedMethodError,
)
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.serde.qualified import module_name
from perdure_runtime.serde.serializer import Serializer
from perdure_runtime.serde.typed_json import TYPED_JSON

MAX_MESSAGE_CHARS: Final = 8_192
MAX_TRACEBACK_CHARS: Final = 16_384
MAX_ARGUMENTS_BYTES: Final = 65_536
MAX_CAUSES: Final = 8
MAX_MEMBERS: Final = 100
_NOT_RETRIED: Final = (
    NonRetryableError,
    SerializationError,
    InvalidArgumentError,
    NotDeterministicError,
    ReentrancyError,
    DataLossError,
    SharedMethodError,
    asyncio.CancelledError,
)
_CODES: Final[tuple[tuple[type[BaseException], FailureCode], ...]] = (
    (SerializationError, FailureCode.SERIALIZATION),
    (NotDeterministicError, FailureCode.NOT_DETERMINISTIC),
    (asyncio.CancelledError, FailureCode.CANCELLED),
)
NAMED: Final = (ApplicationError, RecordedError)  # their fields are those of `Failure`
_APPLICATION: Final = FailureCode.APPLICATION
_OWN_FIELDS: Final = frozenset(("type_name", "details", "retry_after", "__notes__"))


class ExceptionState(msgspec.Struct, omit_defaults=True):
    """What `Failure.args` holds: `args`, encodable attributes, notes, members of a group."""

    args: list[Any]
    attributes: dict[str, Any] = {}
    notes: list[str] = []
    members: list[Failure] = []


def encode_exception(error: BaseException, serializer: Serializer = TYPED_JSON) -> Failure:
    """Record an exception. Never raises: what cannot be encoded is left out.

    The code is `APPLICATION` for everything but serialization errors, lack of determinism and
    cancellation: the codes of timeouts and calls are for failures that the engine itself makes.
    """
    return _encode(error, serializer, MAX_CAUSES, set())


def bounded_text(text: str, max_chars: int) -> str:
    """`text` as valid Unicode of at most `max_chars` characters, cut in the middle."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= max_chars:
        return text
    mark = f" ... [{len(text)} characters] ... "
    half = (max_chars - len(mark)) // 2
    return text[:half] + mark + text[len(text) - half :]


def _encode(
    error: BaseException, serializer: Serializer, causes_left: int, seen: set[int]
) -> Failure:
    seen = seen | {id(error)}
    kind = type(error)
    named = isinstance(error, NAMED)
    details = getattr(error, "details", None) if named else None
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and (causes_left == 0 or id(cause) in seen):
        cause = None
    return Failure(
        type_name=str(getattr(error, "type_name", "") or kind.__name__) if named else kind.__name__,
        message=bounded_text(_message(error), MAX_MESSAGE_CHARS),
        code=next((code for base, code in _CODES if isinstance(error, base)), _APPLICATION),
        module=module_name(kind.__module__),
        qualname=kind.__qualname__,
        args=_state(error, serializer, causes_left, seen),
        details=None if details is None else _encoded(details, serializer, "details"),
        traceback_text=bounded_text(_traceback(error), MAX_TRACEBACK_CHARS),
        cause=None if cause is None else _encode(cause, serializer, causes_left - 1, seen),
        retryable=not isinstance(error, _NOT_RETRIED),
        retry_after_ms=_retry_after_ms(error),
    )


def _message(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return str(error.message)  # str() adds the number of members
    try:
        return str(error)
    except Exception as problem:
        return f"<{type(error).__name__} whose str() raises {type(problem).__name__}>"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error, chain=False))
    except Exception:  # a __str__ that raises
        return "".join(traceback.format_tb(error.__traceback__))


def _retry_after_ms(error: BaseException) -> int | None:
    seconds = getattr(error, "retry_after", None)
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    return math.ceil(seconds * 1000) if 0 <= seconds < 2**40 else None


def _state(
    error: BaseException, serializer: Serializer, causes_left: int, seen: set[int]
) -> Payload | None:
    members: list[Failure] = []
    args: list[Any] = list(error.args)
    if isinstance(error, OSError):
        args = list(OSError.__reduce__(error)[1])
    if isinstance(error, BaseExceptionGroup):
        args = [error.message]
        if causes_left > 0:
            members = [
                _encode(member, serializer, causes_left - 1, seen)
                for member in error.exceptions[:MAX_MEMBERS]
            ]
    if _encoded(args, serializer, "args") is None:
        args = [_message(error)]
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    state = ExceptionState(args, dict(_attributes(error, serializer)), notes, members)
    return _encoded(state, serializer, "arguments") or _encoded(
        ExceptionState(args), serializer, "arguments"
    )


def _attributes(error: BaseException, serializer: Serializer) -> Iterator[tuple[str, Any]]:
    omitted = _OWN_FIELDS if isinstance(error, NAMED) else frozenset(("__notes__",))
    for name, value in getattr(error, "__dict__", {}).items():
        if name not in omitted and _encoded(value, serializer, name) is not None:
            yield name, value


def _encoded(value: Any, serializer: Serializer, what: str) -> Payload | None:
    try:
        payload = serializer.encode(value, what=what)
    except Exception:  # recorded without it, which `encode_exception` promises
        return None
    if what != "details" and len(payload.data) > MAX_ARGUMENTS_BYTES:
        return None
    return payload
