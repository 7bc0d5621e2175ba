"""`DurableFunction`: what `@durable.function` and `@durable.flow` return.

Generic over the parameters without the context, so that calls are checked as the caller writes
them. It holds a definition and the options of one call; running it is the context's or the
client's part. Calls give `Coroutine[None, None, T]`: an `Any` in its place would make mypy see
`Any` as the result of an `asyncio.gather` of several kinds.
"""

from __future__ import annotations

import functools
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

from perdure.context.ambient import current_context, current_step
from perdure.decorators.calling import call_function, split_context
from perdure.definition import Definition
from perdure.options import NO_CALL_OPTIONS, CallOptions, OnCancelled, OnFailed, RetryPolicy
from perdure_runtime.core.errors import NotDeterministicError

if TYPE_CHECKING:
    from perdure.client.handle import ExecutionHandle

P = ParamSpec("P")
T = TypeVar("T")


class DurableFunction(Generic[P, T]):
    """A durable function or flow, called without its context.

    `await process(data)` runs it to its end: inside an execution as a child of it, elsewhere by
    the ambient client (semantics, section 3).
    """

    __name__: str
    __qualname__: str

    def __init__(self, definition: Definition, call_options: CallOptions = NO_CALL_OPTIONS) -> None:
        functools.update_wrapper(self, definition.function)
        self.definition = definition
        self.call_options = call_options

    def __repr__(self) -> str:
        return f"<durable {self.definition.kind} {self.definition.code}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[None, None, T]:
        """Run it and give its result.

        A `DurableContext` as the first argument is accepted and used as the caller's.

        Raises (when awaited):
            ExecutionFailed, ExecutionCancelledError, ExecutionTimedOut: outside an execution.
            CallError: inside one, or the restored exception of the callee.
        """
        return call_function(self, args, kwargs)

    async def start(self, *args: P.args, **kwargs: P.kwargs) -> ExecutionHandle[T]:
        """Start it through the ambient client; returns when the start is on disk.

        In the body of a step the id derives from the step's idempotency key, so that a step that
        runs again attaches to what it had started.

        Raises:
            AlreadyExistsError, AmbiguousTargetError, SerializationError, ...: as `Client.start`.
            NotDeterministicError: in the body of an execution; call the function, or use
                `ctx.send`.
        """
        if current_context() is not None:
            raise NotDeterministicError(
                f"{self.__name__}.start() talks to the coordinator, which a replay cannot repeat; "
                "call the function, or use ctx.send(function, ...) for a detached execution"
            )
        from perdure.client.ambient import ambient_client

        _, positional = split_context(self.definition, args, kwargs)
        options = self._with_id(positional, kwargs)
        client = await ambient_client()
        handle: ExecutionHandle[T] = await client.start_definition(
            self.definition, positional, kwargs, options, step=current_step()
        )
        return handle

    def options(
        self,
        *,
        id: str | None = None,
        id_policy: Literal["attach", "reject"] | None = None,
        priority: int | None = None,
        start_at: datetime | float | None = None,
        delay: float | None = None,
        timeout: float | None = None,
        retry: RetryPolicy | int | None = None,
        service: str | None = None,
        metadata: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        after: Sequence[str] | None = None,
        on_dependency_failed: OnFailed | None = None,
        on_dependency_cancelled: OnCancelled | None = None,
    ) -> DurableFunction[P, T]:
        """The same function with options for its calls and starts; see `CallOptions`.

        Raises:
            InvalidArgumentError: a value is not allowed.
        """
        changes = {name: value for name, value in locals().items() if name != "self"}
        return DurableFunction(self.definition, self.call_options.merged(changes))

    def _with_id(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> CallOptions:
        id_from = self.definition.options.id_from
        if id_from is None or self.call_options.id is not None:
            return self.call_options
        return self.call_options.merged({"id": id_from(*args, **kwargs)})
