"""Stubs: services of a test, made from plain callables, that remember what they were asked.

A stub is run as any handler: at least once. After a crash between its effect and the record of it,
it runs again in the same attempt; `calls` holds such a call once, as a service that heeds the
idempotency key would carry it out, `tries` counts every run. What a retry asks again is another
call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from perdure.context.ambient import current_step
from perdure.definition import Definition, Kind
from perdure.service import DEFAULT_VERSION, Service


@dataclass(slots=True)
class Method:
    """What one method of a stub was asked.

    Args:
        calls: the input of each call, in order; a call that a crash repeated is there once.
        tries: how often it ran.
    """

    calls: list[Any] = field(default_factory=list)
    tries: int = 0
    _seen: set[tuple[str, int]] = field(default_factory=set)  # execution of the handler, attempt

    @property
    def count(self) -> int:
        """How many calls there were."""
        return len(self.calls)

    def asked(self, value: Any) -> None:
        """Note a run."""
        step = current_step()
        self.tries += 1
        run = ("", self.tries) if step is None else (step.execution_id, step.attempt)
        if run not in self._seen:
            self._seen.add(run)
            self.calls.append(value)

    def clear(self) -> None:
        """Forget everything, for the next run of the test."""
        self.calls.clear()
        self._seen.clear()
        self.tries = 0


class Stub:
    """A stubbed service. `stub.check_availability.calls` are the inputs of its method."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._methods: dict[str, Method] = {}
        self.definitions: dict[str, Definition] = {}

    def add(self, answers: Mapping[str, Any]) -> None:
        """Answer more methods; see `MemoryRuntime.stub`."""
        for name, answer in answers.items():
            method = self._methods.setdefault(name, Method())
            self.definitions[name] = Definition(Kind.HANDLER, name, _handler(answer, method))

    def __getattr__(self, name: str) -> Method:
        methods: dict[str, Method] = self.__dict__.get("_methods", {})
        method = methods.get(name)
        if method is None:
            raise AttributeError(f"the stub has no method {name!r}; give it one with runtime.stub")
        return method

    def clear(self) -> None:
        """Forget what was asked."""
        for method in self._methods.values():
            method.clear()

    def over(self, real: Service | None) -> Service:
        """The service that a worker offers: these methods, and the others of the real one."""
        made = Service(
            self.name,
            DEFAULT_VERSION if real is None else real.version,
            None if real is None else real.lifespan,
        )
        offered = {} if real is None else real.methods
        for definition in {**offered, **self.definitions}.values():
            made.offer(definition)
        return made


def _handler(answer: Any, method: Method) -> Callable[..., Any]:
    """A handler that notes its input and then answers."""
    if not callable(answer):

        async def constant(payload: Any = None) -> Any:
            method.asked(payload)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return constant

    @functools.wraps(answer)
    async def handler(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(answer).bind(*args, **kwargs).arguments
        method.asked(next(iter(bound.values()), None) if len(bound) <= 1 else dict(bound))
        result = answer(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return handler
