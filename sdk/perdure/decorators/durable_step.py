"""`DurableStep`: what `@durable.step` returns.

Inside an execution a call is recorded; outside it is the plain function (see `calling`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar

from perdure.decorators.calling import call_step
from perdure.definition import Definition

P = ParamSpec("P")
T = TypeVar("T")


class DurableStep(Generic[P, T]):
    """Ordinary code, sync (run in a thread) or async, whose result is recorded.

    `await step(...)` works in every coroutine. Without a running event loop (in another sync step,
    in a script) a step made of a `def` returns its value at once; `step.plain(...)` always does.
    """

    __name__: str
    __qualname__: str

    def __init__(self, definition: Definition) -> None:
        functools.update_wrapper(self, definition.function)
        self.definition = definition

    def __repr__(self) -> str:
        return f"<durable step {self.definition.code}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[None, None, T]:
        """Run it: recorded inside an execution, plainly elsewhere."""
        result: Coroutine[None, None, T] = call_step(self, args, kwargs)
        return result

    @property
    def plain(self) -> Callable[P, Any]:
        """The user's function itself, never recorded."""
        return self.definition.function

    def __get__(self, instance: object, owner: type | None = None) -> DurableStep[..., T]:
        """A step defined in a class is bound as methods are; `self` becomes part of its input."""
        if instance is None:
            return self
        bound = MethodType(self.definition.function, instance)
        return DurableStep(replace(self.definition, function=bound))
