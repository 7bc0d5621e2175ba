"""The options of a start as they travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypedDict

from perdure.option_checks import dependencies, milliseconds, optional_milliseconds, start_at_ms
from perdure.options import (
    DEFAULT_RETRY,
    CallOptions,
    OnCancelled,
    OnFailed,
    RetryPolicy,
    retry_policy,
)
from perdure_runtime.core.entries import StartOptions


def start_options(options: CallOptions) -> StartOptions:
    """What travels of the options of a start.

    `handler_retry` stands in where the callee has no policy: a handler or a step that is an
    execution of its own is retried three times (semantics, section 3).
    """
    retry = retry_policy("start", options.retry)
    return StartOptions(
        priority=options.priority,
        start_at_ms=start_at_ms(options.start_at),
        delay_ms=milliseconds(options.delay or 0.0),
        execution_timeout_ms=optional_milliseconds("start", "timeout", options.timeout),
        retry=None if retry is None else retry.core(),
        handler_retry=DEFAULT_RETRY.core(),
        metadata=dict(options.metadata),
        labels=dict(options.labels),
        after=dependencies(
            options.after, options.on_dependency_failed, options.on_dependency_cancelled
        ),
    )


class StartKeywords(TypedDict, total=False):
    """Options of a start; see `CallOptions`."""

    id: str | None
    id_policy: Literal["attach", "reject"]
    priority: int
    start_at: datetime | float | None
    delay: float | None
    timeout: float | None
    retry: RetryPolicy | int | None
    service: str | None
    metadata: Mapping[str, str] | None
    labels: Mapping[str, str] | None
    after: Sequence[str]
    on_dependency_failed: OnFailed
    on_dependency_cancelled: OnCancelled
