"""`ctx.call` and `ctx.send`: durable requests to functions and services (semantics, section 5).

A call is a child execution. What it runs, where, and its retries are the coordinator's part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypedDict

from perdure.context.failures import call_error
from perdure.context.future import DurableFuture, Outcome
from perdure.context.surroundings import Surroundings
from perdure.definition import Definition, Kind
from perdure.objects.contexts import without_contexts
from perdure.objects.definition import MethodDefinition, object_key
from perdure.option_checks import Errors, check_seconds, milliseconds, optional_milliseconds
from perdure.options import (
    DEFAULT_RETRY,
    NO_RETRIES,
    CallOptions,
    RetryPolicy,
    retry_policy,
)
from perdure.registry import definition_of, is_placed, target_of
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_execution_id, check_name
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.failpoints import failpoint

if TYPE_CHECKING:
    from perdure_runtime.core.retry import Retry
    from perdure_runtime.driver import CommandFuture

_WHERE: Final = "ctx.call()"
_NO_OPTIONS: Final = CallOptions()
_OUTSIDE_ONLY: Final = ("priority", "start_at", "id_policy", "metadata", "labels", "after")


class CallKeywords(TypedDict, total=False):
    """Options of `ctx.call`; see there."""

    timeout: float | None
    retry: RetryPolicy | int | None
    id: str | None
    delay: float | None
    reuse_on_retry: bool | None


class NamedCallKeywords(CallKeywords, total=False):
    """Options of `ctx.call` by names.

    key: the id of the object, where the method is "Class.method".
    """

    key: str


class SendKeywords(TypedDict, total=False):
    """Options of `ctx.send`; see there."""

    delay: float | None
    id: str | None


class NamedSendKeywords(SendKeywords, total=False):
    """Options of `ctx.send` by names; `key` as for `ctx.call`."""

    key: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call, checked and encoded."""

    target: Target
    input: Payload
    decode: Callable[[Payload], Any]
    raises: Errors = ()
    options: CallOptions = _NO_OPTIONS
    reuse: bool = True
    is_step: bool = False


