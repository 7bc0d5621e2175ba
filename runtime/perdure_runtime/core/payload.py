"""Payloads and failures as they travel and rest: opaque bytes with an encoding name.

Nothing here encodes or decodes a user's value; that is `perdure_runtime.serde`, in workers and
clients only (semantics, section 9).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

JSON: Final = "json"


class Payload(Struct, frozen=True):
    """An encoded value.

    `digest` is 16 bytes over the canonical plaintext, b"" when the encoding is not canonical.
    """

    data: bytes
    encoding: str = JSON
    digest: bytes = b""
    metadata: dict[str, str] = {}


NULL: Final = Payload(b"null")


class FailureCode(StrEnum):
    """Why something failed, where the engine has to know; `APPLICATION` is what users raise."""

    APPLICATION = "application"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    METHOD_NOT_FOUND = "method_not_found"
    INTERRUPTED = "interrupted"
    SERIALIZATION = "serialization"
    NOT_DETERMINISTIC = "not_deterministic"
    ALREADY_EXISTS = "already_exists"
    DEADLOCK = "deadlock"
    REENTRANCY = "reentrancy"
    CRASHED = "crashed"


class Failure(Struct, frozen=True):
    """A recorded failure: readable in every language, restorable in Python (semantics, 5)."""

    type_name: str
    message: str
    code: FailureCode = FailureCode.APPLICATION
    module: str = ""
    qualname: str = ""
    args: Payload | None = None
    details: Payload | None = None
    traceback_text: str = ""
    cause: Failure | None = None
    retryable: bool = True
    retry_after_ms: int | None = None
