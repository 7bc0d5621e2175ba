"""`DurableContext`: the first parameter of durable functions and flows (semantics, section 5).

A table of contents: each member hands on to the module of its primitive. Commands are issued when
the member is called, by the task that calls it.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn, TypeVar, TypeVarTuple, Unpack, overload

from perdure.context.branch import issue_branch
from perdure.context.call import (
    CallKeywords,
    NamedCallKeywords,
    NamedSendKeywords,
    SendKeywords,
    issue_call,
    issue_send,
    local_body,
    request,
    taken,
)
from perdure.context.event import issue_event, issue_wait
from perdure.context.function_state import state_of
from perdure.context.future import DurableFuture
from perdure.context.in_steps import StepMembers
from perdure.context.log import ExecutionLogger
from perdure.context.map import MapResult, check_map, run_map
from perdure.context.promise import DurablePromise, issue_promise
from perdure.context.race import check_contenders, run_race
from perdure.context.run import StepOptions, issue_step
from perdure.context.saga import Saga
from perdure.context.shield import shielded
from perdure.context.sleep import seconds_of, seconds_until, sleep
from perdure.context.spawn import check_tasks, run_tasks
from perdure.context.surroundings import Surroundings
from perdure.context.wait_until import wait_until
from perdure.definition import Kind
from perdure.options import RetryPolicy
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name

T = TypeVar("T")
A = TypeVar("A")
Ts = TypeVarTuple("Ts")


class DurableContext(StepMembers):
    """What a body uses instead of the outside world. Made by workers."""

    __slots__ = ("_log", "state", "surroundings")

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.state = state_of(surroundings)
        self._log: ExecutionLogger | None = None

    def __repr__(self) -> str:
        return f"<DurableContext of {self.service}/{self.name} {self.execution_id}>"

    # --- commands ------------------------------------------------------------------------------

    @overload
    def call(
        self,
        service: str,
        method: str,
        payload: Any = None,
        /,
        **options: Unpack[NamedCallKeywords],
    ) -> DurableFuture[Any]: ...
    @overload
    def call(
        self,
        function: Callable[[*Ts], Coroutine[Any, Any, T]],
        /,
        *args: *Ts,
        **options: Unpack[CallKeywords],
    ) -> DurableFuture[T]: ...
    def call(self, callee: Any, /, *args: object, **kwargs: object) -> DurableFuture[Any]:
        """Call a function, flow or step as an execution of its own, or a method by names.

        Args:
            timeout: seconds for the callee's whole execution, unless it is attached to.
            retry: instead of the callee's own policy.
            id: of the new execution; an existing one with the same input is attached to.
            delay: seconds before it starts; the timeout counts them.
            key: by names only: the id of the object whose method "Class.method" is called.
            reuse_on_retry: whether a later attempt takes over the result.

        Raises (when awaited):
            CallError: the callee failed; or its own class, if that is builtin or in `raises=`.
            CallTimeoutError, ServiceUnavailableError, MethodNotFoundError: see semantics, 5.
        """
        options = taken(kwargs, "timeout", "retry", "id", "delay", "reuse_on_retry")
        local = None if isinstance(callee, str) else local_body(callee)
        if local is not None:
            if options:
                raise InvalidArgumentError(
                    f"ctx.call(): {local.name} is defined inside a function, so it runs as a part "
                    "of this execution, without timeout, retry or id; define it in a module"
                )
            return issue_branch(self, local.function, args, kwargs, definition=local)
        wanted = request(self.surroundings, callee, args, kwargs)
        return issue_call(self.surroundings, wanted, **options)

    @overload
    def send(
        self,
        service: str,
        method: str,
        payload: Any = None,
        /,
        **options: Unpack[NamedSendKeywords],
    ) -> DurableFuture[str]: ...
    @overload
    def send(
        self,
        function: Callable[[*Ts], Coroutine[Any, Any, Any]],
        /,
        *args: *Ts,
        **options: Unpack[SendKeywords],
    ) -> DurableFuture[str]: ...
    def send(
        self,
        callee: Any,
        /,
        *args: object,
        **kwargs: object,
    ) -> DurableFuture[str]:
        """Start an execution that outlives this one; gives its id, at once.

        Args:
            delay: seconds before it starts.
        """
        options = taken(kwargs, "delay", "id")
        wanted = request(self.surroundings, callee, args, kwargs)
        return issue_send(self.surroundings, wanted, **options)

    @overload
    def run(
        self,
        function: Callable[..., Coroutine[Any, Any, T]],
        /,
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        retry: RetryPolicy | int | None = None,
        at_most_once: bool | None = None,
        reuse_on_retry: bool | None = None,
        **kwargs: Any,
    ) -> DurableFuture[T]: ...
    @overload
    def run(
        self,
        function: Callable[..., T],
        /,
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        retry: RetryPolicy | int | None = None,
        at_most_once: bool | None = None,
        reuse_on_retry: bool | None = None,
        **kwargs: Any,
    ) -> DurableFuture[T]: ...
    @overload
    def run(
        self,
        name: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        timeout: float | None = None,
        retry: RetryPolicy | int | None = None,
        at_most_once: bool | None = None,
        reuse_on_retry: bool | None = None,
        **kwargs: Any,
    ) -> DurableFuture[Any]: ...
    def run(
        self,
        function: Any,
        /,
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        retry: RetryPolicy | int | None = None,
        at_most_once: bool | None = None,
        reuse_on_retry: bool | None = None,
        **kwargs: Any,
    ) -> DurableFuture[Any]:
        """Run a plain callable outside of the body and record its result.

        `async def` runs on the worker's event loop, `def` in a thread. At least once: a crash
        between its effect and the record runs it again, under the same `idempotency_key`.

        Args:
            name: in the journal; a lambda needs one.
            timeout: seconds for one try; `TimeoutError` when they are over.
            retry: a policy or a number; else the step's own, else the flow's, else none.

        Raises (when awaited):
            what it raised, or `StepError` if that class cannot be restored.
        """
        if isinstance(function, str):
            if name is not None or not args:
                raise TypeError("it is ctx.run(name, function, *args) or ctx.run(function, *args)")
            name, function, args = function, args[0], args[1:]
        options = StepOptions(name, timeout, retry, at_most_once, reuse_on_retry)
        return issue_step(self.surroundings, function, args, kwargs, options)

    def spawn(
        self, tasks: Iterable[tuple[Any, ...]], *, return_exceptions: bool = False
    ) -> Coroutine[Any, Any, list[Any]]:
        """Run several tasks at once; results in their order.

        A task is `(label, callable, *args)`, `(callable, *args)` or `(service, method, payload)`.
        Durable functions become child executions, callables that take a context branches of this
        execution, all others steps. The first failure is raised after the others were cancelled
        and have ended.

        Args:
            return_exceptions: give failures in the list instead of raising.

        Raises:
            TypeError: a task is none of these; nothing was started.
        """
        return run_tasks(self, check_tasks(self, tasks), return_exceptions)

    @overload
    def map(
        self,
        function: Callable[[DurableContext, A], Coroutine[Any, Any, T]],
        items: Iterable[A],
        *,
        max_concurrency: int | None = None,
        min_successful: int | None = None,
        tolerated_failures: int | None = None,
    ) -> Coroutine[Any, Any, MapResult[T]]: ...
    @overload
    def map(
        self,
        function: Callable[[A], Coroutine[Any, Any, T]],
        items: Iterable[A],
        *,
        max_concurrency: int | None = None,
        min_successful: int | None = None,
        tolerated_failures: int | None = None,
    ) -> Coroutine[Any, Any, MapResult[T]]: ...
    @overload
    def map(
        self,
        function: Callable[[A], T],
        items: Iterable[A],
        *,
        max_concurrency: int | None = None,
        min_successful: int | None = None,
        tolerated_failures: int | None = None,
    ) -> Coroutine[Any, Any, MapResult[T]]: ...
    @overload
    def map(
        self,
        function: tuple[str, str],
        items: Iterable[Any],
        *,
        max_concurrency: int | None = None,
        min_successful: int | None = None,
        tolerated_failures: int | None = None,
    ) -> Coroutine[Any, Any, MapResult[Any]]: ...
    def map(
        self,
        function: Any,
        items: Iterable[Any],
        *,
        max_concurrency: int | None = None,
        min_successful: int | None = None,
        tolerated_failures: int | None = None,
    ) -> Coroutine[Any, Any, MapResult[Any]]:
        """Run a function for each item, as `ctx.spawn` would; results in the order of the items.

        Args:
            function: anything that `ctx.spawn` runs, or `(service, method)`.
            max_concurrency: items at a time; `max_concurrent_steps` by default.
            min_successful: return as soon as so many succeeded, and cancel the rest.
            tolerated_failures: failures that stand in the result instead of being raised; 0, or,
                with `min_successful`, as many as leave it in reach.

        Raises:
            TypeError, InvalidArgumentError: an item or a number does not fit; nothing was started.
            Exception (when awaited): of the first item that failed once too often.
        """
        checked = check_map(
            self, function, items, max_concurrency, min_successful, tolerated_failures
        )
        return run_map(self, *checked)

    def race(self, *contenders: Awaitable[T] | tuple[Any, ...]) -> Coroutine[Any, Any, T]:
        """Run several at once; give the value, or raise the error, of the first that ends.

        The others are cancelled and have ended when it returns.

        Args:
            contenders: awaitables, or tuples as `ctx.spawn` takes them.

        Raises:
            TypeError: a contender is neither; nothing was started.
        """
        return run_race(self, check_contenders(self, contenders))

    def shield(self, section: Awaitable[T]) -> Coroutine[Any, Any, T]:
        """Let no cancellation interrupt `section`; one that comes is raised when it has ended.

        The grace of a cancellation goes on: a longer section is cut off with its execution.
        """
        return shielded(section)

    def wait_until(
        self,
        check: Callable[..., Any],
        /,
        *args: Any,
        every: float,
        timeout: float | None = None,
        name: str | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Call `check(*args)` as a step until it gives something true, and give that.

        Args:
            check: anything that `ctx.spawn` runs.
            every: seconds between an answer and the next look.
            timeout: seconds for all looks together.
            name: in the journal.

        Raises (when awaited):
            TimeoutError: the time is over.
            Exception: what `check` raised.
        """
        return wait_until(self, check, args, every, timeout, name)

    async def get_object(self, cls: type[T], id: str) -> T:
        """The durable object of a class with this id: a proxy, typed as the class.

        Writes nothing; its methods are commands of this execution (semantics, section 6).

        Raises:
            TypeError: the class is not decorated with `@durable.object`.
            InvalidArgumentError: the id is empty or longer than 255 characters.
        """
        from perdure.objects.proxy import object_proxy

        return object_proxy(cls, id)

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        """Sleep, over crashes too. Raises InvalidArgumentError for negative numbers and NaN."""
        return sleep(seconds_of(seconds))

    def sleep_until(self, when: datetime | float) -> Coroutine[Any, Any, None]:
        """Sleep until an aware datetime, or until seconds since the epoch."""
        return sleep(seconds_until(when, self.time()))

    def saga(self) -> Saga:
        """Commands with compensations, for `async with ctx.saga() as saga`; see `Saga.do`.

        When the block raises or is cancelled, what was done is undone in reverse, each once, and
        the error goes on; if compensations failed, `CompensationError` takes its place.
        """
        return Saga(self)

    def on_cancel(self, function: Callable[..., Any], /, *args: Any) -> Callable[[], None]:
        """Call `function(*args)`, which gives an awaitable, when the execution is cancelled.

        Hooks run last registered first when the body has ended, within the grace of the
        cancellation, each as a recorded branch; not when an attempt times out.

        Returns:
            what takes the hook back.
        """
        return self.surroundings.cancel_hooks.add(function, args)

    def forget(self, handle: DurableFuture[Any]) -> None:
        """A compensation undoes this command: later attempts issue it anew, with another key.

        For compensations written by hand, which are commands themselves and have to be forgotten
        as well; `ctx.saga()` does both. Call it before you await the compensation: it is recorded
        together with it then, and no crash comes between.
        """
        self.surroundings.body.forget(handle.command)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the execution is; shown outside, never recorded twice."""
        self.surroundings.body.progress(
            float(done), None if total is None else float(total), message
        )

    def wait_for_event(
        self,
        event_id: str,
        timeout: float | None = None,
        *,
        since: Literal["start"] | None = None,
        reuse_on_retry: bool | None = None,
    ) -> DurableFuture[Any]:
        """Wait for an event and give its payload (semantics, section 7).

        It takes the earliest event of this id that the execution has not consumed, one that was
        sent before included. Waits for one id take events in the order in which they were issued;
        what a cancelled wait was to get, the next one gets.

        Args:
            timeout: seconds; None waits for ever, 0 takes only what is there already.
            since: "start" ignores events that are older than this run.

        Raises (when awaited):
            EventTimeoutError: a builtin `TimeoutError`; no event came in time.

        Raises:
            InvalidArgumentError: a `ValueError`; a bad id, a negative timeout.
        """
        return issue_wait(self.surroundings, event_id, timeout, since, reuse_on_retry)

    def send_event(
        self,
        event_id: str,
        payload: Any = None,
        *,
        execution: str | None = None,
        dedupe_id: str | None = None,
        reuse_on_retry: bool | None = None,
    ) -> DurableFuture[None]:
        """Send an event to everyone who waits for its id, now or later; see `Client.send_event`.

        Recorded once, and in its mailbox with that record.

        Raises:
            InvalidArgumentError: a bad id.
            SerializationError, LimitExceededError: the payload cannot be encoded.
        """
        return issue_event(
            self.surroundings, event_id, payload, execution, dedupe_id, reuse_on_retry
        )

    def promise(
        self,
        name: str,
        *,
        timeout: float | None = None,
        heartbeat_timeout: float | None = None,
        reuse_on_retry: bool | None = None,
    ) -> DurablePromise:
        """Make a promise whose `token` lets anybody outside settle it, once.

        Args:
            name: in the journal; the same name again is another promise.
            timeout: seconds until awaiting it raises `EventTimeoutError`.
            heartbeat_timeout: the same, counted from the last `heartbeat_promise`.

        Raises (when awaited):
            what `fail_promise` was given, if it is a builtin class; `CallError` otherwise.
            EventTimeoutError: nobody settled it in time.

        Raises:
            InvalidArgumentError: a bad name or timeout.
        """
        return issue_promise(self.surroundings, name, timeout, heartbeat_timeout, reuse_on_retry)

    def emit(self, value: Any) -> None:
        """Tell those who follow the execution a value (semantics, section 5).

        Recorded once, in order; read by `handle.stream()`, while the body runs and afterwards. A
        later attempt that emits an equal value again does not repeat it.

        Raises:
            SerializationError, LimitExceededError: the value cannot be encoded.
        """
        around = self.surroundings
        payload = around.serializers.encode(value, what="emitted value")
        around.body.emit(payload, reuse=around.options.reuse_on_retry)

    def continue_as_new(self, *args: Any, **kwargs: Any) -> NoReturn:
        """End this run and begin the next one of the same execution, with this input.

        For bodies that go on for ever: the next run begins with an empty journal to replay, no
        results to take over and other idempotency keys. `ctx.state`, the events consumed so far and
        the execution's timeout go on; calls that nobody awaited are cancelled. Whoever waits for
        the result waits for that of the last run.

        Raises:
            InvalidArgumentError: not called in the body itself.
            TypeError, SerializationError: the input does not fit, or cannot be encoded.
        """
        around = self.surroundings
        if around.body.kind == Kind.OBJECT:
            raise InvalidArgumentError(
                f"{self.name}() is an object's method: what it is to go on from is in the object, "
                "so it returns, and its caller calls it again"
            )
        assert around.signature is not None
        around.body.continue_as_new(around.signature.bind(args, kwargs, around.serializers))

    def patched(self, id: str) -> bool:
        """Whether to run the code that `id` stands for: False only in the replay of an attempt that
        was recorded before that code was there (semantics, section 4).

        The first answer counts for the whole attempt and is recorded. When no execution runs the
        old code any more, put `deprecate_patch` in its place.

        Raises:
            InvalidArgumentError: the id is empty or longer than 255 characters.
        """
        return self.surroundings.body.patched(check_name("patch", id))

    def deprecate_patch(self, id: str) -> None:
        """The old code is gone; what was recorded with the patch still replays.

        When no execution that began before this is left, it can be removed.

        Raises:
            InvalidArgumentError: the id is empty or longer than 255 characters.
        """
        self.surroundings.body.patched(check_name("patch", id), deprecated=True)

    # --- facts ---------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Virtual time, in UTC: a replay gives the same."""
        return datetime.fromtimestamp(self.surroundings.body.now(), UTC)

    def time(self) -> float:
        """Virtual time, in seconds since the epoch."""
        return self.surroundings.body.now()

    def random(self) -> random.Random:
        """The random stream of this task: a replay, and every attempt, draws the same numbers."""
        return self.surroundings.body.random()

    def uuid4(self) -> uuid.UUID:
        """The next random UUID of this task, the same in every attempt."""
        return self.surroundings.body.uuid4()

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that is silent while the body is replayed."""
        if self._log is None:
            body = self.surroundings.body
            self._log = ExecutionLogger(body.key.id, body.attempt, lambda: body.is_replaying)
        return self._log

    @property
    def idempotency_key(self) -> str:
        """Of this execution or branch: the same over crashes and attempts (semantics, 1)."""
        return self.surroundings.body.scope.hex()

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        return self.surroundings.body.key.id

    @property
    def attempt(self) -> int:
        """1 for the first attempt; a crash starts no new one."""
        return self.surroundings.body.attempt

    @property
    def service(self) -> str:
        """The service that this execution was started in."""
        return self.surroundings.body.target.service

    @property
    def name(self) -> str:
        """The name of the function or flow."""
        return self.surroundings.body.target.method

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the start said beside its input."""
        return dict(self.surroundings.body.created.options.metadata)

    @property
    def is_replaying(self) -> bool:
        """Whether recorded results are still being returned."""
        return self.surroundings.body.is_replaying

    @property
    def cancelled(self) -> bool:
        """Whether a cancellation, or the attempt's timeout, has reached the body."""
        return self.surroundings.body.cancelled

    @property
    def cancel_reason(self) -> str:
        """Why, if `cancelled`."""
        return self.surroundings.body.cancel_reason
