"""Trace context across the boundary of the process: what a start hands on, what a step runs in."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure_runtime.core.trace import BAGGAGE, TRACESTATE, SpanAddress

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext


def current_trace() -> dict[str, str]:
    """The caller's trace context in W3C form (traceparent, tracestate, baggage); {} for none."""
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.trace import get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    if get_current_span().get_span_context().is_valid:
        TraceContextTextMapPropagator().inject(carrier)
    W3CBaggagePropagator().inject(carrier)
    return carrier


def enter_span(
    variables: contextvars.Context, address: SpanAddress, trace: Mapping[str, str]
) -> None:
    """Make a span that is told later the current one of `variables`: user spans nest under it.

    Args:
        trace: the execution's, for its tracestate and baggage.
    """
    from opentelemetry import context
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    span = NonRecordingSpan(span_context(address, trace.get(TRACESTATE, "")))

    def enter() -> None:
        entered = set_span_in_context(span)
        if BAGGAGE in trace:
            entered = W3CBaggagePropagator().extract(dict(trace), context=entered)
        context.attach(entered)

    variables.run(enter)


def span_context(address: SpanAddress, tracestate: str = "") -> SpanContext:
    """An address as OpenTelemetry has it."""
    from opentelemetry.trace import SpanContext, TraceFlags, TraceState

    return SpanContext(
        int(address.trace_id, 16),
        int(address.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(address.flags),
        trace_state=TraceState.from_header([tracestate]) if tracestate else TraceState(),
    )
