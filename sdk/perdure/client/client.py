"""`Client`: starts executions and finds them again, over any `Transport`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    TypeVar,
    TypeVarTuple,
    Unpack,
    overload,
)
from uuid import uuid4

from perdure.client.annotations import annotate
from perdure.client.control import Selection, control_many, control_one
from perdure.client.events import failure_of, send_event, settle_promise
from perdure.client.handle import ExecutionHandle
from perdure.client.query import ExecutionInfo, pages, statuses_of
from perdure.client.schedule import (
    TIMING,
    ScheduleHandle,
    ScheduleInfo,
    ScheduleKeywords,
    create_schedule,
    list_schedules,
)
from perdure.client.start_options import StartKeywords, start_options
from perdure.client.step_ids import id_in_step
from perdure.client.transport import Transport
from perdure.decorators.keywords import check_keywords
from perdure.definition import Definition, Kind
from perdure.objects.contexts import without_contexts
from perdure.objects.definition import MethodDefinition, object_key
from perdure.option_checks import Errors
from perdure.options import (
    NO_CALL_OPTIONS,
    CallOptions,
)
from perdure.registry import DEFAULT_SERVICE, definition_of, is_placed, target_of
from perdure_runtime.core.client import (
    ControlOperation,
    ControlResult,
    IdPolicy,
    ListRequest,
    MethodInfo,
    StartRequest,
    WorkerInfo,
)
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import AmbiguousTargetError, InvalidArgumentError
from perdure_runtime.core.limits import check_execution_id, check_name
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import Serializers
from perdure_runtime.telemetry import current_trace

if TYPE_CHECKING:
    from perdure.context.step_context import StepContext

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Unset(Enum):
    """Tells "no input given" from an input of None."""

    UNSET = "unset"


_UNSET: Final = _Unset.UNSET


class Client:
    """A connection to one coordinator and one namespace. Made by `connect` and `embedded`."""

    def __init__(
        self,
        transport: Transport,
        namespace: str = "default",
        serializers: Serializers | None = None,
        new_id: Callable[[], str] | None = None,
    ) -> None:
        self.namespace = check_name("namespace", namespace)
        self.transport = transport
        self._serializers = Serializers() if serializers is None else serializers
        self._new_id = new_id or (lambda: uuid4().hex)  # of an execution started without an id
        self._found: dict[Definition, Target] = {}

    @property
    def serializers(self) -> Serializers:
        """How values travel to and from it."""
        return self._serializers

    def new_id(self) -> str:
        """An id for an execution that was given none: unique, made up here."""
        return self._new_id()

    # --- starting ------------------------------------------------------------------------------

    @overload
    async def start(
        self,
        function: Callable[[*Ts], Coroutine[Any, Any, T]],
        /,
        *args: *Ts,
        **options: Unpack[StartKeywords],
    ) -> ExecutionHandle[T]: ...
    @overload
    async def start(
        self,
        service: str,
        method: str,
        payload: Any = None,
        /,
        **options: Unpack[StartKeywords],
    ) -> ExecutionHandle[Any]: ...
    async def start(
        self, function: object, /, *args: object, **options: object
    ) -> ExecutionHandle[Any]:
        """Start an execution; returns when the start is on disk.

        Either of a function of this process with its arguments, or of `service, method` by name,
        of any language, with one payload. Keywords are options, never arguments.

        Raises:
            AlreadyExistsError: the id is taken by another function or another input, or by any
                execution with `id_policy="reject"`.
            AmbiguousTargetError: several services offer the function.
            InvalidArgumentError: an option is not allowed.
            SerializationError, LimitExceededError: the input cannot be encoded.
            CoordinatorUnavailableError: nobody answered.
            TypeError: the arguments do not fit the function, or it belongs to no service.
        """
        check_keywords("start()", StartKeywords, options)
        chosen: CallOptions = getattr(function, "call_options", NO_CALL_OPTIONS).merged(options)
        if isinstance(function, str):
            return await self._start_by_name(function, args, chosen)
        definition = definition_of(function)
        if definition is None:
            raise TypeError(
                f"{function!r} is not decorated and no service of this process offers it; decorate "
                "it, or start it by name: start(service, method, payload)"
            )
        key = object_key(function) if definition.kind is Kind.OBJECT else ""
        return await self.start_definition(definition, args, {}, chosen, key=key)

    async def start_definition(
        self,
        definition: Definition,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions = NO_CALL_OPTIONS,
        step: StepContext | None = None,
        key: str = "",
    ) -> ExecutionHandle[Any]:
        """Start a definition of this process; see `start`.

        Args:
            key: the id of the object whose method it is.
            step: whose body starts it; without an id in the options, the id derives from it.
        """
        signature, serializers = definition.signature, self._serializers
        target = await self._target(definition, options)
        if isinstance(definition, MethodDefinition):
            args, kwargs = without_contexts(definition, tuple(args), kwargs, None)
            target = Target(target.service, target.method, key)
        payload = signature.bind(args, kwargs, serializers)
        if step is not None and options.id is None:
            options = options.merged({"id": id_in_step(step, target, payload)})
        return await self._start(
            target,
            payload,
            options,
            decode=partial(signature.decode_result, serializer=serializers),
            raises=definition.options.raises,
            held=() if step is None else step.held,
        )

    async def _start_by_name(
        self, service: str, args: Sequence[Any], options: CallOptions
    ) -> ExecutionHandle[Any]:
        target, payload = self._named(service, args)
        return await self._start(target, payload, options, decode=self._serializers.decode)

    def _named(self, service: str, args: Sequence[Any]) -> tuple[Target, Payload]:
        if not 1 <= len(args) <= 2 or not isinstance(args[0], str):
            raise TypeError("by name it is (service, method, payload=None)")
        target = Target(check_name("service", service), check_name("method", args[0]))
        value = args[1] if len(args) == 2 else None
        return target, self._serializers.encode(value, what="payload")

    async def _start(
        self,
        target: Target,
        payload: Payload,
        options: CallOptions,
        *,
        decode: Callable[[Payload], Any],
        raises: Errors = (),
        held: tuple[str, ...] = (),
    ) -> ExecutionHandle[Any]:
        request = StartRequest(
            namespace=self.namespace,
            request_id=uuid4().hex,
            id=options.id or self.new_id(),
            target=target,
            input=payload,
            options=start_options(options),
            id_policy=IdPolicy(options.id_policy),
            trace=current_trace(),
            held=held,
        )
        reply = await self.transport.start(request)
        return ExecutionHandle(
            self.transport,
            self.namespace,
            reply.id,
            decode=decode,
            serializer=self._serializers,
            raises=raises,
            created=reply.created,
        )

    async def _target(self, definition: Definition, options: CallOptions) -> Target:
        """This process's opinion, else the only service of the namespace that has the name."""
        if options.service is not None or is_placed(definition):
            return target_of(definition, options.service)
        found = self._found.get(definition)
        if found is None:
            methods = await self.transport.list_methods(self.namespace)
            services = sorted({each.service for each in methods if each.method == definition.name})
            if len(services) > 1:
                raise AmbiguousTargetError(
                    f"the services {', '.join(services)} all offer {definition.name!r}; say which "
                    "one with service="
                )
            if not services:
                return Target(DEFAULT_SERVICE, definition.name)
            found = self._found[definition] = Target(services[0], definition.name)
        return found

    # --- schedules -----------------------------------------------------------------------------

    @overload
    async def schedule(
        self,
        function: Callable[[*Ts], Coroutine[Any, Any, Any]],
        /,
        *args: *Ts,
        **options: Unpack[ScheduleKeywords],
    ) -> ScheduleHandle: ...
    @overload
    async def schedule(
        self,
        service: str,
        method: str,
        payload: Any = None,
        /,
        **options: Unpack[ScheduleKeywords],
    ) -> ScheduleHandle: ...
    async def schedule(
        self, function: object, /, *args: object, **options: object
    ) -> ScheduleHandle:
        """Start a function again and again; returns when the schedule is on disk.

        Each tick starts exactly one execution, `ID@TIME` such as `daily@2026-01-31T06:00:00Z`,
        whatever crashes in between (semantics, section 8). The same call again changes nothing.

        Args:
            id: of the schedule, at most 220 characters. Required.
            cron: five fields (minute, hour, day of month, month, day of week), or six with seconds
                first; in `timezone`, through daylight saving as Debian's cron does.
            every: seconds between ticks, counted from the creation. Instead of `cron`.
            overlap: while the execution of an earlier tick has not ended, a tick is left out
                ("skip"), waits for its turn ("queue"), or cancels the earlier one ("cancel").
            jitter: each start is put off by up to so many seconds.
            backfill: of the ticks that an outage missed, the "latest" is made up for, "all" in
                order, or "none".
            replace: whether an existing schedule of the id takes the new settings.
            priority, timeout, retry, service, metadata, labels: of each start.

        Raises:
            AlreadyExistsError: a schedule of the id exists with other settings.
            InvalidArgumentError: an option is not allowed, cron or timezone is none.
            SerializationError, TypeError: as `start`.
        """
        check_keywords("schedule()", ScheduleKeywords, options)
        timing = {name: options.pop(name) for name in TIMING if name in options}
        chosen: CallOptions = getattr(function, "call_options", NO_CALL_OPTIONS).merged(options)
        target, payload = await self._wanted(function, args, chosen)
        return await create_schedule(
            self.transport, self.namespace, target, payload, start_options(chosen), timing
        )

    def get_schedule(self, id: str) -> ScheduleHandle:
        """A handle on a schedule that may exist; nothing is asked yet."""
        return ScheduleHandle(self.transport, self.namespace, id)

    async def schedules(self) -> Sequence[ScheduleInfo]:
        """All schedules of the namespace, by id."""
        return await list_schedules(self.transport, self.namespace)

    async def _wanted(
        self, function: object, args: Sequence[Any], options: CallOptions
    ) -> tuple[Target, Payload]:
        if isinstance(function, str):
            return self._named(function, args)
        definition = definition_of(function)
        if definition is None:
            raise TypeError(
                f"{function!r} is not decorated and no service of this process offers it; decorate "
                "it, or name it: schedule(service, method, payload, ...)"
            )
        target = await self._target(definition, options)
        if isinstance(definition, MethodDefinition):
            args, _ = without_contexts(definition, tuple(args), {}, None)
            target = Target(target.service, target.method, object_key(function))
        return target, definition.signature.bind(args, {}, self._serializers)

    # --- finding -------------------------------------------------------------------------------

    @overload
    def get(self, id: str) -> ExecutionHandle[Any]: ...
    @overload
    def get(
        self, id: str, function: Callable[..., Coroutine[Any, Any, T]]
    ) -> ExecutionHandle[T]: ...
    def get(self, id: str, function: object = None) -> ExecutionHandle[Any]:
        """A handle on an execution that may exist; nothing is asked yet.

        Args:
            function: what it runs, so that the result is restored by its return hint.
        """
        check_name("execution id", id)
        definition = definition_of(function)
        serializers = self._serializers
        decode: Callable[[Payload], Any] = serializers.decode
        if definition is not None:
            decode = partial(definition.signature.decode_result, serializer=serializers)
        return ExecutionHandle(
            self.transport,
            self.namespace,
            id,
            decode=decode,
            serializer=serializers,
            raises=() if definition is None else definition.options.raises,
        )

    def list(
        self,
        *,
        status: str | Sequence[str] | None = None,
        service: str = "",
        method: str = "",
        id_prefix: str = "",
        parent_id: str = "",
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[ExecutionInfo]:
        """Executions of the namespace, newest first, fetched page by page.

        Args:
            status: one status or several; all when None.
            labels: only those that were started with all of these.
            limit: how many at most; all when None.

        Raises:
            InvalidArgumentError: there is no such status.
        """
        request = ListRequest(
            namespace=self.namespace,
            statuses=statuses_of(status),
            service=service,
            method=method,
            id_prefix=id_prefix,
            parent_id=parent_id,
            labels=dict(labels or {}),
        )
        return pages(self.transport, request, limit)

    async def read_state(self, id: str) -> dict[str, Any]:
        """What the `ctx.state` of an execution holds. Raises `NotFoundError`."""
        return await self.get(id).read_state()

    async def annotate(self, id: str, text: str, author: str = "") -> None:
        """Add a remark to an execution's history, whatever its status: `history` shows it.

        Args:
            author: id of who remarks it.

        Raises:
            NotFoundError: there is no such execution.
            InvalidArgumentError: the text is empty or longer than 4,096 characters.
        """
        await annotate(self.transport, self.namespace, id, text, author)

    # --- events and promises -------------------------------------------------------------------

    async def send_event(
        self,
        event_id: str,
        payload: Any = None,
        dedupe_id: str | None = None,
        *,
        execution: str | None = None,
    ) -> None:
        """Send an event; returns when it is on disk (semantics, section 7).

        It is kept, 7 days by default: every execution that waits for the id, now or later, gets it.

        Args:
            dedupe_id: a second event of the same id, address and dedupe id is ignored.
            execution: the id of the one execution that it is for; it need not exist yet.

        Raises:
            InvalidArgumentError: a bad id.
            SerializationError, LimitExceededError: the payload cannot be encoded.
            OverloadedError, CoordinatorUnavailableError: nothing was sent.
        """
        encoded = self._serializers.encode(payload, what=f"event {event_id!r}")
        await send_event(self.transport, self.namespace, event_id, encoded, dedupe_id, execution)

    async def complete_promise(self, token: str, value: Any = None) -> bool:
        """Give a promise its value; see `DurableContext.promise`.

        Returns:
            False when it had been settled before, has timed out, or its execution has ended.

        Raises:
            InvalidArgumentError: the token is damaged, or of another namespace.
            NotFoundError: the execution was deleted.
            SerializationError, LimitExceededError: the value cannot be encoded.
        """
        result = self._serializers.encode(value, what="value of the promise")
        return await settle_promise(self.transport, self.namespace, token, result=result)

    async def fail_promise(self, token: str, error: Exception | str) -> bool:
        """Let a promise fail with an exception, or with an `ApplicationError` of this message.

        Builtin classes are restored where it is awaited, others become a `CallError`. Returns and
        raises as `complete_promise` does.
        """
        failure = failure_of(error, self._serializers)
        return await settle_promise(self.transport, self.namespace, token, failure=failure)

    async def heartbeat_promise(self, token: str) -> bool:
        """Say that whoever is to settle the promise is alive.

        Returns:
            whether it is still open. Raises as `complete_promise` does.
        """
        return await settle_promise(self.transport, self.namespace, token, heartbeat=True)

    def object(self, cls: type[T], id: str) -> T:
        """The durable object of a class with this id: a proxy, typed as the class.

        Asks and writes nothing; its methods run where its class is served (semantics, section 6).

        Raises:
            TypeError: the class is not decorated with `@durable.object`.
            InvalidArgumentError: the id is empty or longer than 255 characters.
        """
        from perdure.objects.proxy import object_proxy

        return object_proxy(cls, id, self)

    # --- steering ------------------------------------------------------------------------------

    async def cancel(self, id: str, reason: str = "") -> bool:
        """See `ExecutionHandle.cancel`."""
        return await self.get(id).cancel(reason)

    async def retry(self, id: str, *, input: Any = _UNSET) -> bool:
        """Give a failed, timed out, paused or blocked execution a new attempt.

        Args:
            input: replaces the old one, as it travels: one value, or an object by name.

        Raises:
            NotFoundError: there is no such execution.
            InvalidTransitionError: its status does not allow it.
        """
        changed = None if input is _UNSET else self._serializers.encode(input, what="input")
        return await self._control(ControlOperation.RETRY, id, new_input=changed)

    async def pause(self, id: str, reason: str = "") -> bool:
        """Park an execution until `resume`. Raises as `retry` does."""
        return await self._control(ControlOperation.PAUSE, id, reason=reason)

    async def resume(self, id: str) -> bool:
        """Let a paused or blocked execution go on. Raises as `retry` does."""
        return await self._control(ControlOperation.RESUME, id)

    async def delete(self, id: str) -> bool:
        """Forget an execution that has ended. Raises as `retry` does."""
        return await self._control(ControlOperation.DELETE, id)

    async def fork(self, id: str, *, at: str, new_id: str | None = None) -> ExecutionHandle[Any]:
        """A new execution that begins with what another did before a command completed.

        The source goes on as it is. The fork replays what is copied, issues that command and what
        was still open anew, and continues; nothing that it does shares a key with the source.

        Args:
            at: a command path, as `history` shows it; of the last attempt that has it.
            new_id: of the fork; made up when None.

        Raises:
            NotFoundError: there is no such execution, or no such command in it.
            InvalidArgumentError: the command completed after a cancellation or timeout.
            AlreadyExistsError: `new_id` is taken.
        """
        check_name("execution id", id)
        new_id = uuid4().hex if new_id is None else check_execution_id(new_id)
        await control_one(
            self.transport, self.namespace, ControlOperation.FORK, id, at=at, new_id=new_id
        )
        return self.get(new_id)

    async def control(
        self,
        operation: Literal["cancel", "retry", "pause", "resume", "delete"],
        *,
        ids: Sequence[str] | None = None,
        status: str | Sequence[str] | None = None,
        service: str = "",
        method: str = "",
        id_prefix: str = "",
        parent_id: str = "",
        labels: Mapping[str, str] | None = None,
        reason: str = "",
        input: Any = _UNSET,
    ) -> Sequence[ControlResult]:
        """One operation on many executions: on those with `ids`, or on all that the filter selects.

        What starts after the call is left alone. Each execution has its own result: an illegal
        transition of one stops nothing (semantics, section 8).

        Args:
            reason: for `cancel` and `pause`.
            input: for `retry`; replaces the old one of each.

        Returns:
            A `ControlResult` for each: `id`, `effect`, `error_code` and `error_message`.

        Raises:
            InvalidArgumentError: neither ids nor a filter, both, or an unknown operation.
        """
        if operation not in ("cancel", "retry", "pause", "resume", "delete"):
            raise InvalidArgumentError(
                f"control(): {operation!r} is none of cancel, retry, pause, resume and delete"
            )
        changed = None if input is _UNSET else self._serializers.encode(input, what="input")
        return await control_many(
            self.transport,
            self.namespace,
            ControlOperation(operation),
            Selection(ids, status, service, method, id_prefix, parent_id, labels or {}),
            reason=reason,
            new_input=changed,
        )

    async def _control(
        self,
        operation: ControlOperation,
        id: str,
        *,
        reason: str = "",
        new_input: Payload | None = None,
    ) -> bool:
        check_name("execution id", id)
        return await control_one(
            self.transport, self.namespace, operation, id, reason=reason, new_input=new_input
        )

    # --- the coordinator -----------------------------------------------------------------------

    async def workers(self) -> Sequence[WorkerInfo]:
        """Workers that are connected now."""
        return await self.transport.list_workers(self.namespace)

    async def services(self) -> Sequence[MethodInfo]:
        """Methods that any service of the namespace has ever offered."""
        return await self.transport.list_methods(self.namespace)

    async def health(self) -> dict[str, str]:
        """How the coordinator is. Raises `CoordinatorUnavailableError`."""
        return await self.transport.health()
