"""`ctx.run`: a plain callable whose result is recorded (semantics, sections 3 and 5).

Issues the step and decodes its outcome. Running the callable is the worker's part: it gets a
`StepSpec`.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from perdure.context.failures import step_error
from perdure.context.future import DurableFuture, Outcome
from perdure.context.surroundings import Surroundings
from perdure.decorators.shape import looks_durable
from perdure.definition import Definition
from perdure.option_checks import optional_milliseconds
from perdure.options import NO_RETRIES, RetryPolicy, retry_policy
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.payload import Failure
from perdure_runtime.failpoints import failpoint
from perdure_runtime.loop import outside_of_slice
from perdure_runtime.serde import Signature, StepInput, signature_of, step_input

_LOG = logging.getLogger("perdure.execution")
_WHERE: Final = "ctx.run()"
_warned: Final[set[tuple[str, str]]] = set()


class StepSpec(Struct, frozen=True):
    """All that a worker needs to run a step.

    Args:
        retry: when and how often it is tried again.
        timeout_ms: for one try.
        variables: the context variables at the place where it was issued.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    retry: RetryPolicy
    timeout_ms: int | None
    variables: contextvars.Context


class StepOptions(Struct, frozen=True):
    """What one `ctx.run` may say; None leaves it to the step, then to the flow."""

    name: str | None = None
    timeout: float | None = None
    retry: RetryPolicy | int | None = None
    at_most_once: bool | None = None
    reuse_on_retry: bool | None = None


def issue_step(
    around: Surroundings,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    given: StepOptions,
) -> DurableFuture[Any]:
    """Issue a step of a plain callable or a `@durable.step`.

    Raises:
        TypeError: it is not callable, takes a context, or the arguments do not fit.
        ValueError: a lambda without a name.
        InvalidArgumentError: an option is not allowed.
    """
    definition = getattr(function, "definition", None)
    if not isinstance(definition, Definition):
        definition = None
    plain = _plain(function, definition)
    options = around.options
    name, retry, timeout_ms = given.name, options.step_retry, options.step_timeout_ms
    at_most_once, reuse = bool(given.at_most_once), options.reuse_on_retry
    if definition is not None:
        own = definition.options
        if name is None and definition.name != getattr(plain, "__name__", None):
            name = definition.name
        retry = own.retry or retry
        timeout_ms = own.attempt_timeout_ms or timeout_ms
        reuse = reuse and own.reuse_on_retry
        at_most_once = own.at_most_once if given.at_most_once is None else at_most_once
    if given.timeout is not None:
        timeout_ms = optional_milliseconds(_WHERE, "timeout", given.timeout)
    if given.retry is not None:
        retry = retry_policy(_WHERE, given.retry)
    if given.reuse_on_retry is not None:
        reuse = given.reuse_on_retry
    identity = step_input(plain, args, kwargs, name)
    check_name("step", identity.name)
    if identity.digest is None:
        _warn_of_no_digest(around, identity)
    spec = StepSpec(
        plain, args, kwargs, retry or NO_RETRIES, timeout_ms, contextvars.copy_context()
    )
    if around.body.is_replaying:
        failpoint("mid-replay")
    command = around.body.step(
        identity.name, identity.digest or b"", spec, reuse=reuse, at_most_once=at_most_once
    )
    return DurableFuture(command, _Decoder(around, plain, command.path))


class _Decoder:
    """Makes a step's value of its outcome."""

    __slots__ = ("_around", "_path", "_plain")

    def __init__(self, around: Surroundings, plain: Callable[..., Any], path: str) -> None:
        self._around = around
        self._plain = plain
        self._path = path

    def __call__(self, outcome: Outcome) -> Any:
        serializers = self._around.serializers
        if isinstance(outcome, Failure):
            raise step_error(outcome, serializers, self._path)
        return serializers.decode(outcome, result_hint(self._plain), what="result of a step")


def result_hint(function: Callable[..., Any]) -> Any:
    """The return hint of any callable; `Any` for those that tell nothing about themselves."""
    signature = _signature(function)
    return Any if signature is None else signature.result_hint


def _signature(function: Callable[..., Any]) -> Signature | None:
    try:
        return signature_of(function)
    except (TypeError, ValueError):  # a builtin that does not tell its parameters
        return None


def _plain(function: Callable[..., Any], definition: Definition | None) -> Callable[..., Any]:
    if definition is not None:
        if definition.is_durable:
            raise TypeError(
                f"{_WHERE}: {definition.name} is durable itself; await it, or use ctx.call"
            )
        return definition.function
    if not callable(function):
        raise TypeError(f"{_WHERE} takes a callable, not {function!r}")
    if looks_durable(function):
        raise TypeError(
            f"{_WHERE}: {getattr(function, '__name__', function)}() takes a context; decorate it "
            "with @durable.function and await it, or run it as a branch with ctx.spawn"
        )
    return function


def _warn_of_no_digest(around: Surroundings, identity: StepInput) -> None:
    known = (identity.code, identity.unencodable or "")
    if around.body.is_replaying or known in _warned:
        return
    _warned.add(known)
    with outside_of_slice():
        _LOG.warning(
            "step %s: %s cannot be encoded (%s), so a later attempt runs the step again instead of "
            "taking over its result, under another idempotency key",
            identity.name,
            identity.unencodable,
            identity.reason,
        )
