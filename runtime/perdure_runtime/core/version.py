"""Versions that two sides compare: of the wire protocol and of the journal format."""

from __future__ import annotations

from typing import Final

from perdure_runtime.core.errors import ProtocolError

PROTOCOL_MIN: Final = 1
PROTOCOL_MAX: Final = 1
JOURNAL_VERSION: Final = 1


def negotiate(theirs_min: int, theirs_max: int) -> int:
    """The highest protocol version that both sides speak.

    Raises:
        ProtocolError: there is none; the message names both ranges and who should upgrade.
    """
    chosen = min(PROTOCOL_MAX, theirs_max)
    if chosen >= PROTOCOL_MIN and chosen >= theirs_min:
        return chosen
    older = "the client or worker" if theirs_max < PROTOCOL_MIN else "the coordinator"
    raise ProtocolError(
        f"no common protocol version: the coordinator speaks {PROTOCOL_MIN}..{PROTOCOL_MAX}, "
        f"the other side {theirs_min}..{theirs_max}; upgrade {older}"
    )


def check_journal_version(version: int) -> None:
    """Raise ProtocolError for a journal written by a newer format."""
    if not 1 <= version <= JOURNAL_VERSION:
        raise ProtocolError(
            f"journal format {version} is not known here (1..{JOURNAL_VERSION}); upgrade Perdure"
        )
