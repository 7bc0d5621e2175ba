"""`Actions`: define, start, watch, steer and await actions, through any client."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, cast, overload

from perdure.actions.action import (
    ID_PREFIX,
    METHOD,
    Action,
    ActionStatus,
    action_of,
    checked_status,
    engine_statuses,
    is_action,
    service_of,
)
from perdure.actions.defining import Defined, Handler, define, is_defined
from perdure.actions.errors import (
    ActionCancelledError,
    ActionFailedError,
    ActionNotDefinedError,
    ActionNotFoundError,
    ActionStateError,
)
from perdure.client.query import ExecutionInfo
from perdure.decorators.keywords import check_keywords
from perdure.options import RateLimit, RetryPolicy
from perdure_runtime.core.errors import (
    ExecutionCancelledError,
    ExecutionFailed,
    ExecutionTimedOut,
    NotFoundError,
)
from perdure_runtime.core.limits import check_name

if TYPE_CHECKING:
    from perdure._compose.runtime import Runtime
    from perdure.client.client import Client

H = TypeVar("H", bound=Handler)
_START: frozenset[str] = frozenset({"priority", "delay", "start_at", "timeout", "retry", "labels"})


class DefineKeywords(TypedDict, total=False):
    """Options of `define`.

    retry: a `RetryPolicy` or a number of retries; by default three attempts, 1 s and 2 s apart,
        doubling up to 60 s, with jitter.
    timeout: seconds for one attempt.
    max_concurrency: actions of the name under way at a time, in all workers together.
    rate_limit: a `RateLimit`: how many of them begin per second.
    """

    retry: RetryPolicy | int | None
    timeout: float | None
    max_concurrency: int | None
    rate_limit: RateLimit | None


class ActionKeywords(TypedDict, total=False):
    """Options of a start.

    idempotency_key: a second start of the same name and key gives the first one's action.
    priority: higher begins earlier.
    delay, start_at: seconds from now, or when.
    timeout: seconds for all attempts together.
    retry: instead of the definition's.
    labels: to filter lists by.
    strict: raise `ActionNotDefinedError` for a name that nobody has ever defined, instead of
        waiting for somebody who does.
    """

    idempotency_key: str | None
    priority: int
    delay: float | None
    start_at: datetime | float | None
    timeout: float | None
    retry: RetryPolicy | int | None
    labels: Mapping[str, str] | None
    strict: bool


class Actions:
    """Durable actions of one namespace.

    Args:
        client: a client or an embedded runtime; the ambient one at each call when None.
    """

    def __init__(self, client: Client | Runtime | None = None) -> None:
        self._client: Client | None = client if client is None else _client_of(client)

    # --- defining ------------------------------------------------------------------------------

    @overload
    def define(
        self, name: str, handler: Handler, /, **options: Unpack[DefineKeywords]
    ) -> Defined: ...
    @overload
    def define(self, name: str, /, **options: Unpack[DefineKeywords]) -> Callable[[H], H]: ...
    def define(
        self, name: str, handler: Handler | None = None, /, **options: Unpack[DefineKeywords]
    ) -> Any:
        """Say what runs the actions of a name: `handler(input, context)`, async or sync.

        It is plain code on the worker's own loop (sync: in a thread), started at least once;
        `context` is an `ActionContext`. Defining a name anew replaces its handler. As a decorator
        it takes the name alone.

        Args:
            options: see `DefineKeywords`.

        Raises:
            TypeError: the handler is not callable, or an option is unknown.
            InvalidArgumentError: a name or option is not allowed.
        """
        check_keywords("define()", DefineKeywords, options)
        if handler is not None:
            return define(name, handler, **options)

        def decorate(decorated: H) -> H:
            define(name, decorated, **options)
            return decorated

        return decorate

    # --- starting ------------------------------------------------------------------------------

    async def start(
        self, name: str, input: Any = None, **options: Unpack[ActionKeywords]
    ) -> Action:
        """Start an action; returns at once, when the start is on disk.

        Args:
            input: what the handler gets; JSON, dataclasses and whatever Perdure encodes.
            options: see `ActionKeywords`.

        Raises:
            ActionNotDefinedError: only with `strict=True`.
            AlreadyExistsError: the idempotency key was used with another input.
            SerializationError, LimitExceededError: the input cannot be encoded.
        """
        check_keywords("start()", ActionKeywords, options)
        client = await self._chosen()
        service = service_of(check_name("action", name))
        if options.get("strict"):
            await self._check_defined(client, name, service)
        chosen: dict[str, Any] = {key: options[key] for key in options if key in _START}  # type: ignore[literal-required] # known keys
        key = options.get("idempotency_key")
        id = f"{ID_PREFIX}{client.new_id()}" if key is None else _id_of(name, key)
        handle = await client.start(service, METHOD, input, id=id, **chosen)
        if not handle.created:
            return await self._existing(id)
        labels = dict(options.get("labels") or {})
        priority = options.get("priority", 0)
        return Action(id, name, ActionStatus.PENDING, priority=priority, labels=labels)

    async def start_many(
        self, name: str, inputs: Iterable[Any], **options: Unpack[ActionKeywords]
    ) -> list[Action]:
        """Start one action for each input; they travel together and share their commits.

        Args:
            options: of all of them; an idempotency key is extended by the number of the input.

        Raises:
            what `start` raises; then those of the others may have started. With an idempotency
            key the same call again starts those that are missing.
        """
        key = options.pop("idempotency_key", None)
        starts = []
        for number, input in enumerate(inputs):
            own: ActionKeywords = {**options}
            if key is not None:
                own["idempotency_key"] = f"{key}:{number}"
            starts.append(self.start(name, input, **own))
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        started: list[Action] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            started.append(outcome)
        return started

    # --- looking -------------------------------------------------------------------------------

    async def get(self, id: str) -> Action | None:
        """The action as it is now, with its result if it has completed; None: there is none."""
        client = await self._chosen()
        try:
            info = await client.get(id).describe()
        except NotFoundError:
            return None
        if not is_action(info):
            return None
        return await self._with_result(client, info)

    async def list(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> list[Action]:
        """Actions, newest first, without their results.

        Args:
            status: pending, active, completed, failed or cancelled; all when None.
            name: only of this name.
            labels: only those that were started with all of these.
            limit: how many at most.

        Raises:
            InvalidArgumentError: no action ever has this status.
        """
        client = await self._chosen()
        wanted = None if status is None else checked_status(status)
        service = "" if name is None else service_of(name)
        found = client.list(
            status=None if wanted is None else engine_statuses(wanted),
            service=service,
            id_prefix=ID_PREFIX,
            labels=labels,
        )
        actions: list[Action] = []
        async for info in found:
            if limit is not None and len(actions) >= limit:
                break
            if is_action(info):
                action = action_of(info)
                if wanted in (None, action.status):
                    actions.append(action)
        return actions

    async def watch(self, id: str) -> AsyncIterator[Action]:
        """The action, now and whenever its status or progress changes, until it has ended. Pushed.

        Raises:
            ActionNotFoundError: there is no such action.
        """
        client = await self._chosen()
        last: Action | None = None
        try:
            async for info in client.get(id).watch():
                _check_action(info)
                action = await self._with_result(client, info)
                if action != last:
                    last = action
                    yield action
        except NotFoundError as error:
            raise _not_found(id) from error

    async def result(self, id: str, timeout: float | None = None) -> Any:
        """Wait for the end and give the result; pushed.

        Args:
            timeout: seconds; the action goes on when they are over.

        Raises:
            ActionFailedError: with the handler's message; `__cause__` is its exception.
            ActionCancelledError: it was cancelled.
            ActionNotFoundError: there is no such action.
            TimeoutError: the timeout is over.
        """
        client = await self._chosen()
        try:
            return await client.get(id).result(timeout)
        except (ExecutionFailed, ExecutionTimedOut) as error:
            raise ActionFailedError(str(error)) from (error.__cause__ or error)
        except ExecutionCancelledError as error:
            raise ActionCancelledError(str(error)) from error
        except NotFoundError as error:
            raise _not_found(id) from error

    # --- steering ------------------------------------------------------------------------------

    async def retry(self, id: str) -> Action:
        """Let a failed action begin again, with all its attempts; what it recorded it finds.

        Raises:
            ActionStateError: it has not failed.
            ActionNotFoundError: there is no such action.
        """
        client = await self._chosen()
        action = await self._existing(id)
        if action.status is not ActionStatus.FAILED:
            raise ActionStateError(f"Can only retry failed actions: {id} (it is {action.status})")
        await client.retry(id)
        return replace(
            action, status=ActionStatus.PENDING, error="", started_at=None, completed_at=None
        )

    async def cancel(self, id: str, reason: str = "") -> Action:
        """Ask an action to stop; a running handler sees it as `asyncio.CancelledError`.

        Raises:
            ActionStateError: it has finished.
            ActionNotFoundError: there is no such action.
        """
        client = await self._chosen()
        action = await self._existing(id)
        if action.is_finished or not await client.get(id).cancel(reason):
            raise ActionStateError(f"Cannot cancel finished action: {id}")
        return await self._existing(id)

    # --- inside --------------------------------------------------------------------------------

    async def _chosen(self) -> Client:
        if self._client is not None:
            return self._client
        from perdure.client.ambient import ambient_client

        return await ambient_client()

    async def _existing(self, id: str) -> Action:
        action = await self.get(id)
        if action is None:
            raise _not_found(id)
        return action

    async def _with_result(self, client: Client, info: ExecutionInfo) -> Action:
        action = action_of(info)
        if action.status is not ActionStatus.COMPLETED:
            return action
        return replace(action, result=await client.get(action.id).result())

    async def _check_defined(self, client: Client, name: str, service: str) -> None:
        known = {method.service for method in await client.services()}
        if service not in known and not is_defined(name):
            raise ActionNotDefinedError(f"Action not defined: {name}")


def _client_of(given: Client | Runtime) -> Client:
    client: Client | None = getattr(given, "client", None)  # a runtime has one
    return cast("Client", given) if client is None else client


def _id_of(name: str, key: str) -> str:
    check_name("idempotency key", key)
    return ID_PREFIX + hashlib.sha256(f"{name}\0{key}".encode()).hexdigest()[:32]


def _check_action(info: ExecutionInfo) -> None:
    if not is_action(info):
        raise NotFoundError(f"execution {info.id} is no action")


def _not_found(id: str) -> ActionNotFoundError:
    return ActionNotFoundError(f"Action not found: {id}")
