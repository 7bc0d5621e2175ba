"""`ctx.state` of a function with `state_scope="function"`: one state for all its executions.

Each member is a recorded call of one hidden object, so that changes of all executions come one
after the other; a later attempt makes them again (semantics, section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from perdure.context.call import Request, issue_call
from perdure.context.future import DurableFuture
from perdure.context.state import State
from perdure.context.surroundings import Surroundings
from perdure_runtime.core.entries import Target
from perdure_runtime.core.limits import check_name


class SharedState(State):
    """The state that all executions of a function share."""

    __slots__ = ("_around",)

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around.body, around.serializers)
        self._around = around

    async def get(self, key: str, default: Any = None) -> Any:
        """See `State.get`; what was committed last."""
        found = await self._call("get", check_name("state key", key))
        return default if found is None else found[1]

    async def set(self, key: str, value: Any) -> None:
        """See `State.set`; returns when it is on disk."""
        await self._call("set", check_name("state key", key), value)

    async def update(self, key: str, change: Callable[[Any], Any], default: Any = None) -> Any:
        """See `State.update`: `change` is called again when another execution was faster."""
        check_name("state key", key)
        found = await self._call("get", key)
        while True:
            version, value = (0, default) if found is None else found
            changed = change(value)
            is_set, found = await self._call("set_if", key, changed, version)
            if is_set:
                return changed

    async def delete(self, key: str) -> None:
        """See `State.delete`."""
        await self._call("delete", check_name("state key", key))

    async def keys(self) -> list[str]:
        """See `State.keys`."""
        return sorted(await self._call("keys"))

    def _call(self, method: str, *args: Any) -> DurableFuture[Any]:
        from perdure.objects.function_state import FunctionState, hidden_class, state_methods

        around, target = self._around, self._around.body.target
        definition = state_methods()[method]
        signature, serializers = definition.signature, around.serializers
        name = f"{hidden_class(target.service, target.method)}.{method}"
        wanted = Request(
            Target(target.service, name, FunctionState.ID),
            signature.bind(args, {}, serializers),
            partial(signature.decode_result, serializer=serializers),
        )
        return issue_call(around, wanted, reuse_on_retry=False)


def state_of(around: Surroundings) -> State:
    """What `ctx.state` is for a body with these options."""
    if around.options.state_scope == "function":
        return SharedState(around)
    return State(around.body, around.serializers)
