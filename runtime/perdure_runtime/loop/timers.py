"""Handles of scheduled callbacks, and timers that a driver can make durable.

A timer is created by `call_later` or `call_at` (so by `asyncio.sleep`, `timeout`, `wait_for`).
If it is still pending when the body has run to quiescence, the driver takes it, has the
coordinator record it, and calls `fire()` when the record says so. Nothing here reads a clock.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure_runtime.loop.places import calling_place

if TYPE_CHECKING:
    from perdure_runtime.loop.lineage import Node
    from perdure_runtime.loop.loop import DeterministicLoop


class Handle(asyncio.Handle):
    """asyncio's handle without its debug bookkeeping: one is made for every wake-up."""

    __slots__ = ()
    # What asyncio keeps per handle for its debug mode is constant here.
    _loop = None
    _source_traceback = None
    _repr = None

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context
    ) -> None:
        self._callback: Any = callback
        self._args: Any = args
        self._context = context
        self._cancelled = False

    def cancel(self) -> None:
        """Keep the callback from running. Doing it twice, or after it ran, does nothing."""
        self._cancelled = True
        self._callback = None
        self._args = None


class DurableTimer(asyncio.TimerHandle):
    """A pending timer.

    Attributes:
        number: its place in the order of creation, over the whole loop.
        delay: seconds from creation until it is due, as the body asked for them.
        issued: set by the driver once it has taken the timer; from then on only `fire()` runs it.
        where: the user's code that asked for it.
    """

    __slots__ = (
        "_node",
        "_ordinal",
        "_owner_loop",
        "_pending",
        "delay",
        "issued",
        "number",
        "where",
    )
    _loop = None
    _source_traceback = None
    _repr = None

    def __init__(
        self,
        loop: DeterministicLoop,
        number: int,
        when: float,
        delay: float,
        node: Node,
        ordinal: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context,
    ) -> None:
        self._callback: Any = callback
        self._args: Any = args
        self._context = context
        self._cancelled = False
        self._when = when
        self._scheduled = True
        self._owner_loop = loop
        self._node = node
        self._ordinal = ordinal
        self._pending = True
        self.number = number
        self.delay = delay
        self.issued = False
        self.where = calling_place()

    # asyncio compares timers by due time; two sleeps of one second are not one timer.
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @property
    def path(self) -> str:
        """Return the command path allotted to this timer when it was created."""
        return f"{self._node.lineage}:{self._ordinal}"

    @property
    def scope(self) -> Any:
        """Return the driver's scope of the node that created it."""
        return self._node.scope

    @property
    def due(self) -> float:
        """Return the virtual time, in epoch seconds, at which it is due (asyncio's `when()`)."""
        return self._when

    def fire(self) -> None:
        """Put the callback on the ready queue; does nothing if it was cancelled or has fired."""
        if self._pending:
            self._pending = False
            self._owner_loop.timer_fired(self)

    def cancel(self) -> None:
        """Cancel it; if the driver has taken it and it has not fired, tell the loop's hook."""
        if self._cancelled:
            return
        self._cancelled = True
        self._callback = None
        self._args = None
        if self._pending:
            self._pending = False
            self._owner_loop.timer_cancelled(self)