def request(
    around: Surroundings, callee: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Request:
    """What a call's arguments ask for: a function of this process, or service and method.

    Raises:
        TypeError: neither of the two, or the arguments do not fit.
        SerializationError, LimitExceededError: the input cannot be encoded.
    """
    if isinstance(callee, str):
        return _by_name(around, callee, args, kwargs)
    definition = definition_of(callee)
    if definition is None:
        raise TypeError(
            f"{_WHERE}: {callee!r} is no durable function, and no service of this process offers "
            "it; decorate it, call it by names (service, method, payload), or use ctx.run"
        )
    options: CallOptions = getattr(callee, "call_options", _NO_OPTIONS)
    id_from = definition.options.id_from
    if id_from is not None and options.id is None:
        options = options.merged({"id": id_from(*args, **kwargs)})
    signature, serializers = definition.signature, around.serializers
    target = target_of(definition, options.service)
    if isinstance(definition, MethodDefinition):
        args, kwargs = without_contexts(definition, args, kwargs, around.body)
        target = Target(target.service, target.method, object_key(callee))
    return Request(
        target,
        signature.bind(args, kwargs, serializers),
        partial(signature.decode_result, serializer=serializers),
        definition.options.raises,
        options,
        definition.options.reuse_on_retry,
        definition.kind is Kind.STEP,
    )


def local_body(callee: Any) -> Definition | None:
    """The definition of a durable function that no other process could find by its name."""
    definition = definition_of(callee)
    if definition is None or not definition.is_durable or not definition.is_local:
        return None
    return None if is_placed(definition) else definition


def issue_call(
    around: Surroundings,
    wanted: Request,
    *,
    timeout: float | None = None,
    retry: RetryPolicy | int | None = None,
    id: str | None = None,
    delay: float | None = None,
    reuse_on_retry: bool | None = None,
) -> DurableFuture[Any]:
    """Issue a call. Raises `InvalidArgumentError` for an option that is not allowed."""
    if delay is not None:
        check_seconds(_WHERE, "delay", delay, zero=True)
    options = wanted.options.merged({"timeout": timeout, "retry": retry, "id": id, "delay": delay})
    command = _issue(around, wanted, options, reuse_on_retry)
    return DurableFuture(command, _Decoder(around, wanted, command))


def issue_send(
    around: Surroundings, wanted: Request, *, delay: float | None = None, id: str | None = None
) -> DurableFuture[str]:
    """Issue a detached call; it gives the new execution's id."""
    if delay is not None:
        check_seconds("ctx.send()", "delay", delay, zero=True)
    options = wanted.options.merged({"delay": delay, "id": id})
    command = _issue(around, wanted, options, None, detached=True)
    return DurableFuture(command, lambda outcome: command.child_id)


def _issue(
    around: Surroundings,
    wanted: Request,
    options: CallOptions,
    reuse: bool | None,
    detached: bool = False,
) -> CommandFuture:
    _check(options)
    caller = around.options
    timeout_ms = optional_milliseconds(_WHERE, "timeout", options.timeout)
    if timeout_ms is None and not detached:
        timeout_ms = caller.step_timeout_ms
    default_retry = DEFAULT_RETRY if wanted.is_step else NO_RETRIES
    if around.body.is_replaying:
        failpoint("mid-replay")
    return around.body.call(
        wanted.target,
        wanted.input,
        timeout_ms=timeout_ms,
        retry=_travelling(options.retry),
        handler_retry=(caller.step_retry or default_retry).core(),
        detached=detached,
        delay_ms=milliseconds(options.delay) if options.delay else 0,
        child_id=options.id or "",
        reuse=(caller.reuse_on_retry and wanted.reuse) if reuse is None else reuse,
    )


class _Decoder:
    """Makes a call's value of its outcome."""

    __slots__ = ("_around", "_command", "_wanted")

    def __init__(self, around: Surroundings, wanted: Request, command: CommandFuture) -> None:
        self._around = around
        self._wanted = wanted
        self._command = command

    def __call__(self, outcome: Outcome) -> Any:
        if isinstance(outcome, Failure):
            serializers, command = self._around.serializers, self._command
            raise call_error(
                outcome, serializers, command.path, command.child_id, self._wanted.raises
            )
        return self._wanted.decode(outcome)


def taken(kwargs: dict[str, Any], *names: str) -> dict[str, Any]:
    """Take the options of these names out of keywords; the rest is the callee's."""
    return {name: kwargs.pop(name) for name in names if kwargs.get(name) is not None}


def _by_name(
    around: Surroundings, service: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Request:
    extra = dict(kwargs)
    payload = extra.pop("payload", None)
    key = extra.pop("key", None)
    if extra:
        raise TypeError(f"{_WHERE} has no option {', '.join(extra)}")
    if not args or not isinstance(args[0], str) or len(args) > (1 if "payload" in kwargs else 2):
        raise TypeError("by name it is ctx.call(service, method, payload=None, *, timeout=None)")
    check_name("service", service)
    target = Target(
        service,
        check_name("method", args[0]),
        "" if key is None else check_name("key", key),
    )
    value = args[1] if len(args) == 2 else payload
    return Request(
        target,
        around.serializers.encode(value, what=f"payload of {target.name()}"),
        partial(around.serializers.decode, what=f"result of {target.name()}"),
    )


def _travelling(retry: RetryPolicy | int | None) -> Retry | None:
    policy = retry_policy(_WHERE, retry)
    if policy is None:
        return None
    if policy.retry_on or policy.non_retryable:
        raise InvalidArgumentError(
            f"{_WHERE}: retry_on and non_retryable name classes of this process, which the "
            "callee's may not have; set them on the callee's decorator"
        )
    return policy.core()


def _check(options: CallOptions) -> None:
    if options.id is not None:
        check_execution_id(options.id)
    for name in _OUTSIDE_ONLY:
        if getattr(options, name) != getattr(_NO_OPTIONS, name):
            raise InvalidArgumentError(f"{_WHERE}: {name} is for starts from outside")
