"""`perdure.ctx`: stands for the context of whatever code uses it; and `perdure.resources()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from perdure.context.ambient import current_context, current_step
from perdure_runtime.core.errors import NotInExecutionError

if TYPE_CHECKING:
    from perdure.context.context import DurableContext


class ContextProxy:
    """Hands everything on to the ambient context."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = current_context() or current_step()
        if found is None:
            raise NotInExecutionError(
                f"ctx.{name} needs a running execution: this code was not called by a durable "
                "function, flow, step or handler, or runs in a thread of its own"
            )
        return getattr(found, name)

    def __repr__(self) -> str:
        return f"<perdure.ctx: {current_context() or current_step() or 'no execution'}>"


ctx: Final = cast("DurableContext", ContextProxy())


def resources() -> Any:
    """What the service's `lifespan` gave this worker; for steps and handlers.

    Raises:
        NotInExecutionError: called elsewhere, bodies of functions and flows included: what they do
            with a connection could not be replayed.
    """
    step = current_step()
    if step is None:
        raise NotInExecutionError(
            "perdure.resources() is for steps and handlers; do this work in a @durable.step"
        )
    return step.resources
