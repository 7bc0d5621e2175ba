"""The context of the execution whose code runs right now.

A context variable: tasks inherit it from the task that made them, threads do not. Steps and plain
handlers run with None here, so that what they call is plain code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from perdure.context import DurableContext

_current: Final[ContextVar[DurableContext | None]] = ContextVar("perdure_context", default=None)


def current_context() -> DurableContext | None:
    """The context of the body that calls this; None outside of executions and in steps."""
    return _current.get()


@contextmanager
def entered(context: DurableContext | None) -> Iterator[None]:
    """Make `context` the ambient one for the duration of a block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
