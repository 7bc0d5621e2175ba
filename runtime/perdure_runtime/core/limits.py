"""Limits on everything that comes from outside (semantics, section 9), and their checks.

Each check raises with the size and the limit in the message. Nothing here does I/O.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from perdure_runtime.core.errors import InvalidArgumentError, LimitExceededError

MAX_PAYLOAD_BYTES: Final = 4 * 1024 * 1024
MAX_NAME_CHARS: Final = 255
MAX_ID_CHARS: Final = 255
MAX_REASON_CHARS: Final = 4096
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
MAX_PATH_CHARS: Final = 4096
JOURNAL_WARNING_ENTRIES: Final = 50_000
MAX_LOOP_TURNS: Final = 100_000
RESERVED_ID_PREFIX: Final = "~"
MAX_LABELS: Final = 32
MAX_DUE_MS: Final = 253_402_300_799_000  # the end of the year 9999


def due_after(now_ms: int, delay_ms: int) -> int:
    """When a delay is over; negative delays are none, endless ones end in the year 9999."""
    return min(now_ms + max(0, delay_ms), MAX_DUE_MS)


def check_name(kind: str, name: str) -> str:
    """Return `name` if it is 1..255 characters of valid Unicode without control characters.

    Raises:
        InvalidArgumentError: it is empty, too long, or holds a control character or lone surrogate.
    """
    if not isinstance(name, str):
        raise InvalidArgumentError(f"{kind} must be a string, not {type(name).__name__}")
    if not name:
        raise InvalidArgumentError(f"{kind} is empty; give 1 to {MAX_NAME_CHARS} characters")
    if len(name) > MAX_NAME_CHARS:
        raise LimitExceededError(
            f"{kind} has {len(name)} characters; the limit is {MAX_NAME_CHARS}"
        )
    if name.isascii() and name.isprintable():
        return name
    for position, char in enumerate(name):
        if unicodedata.category(char) in ("Cc", "Cs"):
            raise InvalidArgumentError(
                f"{kind} holds U+{ord(char):04X} at position {position}; "
                "control characters and lone surrogates are not allowed"
            )
    return name


def check_text(kind: str, text: str) -> None:
    """Raise InvalidArgumentError for text that has no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{kind} holds a lone surrogate at position {error.start}; it has no UTF-8 form"
        ) from None


def check_execution_id(execution_id: str) -> str:
    """Return an id that a user may give to an execution (semantics, section 8)."""
    check_name("execution id", execution_id)
    if execution_id.startswith(RESERVED_ID_PREFIX):
        raise InvalidArgumentError(
            f"execution ids that start with {RESERVED_ID_PREFIX!r} are made by Perdure; "
            "choose another"
        )
    return execution_id


def check_labels(labels: Mapping[str, str]) -> None:
    """Check what an execution is to be found by: at most 32 names with values of 1..255 characters.

    Raises:
        InvalidArgumentError, LimitExceededError: a name or value is none; there are too many.
    """
    if len(labels) > MAX_LABELS:
        raise LimitExceededError(f"{len(labels)} labels were given; the limit is {MAX_LABELS}")
    for name, value in labels.items():
        check_name("label", name)
        check_name(f"the value of label {name!r}", value)


def check_payload_bytes(what: str, size_bytes: int) -> None:
    """Raise LimitExceededError when an encoded value is larger than the inline limit."""
    if size_bytes > MAX_PAYLOAD_BYTES:
        raise LimitExceededError(
            f"{what} is {size_bytes} bytes encoded; the limit is {MAX_PAYLOAD_BYTES}. "
            "Store it elsewhere and pass a reference."
        )
