"""Signals: what reaches a running execution from outside its body (semantics, section 8)."""

from __future__ import annotations

from msgspec import Struct


class CancelRequested(Struct, frozen=True):
    """Cancellation was asked for; delivered to the body as `asyncio.CancelledError`.

    `timed_out`: by the execution's timeout, which makes the outcome `timed_out`. `trace` names the
    span in which it was asked for.
    """

    reason: str = ""
    timed_out: bool = False
    trace: dict[str, str] = {}


class Paused(Struct, frozen=True):
    """An operator or a rule parked the execution; timeouts stand still until `Resumed`."""

    reason: str = ""


class Resumed(Struct, frozen=True):
    """The execution goes on."""
