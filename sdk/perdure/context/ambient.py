"""What code that runs right now belongs to: the context of its execution, or of its step.

Context variables: tasks inherit them from the task that made them, threads do not. Steps and plain
handlers have no execution's context, so that what they call is plain code, but one of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from perdure.context.context import DurableContext
    from perdure.context.step_context import StepContext

_current: Final[ContextVar[DurableContext | None]] = ContextVar("perdure_context", default=None)
_step: Final[ContextVar[StepContext | None]] = ContextVar("perdure_step", default=None)


def current_context() -> DurableContext | None:
    """The context of the body that calls this; None outside of executions and in steps."""
    return _current.get()


def current_step() -> StepContext | None:
    """The context of the step or plain handler that calls this; None elsewhere."""
    return _step.get()


def enter_body(context: DurableContext) -> None:
    """Make `context` the ambient one for the rest of the calling task."""
    _current.set(context)
    _step.set(None)


def enter_step(step: StepContext) -> None:
    """Make `step` the ambient one for the rest of the calling task or context."""
    _current.set(None)
    _step.set(step)


@contextmanager
def entered(context: DurableContext | None) -> Iterator[None]:
    """Make `context` the ambient one for the duration of a block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
