"""A run of an object's method: the instance before and after it (semantics, section 6).

The instance is made of the attempt's snapshot when the body starts, and becomes the new state when
it ends. A replay in the same attempt starts from the same snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from perdure.context import DurableContext
from perdure.definition import Definition
from perdure.objects.base import ID_ATTRIBUTE, SAVE_ATTRIBUTE, never_saved
from perdure.objects.definition import MethodDefinition
from perdure_runtime.core.errors import SharedMethodError
from perdure_runtime.core.ids import ObjectKey
from perdure_runtime.core.outbox import Outcome
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.driver import Body
from perdure_runtime.serde import Serializers, encode_exception


class MethodRun:
    """One run of a method's body. `DriverOptions.conclude` is its `conclude`.

    Args:
        warn: told of a state that is lost because it cannot be encoded.
    """

    def __init__(
        self, method: MethodDefinition, serializers: Serializers, warn: Callable[[str], None]
    ) -> None:
        self._method = method
        self._serializers = serializers
        self._warn = warn
        self._instance: Any = None
        self._hints: dict[str, Any] = {}
        self._before: Payload | None = None

    def begin(self, context: DurableContext) -> tuple[Any, ...]:
        """Make the instance; what is injected into the method.

        Raises:
            SerializationError: the saved state does not fit the class.
            what `__init__` or `migrate` raises.
        """
        body = context.surroundings.body
        self._load(body)
        vars(self._instance)[SAVE_ATTRIBUTE] = partial(self._save, body)
        return (self._instance, context)[: len(self._method.injected)]

    def _load(self, body: Body) -> None:
        owner, codec = self._method.owner, self._serializers
        state = body.started.object_state
        if self._method.is_hidden and state is None:
            raise never_saved(owner.name, body.target.key)
        instance = _made(owner.cls, body.target.key, owner.takes_id)
        self._hints = owner.attributes.hints_for(instance)
        if state is not None:
            owner.attributes.restore(instance, state, self._hints, codec)
        self._before = state
        if self._method.is_shared:
            self._before = self._encoded(instance)
        self._instance = instance

    async def _save(self, body: Body) -> None:
        """`await self.save()`: the state as it is now, in an entry of its own."""
        if self._method.is_shared:
            raise SharedMethodError(
                f"{self._method.name}() is shared and calls self.save(); it only reads: drop "
                "@durable.shared, or the call"
            )
        state = self._encoded(self._instance)
        self._before = None  # should this be cancelled, what is saved is not known here
        await body.save(state)
        self._before = state

    def _encoded(self, instance: Any) -> Payload:
        return self._method.owner.attributes.encode(instance, self._hints, self._serializers)

    def conclude(self, outcome: Outcome) -> Outcome:
        """The outcome with the new state; or a failure, if that is none that can be saved."""
        if self._instance is None:  # __init__ or the saved state has failed it
            return outcome
        method, has_failed = self._method, outcome.result is None
        if has_failed and method.on_error == "rollback" and not method.is_shared:
            return outcome
        try:
            state = self._encoded(self._instance)
        except Exception as error:  # a user's type may raise anything
            if not has_failed:
                return self._failed(error)
            self._warn(f"{method.name}: what it changed is not kept: {error}")
            return outcome
        before = self._before
        is_same = before is not None and _are_equal(before, state)
        if method.is_shared:
            return outcome if is_same or has_failed else self._failed(self._changed())
        if is_same and before is not None and before.data == state.data:
            return outcome
        return msgspec.structs.replace(outcome, object_state=state)

    def _failed(self, error: Exception) -> Outcome:
        failure: Failure = encode_exception(error, self._serializers)
        return Outcome(failure=msgspec.structs.replace(failure, retryable=False))

    def _changed(self) -> Exception:
        name = self._method.name
        return SharedMethodError(
            f"{name}() is shared and changed the attributes of its object, which are not saved; "
            "drop @durable.shared, or work on a copy"
        )


def _made(cls: Any, id: str, takes_id: bool) -> Any:
    """A fresh instance; `__init__` is given the id if it takes anything."""
    instance: Any = cls.__new__(cls)
    vars(instance)[ID_ATTRIBUTE] = id
    initialize: Any = instance.__init__
    if takes_id:
        initialize(id)
    else:
        initialize()
    vars(instance)[ID_ATTRIBUTE] = id
    return instance


def _are_equal(before: Payload, after: Payload) -> bool:
    return before.digest == after.digest and before.metadata == after.metadata


def held_in(definition: Definition, body: Body) -> tuple[str, ...]:
    """The objects ("Class/id") that are held while somebody awaits what a step starts."""
    held = body.created.held
    if not isinstance(definition, MethodDefinition) or definition.is_shared:
        return held
    own = ObjectKey(body.key.namespace, definition.owner.name, body.target.key).name()
    return held if own in held else (*held, own)
