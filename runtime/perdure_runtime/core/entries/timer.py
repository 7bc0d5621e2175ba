"""Durable timers: `ctx.sleep`, `asyncio.sleep`, `asyncio.timeout`, `loop.call_later`."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.entries.state import StateWrite


class TimerStarted(Struct, frozen=True):
    """A timer travels as a delay; `due_ms` = the coordinator's clock at acceptance + delay."""

    path: str
    delay_ms: int
    due_ms: int = 0
    writes: tuple[StateWrite, ...] = ()


class TimerFired(Struct, frozen=True):
    """The timer (of a `TimerStarted` or the back-off of a `StepFailed`) is due; never early."""

    path: str
    attempt: int
