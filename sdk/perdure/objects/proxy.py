"""Proxies: a durable object as callers see it (semantics, section 6).

A call goes to the execution whose body makes it, else to a client. Context arguments only say
which execution that is; they never travel.
"""

from __future__ import annotations

import difflib
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from perdure.context.ambient import current_context, current_step
from perdure.objects.base import never_saved
from perdure.objects.contexts import without_contexts
from perdure.objects.definition import (
    GET_STATE,
    MethodDefinition,
    ObjectDefinition,
    object_definition,
)
from perdure.options import NO_CALL_OPTIONS
from perdure_runtime.core.errors import NotFoundError
from perdure_runtime.core.limits import check_name

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.context.call import Request
    from perdure.context.context import DurableContext
    from perdure_runtime.core.payload import Payload
    from perdure_runtime.serde import Serializers

T = TypeVar("T")


def object_proxy(cls: type[T], id: str, client: Client | None = None) -> T:
    """The object of a class with this id, typed as the class. Nothing is asked or written.

    Args:
        client: of calls outside of executions; the ambient one when None.

    Raises:
        TypeError: the class is not decorated with `@durable.object`.
        InvalidArgumentError: the id is empty, too long or no string.
    """
    definition = object_definition(cls)
    check_name(f"id of a {definition.name}", id)
    return cast(T, ObjectProxy(definition, id, client))


class ObjectProxy:
    """Stands for an object that lives elsewhere; has its methods and its id."""

    __slots__ = ("_client", "_definition", "id")

    def __init__(self, definition: ObjectDefinition, id: str, client: Client | None) -> None:
        object.__setattr__(self, "_definition", definition)
        object.__setattr__(self, "_client", client)
        object.__setattr__(self, "id", id)

    def __repr__(self) -> str:
        return f"<durable object {self._definition.name}/{self.id}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ObjectProxy)
            and self._definition is other._definition
            and self.id == other.id
        )

    def __hash__(self) -> int:
        return hash((self._definition.name, self.id))

    def __getattr__(self, name: str) -> Any:
        definition: ObjectDefinition = self._definition
        method = definition.methods.get(name)
        if method is None:
            raise AttributeError(_no_attribute(definition, name), name=name, obj=self)
        kind = StateReader if method.is_hidden else RemoteMethod
        return kind(method, self.id, self._client)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"{self!r} is a proxy: setting {name!r} here would change nothing of the object; "
            "write a method that sets it"
        )


class RemoteMethod:
    """A method of one object; `ctx.call`, `ctx.send`, `ctx.spawn` and `client.start` take it too.

    Attributes:
        definition: of the method.
        object_key: the object's id.
    """

    __slots__ = ("_client", "definition", "object_key")

    def __init__(self, definition: MethodDefinition, object_key: str, client: Client | None):
        self.definition = definition
        self.object_key = object_key
        self._client = client

    @property
    def __name__(self) -> str:
        return self.definition.method

    def __repr__(self) -> str:
        return f"<durable method {self.definition.name} of {self.object_key!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Run it and give its result.

        Raises (when awaited):
            ExecutionFailed, ExecutionCancelledError, ExecutionTimedOut: outside an execution.
            CallError, or the restored exception: inside one. `ReentrancyError`, `DeadlockError`.
        """
        context = current_context()
        if context is None:
            args, kwargs = without_contexts(self.definition, args, kwargs, None)
            return self._start_and_wait(args, kwargs)
        from perdure.context.call import issue_call

        return issue_call(context.surroundings, self._request(context, args, kwargs))

    def _request(
        self, context: DurableContext, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Request:
        from perdure.context.call import request

        return request(context.surroundings, self, args, kwargs)

    async def _start_and_wait(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        client = await self._the_client()
        handle = await client.start_definition(
            self.definition, args, kwargs, NO_CALL_OPTIONS, current_step(), self.object_key
        )
        return await handle.result()

    async def _the_client(self) -> Client:
        if self._client is not None:
            return self._client
        from perdure.client.ambient import ambient_client

        return await ambient_client()


class StateReader(RemoteMethod):
    """`proxy.get_state`: asks the coordinator, or, inside an execution, is a recorded call."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """The attributes. Raises `NotFoundError` when awaited: the object was never saved."""
        if current_context() is not None:
            return super().__call__(*args, **kwargs)
        return self._read()

    def _request(
        self, context: DurableContext, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Request:
        codec = context.surroundings.serializers
        wanted = super()._request(context, args, kwargs)
        return replace(wanted, decode=lambda payload: self._decode(payload, codec))

    async def _read(self) -> dict[str, Any]:
        name, id = self.definition.owner.name, self.object_key
        client = await self._the_client()
        try:
            state = await client.transport.read_object_state(client.namespace, name, id)
        except NotFoundError:
            raise never_saved(name, id) from None
        return self._decode(state, client.serializers)

    def _decode(self, state: Payload, codec: Serializers) -> dict[str, Any]:
        attributes = self.definition.owner.attributes
        return attributes.decode(state, attributes.hints_for(None), codec)


def _no_attribute(definition: ObjectDefinition, name: str) -> str:
    what = f"{definition.name}.{name}"
    if name in definition.local:
        return (
            f"{what}() is a plain method: it runs inside of the object only; make it `async def` "
            "(with @durable.shared if it only reads) to call it from elsewhere"
        )
    if name in ("save", "migrate"):
        return f"{what}() is for the object itself; its attributes are saved with each method"
    methods = [each for each in definition.methods if each != GET_STATE]
    near = difflib.get_close_matches(name, methods, n=1)
    advice = f"; did you mean {near[0]}()?" if near else f"; its methods: {', '.join(methods)}"
    return (
        f"{what}: a proxy has methods only{advice} Attributes stay with the object: "
        "(await proxy.get_state())[name], or an `async def` method that returns them"
    )
