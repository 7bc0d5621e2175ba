"""`ctx.on_cancel`: what to do when the execution is cancelled (semantics, section 8).

A cancellation is no `Exception`, so code that compensates in `except Exception` does not see it.
These run, last registered first, when the body has ended by one, within its grace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perdure.context.undoing import undo

if TYPE_CHECKING:
    from perdure.context.context import DurableContext

_Hook = tuple[str, Callable[..., Any], tuple[Any, ...]]


@dataclass(slots=True)
class CancelHooks:
    """The hooks of one execution; its branches share them."""

    hooks: list[_Hook] = field(default_factory=list)

    def add(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], None]:
        """Register; gives what takes it back. Raises TypeError for what is not callable."""
        if not callable(function):
            raise TypeError(f"ctx.on_cancel() takes a callable, not {function!r}")
        name = f"on_cancel {getattr(function, '__name__', 'hook')}"[:255]
        hook = (name, function, args)
        self.hooks.append(hook)

        def remove() -> None:
            self.hooks[:] = [each for each in self.hooks if each is not hook]

        return remove

    async def run(self, context: DurableContext) -> None:
        """Run them all if the execution was cancelled; what fails is recorded, its type logged."""
        while self.hooks and context.surroundings.body.cancel_requested:
            name, function, args = self.hooks.pop()
            failure, _ = await undo(context, name, b"", function, args)
            if failure is not None:
                context.log.warning("%s failed: %s", name, failure.type_name)
