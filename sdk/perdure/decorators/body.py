"""What functions and flows share: their options and how a definition is made of a body."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from perdure.decorators.durable_function import DurableFunction
from perdure.decorators.shape import check_ambient, check_body
from perdure.definition import Definition, Kind
from perdure.option_checks import (
    check_count,
    check_flag,
    check_on_exhausted,
    check_state_scope,
    error_classes,
    optional_milliseconds,
)
from perdure.options import Options, RetryPolicy, checked_limits, choose_retry
from perdure.registry import REGISTRY
from perdure_runtime.core.errors import InvalidArgumentError, NotDeterministicWarning

Decorate = Callable[[Callable[..., Any]], DurableFunction[..., Any]]


def named_retry(where: str, given: Mapping[str, Any]) -> RetryPolicy | None:
    """The policy that the keywords of a decorator name, None when they name none."""
    return choose_retry(
        where,
        retry=given.get("retry"),
        max_retries=given.get("max_retries"),
        retry_delay=given.get("retry_delay"),
        retry_on=error_classes(where, "retry_on", given.get("retry_on", ())),
        non_retryable=error_classes(where, "non_retryable", given.get("non_retryable", ())),
    )


def body_options(
    where: str,
    given: Mapping[str, Any],
    *,
    retry: RetryPolicy,
    attempt_timeout_ms: int | None = None,
    step_retry: RetryPolicy | None = None,
    step_timeout_ms: int | None = None,
    max_concurrent_steps: int | None = None,
) -> Options:
    """The checked options of a function or flow. Raises `InvalidArgumentError`.

    Args:
        max_concurrent_steps: the default.
    """
    limit = given.get("max_concurrent_steps", max_concurrent_steps)
    if limit is not None:
        check_count(where, "max_concurrent_steps", limit, minimum=1)
    most, rate_limit = checked_limits(where, given.get("max_concurrency"), given.get("rate_limit"))
    id_from = given.get("id_from")
    if id_from is not None and not callable(id_from):
        raise InvalidArgumentError(f"{where}: id_from must be callable, not {id_from!r}")
    return Options(
        retry=retry,
        attempt_timeout_ms=attempt_timeout_ms,
        execution_timeout_ms=optional_milliseconds(
            where, "execution_timeout", given.get("execution_timeout")
        ),
        step_retry=step_retry,
        step_timeout_ms=step_timeout_ms,
        on_exhausted=check_on_exhausted(where, given.get("on_exhausted", "fail")),
        deterministic=check_flag(where, "deterministic", given.get("deterministic", True)),
        state_scope=check_state_scope(where, given.get("state_scope", "execution")),
        checkpoint_interval=check_count(
            where, "checkpoint_interval", given.get("checkpoint_interval", 1), minimum=1
        ),
        max_concurrent_steps=limit,
        reuse_on_retry=check_flag(where, "reuse_on_retry", given.get("reuse_on_retry", True)),
        raises=error_classes(where, "raises", given.get("raises", ())),
        id_from=id_from,
        max_concurrency=most,
        rate_limit=rate_limit,
    )


def make_durable(
    where: str,
    kind: Kind,
    options: Options,
    given: Mapping[str, Any],
    *,
    adapt: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None,
) -> Decorate:
    """The decorator itself: checks the body, registers it, wraps it.

    Args:
        adapt: for bodies without a context parameter: makes a coroutine function of each.
    """

    def decorate(body: Callable[..., Any]) -> DurableFunction[..., Any]:
        if adapt is None:
            check_body(where, body)
        else:
            check_ambient(where, body)
            body = adapt(body)
        definition = Definition(
            kind,
            given.get("name") or body.__name__,
            body,
            options,
            service=given.get("service"),
            version=given.get("version", ""),
            takes_context=adapt is None,
        )
        if options.deterministic:
            warn_of_clocks(body)
        REGISTRY.add(definition)
        return DurableFunction(definition)

    return decorate


def warn_of_clocks(body: Callable[..., Any]) -> None:
    """Warn of calls such as `datetime.now()` in a body, which no replay can repeat."""
    from perdure_runtime.loop import find_time_calls

    for call in find_time_calls(body):
        warnings.warn_explicit(
            f"{call.name} in {body.__qualname__}() differs when the body is replayed; use "
            "ctx.now()",
            NotDeterministicWarning,
            call.file,
            call.line,
        )
