"""The coordinator's spans: where a trace begins, and what is told after each commit.

Asks the process's OpenTelemetry at every start, so that an application may set it up at any time.
The rules are in `perdure_runtime.core.spans`; an execution without spans costs one look at a flag.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.spans import Span
from perdure_runtime.core.trace import (
    SAMPLED,
    SpanAddress,
    parent_of,
    root_trace_id,
    start_span_id,
    traced,
    without_member,
)
from perdure_runtime.telemetry import tracing

_LOG = logging.getLogger("perdure.coordinator")


def root_trace(
    key: ExecutionKey, run: int, target: str, created_ms: int, trace: dict[str, str]
) -> dict[str, str]:
    """The trace context that a new root keeps in its first entry.

    Args:
        target: `service/method`.
        trace: what its starter sent.
    """
    given = without_member(trace) if trace else {}
    tracer = tracing()
    if tracer is None:
        return given
    caller = parent_of(given)
    trace_id = caller.trace_id if caller else root_trace_id(key, created_ms)
    is_sampled = tracer.samples(f"start {target}", trace_id, caller)
    span = SpanAddress(trace_id, start_span_id(key, run), SAMPLED if is_sampled else 0)
    return traced(given, span, caller.span_id if caller else "")


def tell(spans: Sequence[Span]) -> None:
    """Hand spans over to the exporters. Their failures are theirs: work goes on."""
    tracer = tracing()
    if tracer is None:
        return
    try:
        for span in spans:
            tracer.emit(span)
    except Exception:
        _LOG.exception("spans cannot be told")
