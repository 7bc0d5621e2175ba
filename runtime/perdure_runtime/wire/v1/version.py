"""The version header of client calls: `perdure-protocol: MIN-MAX`, both inclusive.

Worker sessions negotiate in `Hello` and `Welcome` instead. A call without the header speaks version
1, so that generic tools work.
"""

from __future__ import annotations

import re
from typing import Final

from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.version import PROTOCOL_MAX, PROTOCOL_MIN, negotiate

PROTOCOL_METADATA: Final = "perdure-protocol"
_RANGE: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


def protocol_metadata() -> tuple[str, str]:
    """The metadata entry that says what this side speaks."""
    return PROTOCOL_METADATA, f"{PROTOCOL_MIN}-{PROTOCOL_MAX}"


def negotiate_metadata(value: str | bytes | None) -> int:
    """The version to speak with a client that sent this header.

    Raises:
        ProtocolError: there is no common version, or the header is no range.
    """
    if value is None:
        return negotiate(1, 1)
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ProtocolError(
            f"metadata {PROTOCOL_METADATA} must be MIN-MAX, for example 1-1, not {text!r}"
        )
    return negotiate(int(match[1]), int(match[2]))
