"""Emits spans whose ids are derived, through the process's OpenTelemetry SDK.

OpenTelemetry's API cannot name a span's id; its SDK asks an id generator, which every tracer has.
So our own tracer gets a generator that gives the id of the span at hand. Whether a trace is sampled
is decided once, where it begins, and travels in its flags: the tracer itself samples everything.

What failures and cancels say in words stays here, unless `PERDURE_TRACE_MESSAGES` is set: the texts
of users' exceptions are theirs, and traces go to other places than journals.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from perdure_runtime.core.spans import Span, SpanKind
from perdure_runtime.core.trace import SpanAddress
from perdure_runtime.telemetry.context import span_context

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SCOPE = "perdure"
MESSAGES: Final = "PERDURE_TRACE_MESSAGES"
MAX_STATUS_CHARS: Final = 1_000
_SDK = "opentelemetry.sdk.trace"


class Tracing:
    """The way to one tracer provider. May be used from several threads.

    Args:
        messages: whether what failures and cancels say is told too, beside their types.
    """

    def __init__(self, provider: TracerProvider, *, messages: bool = False) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import Tracer, sampling
        from opentelemetry.sdk.trace.id_generator import IdGenerator

        ids = threading.local()

        class DerivedIds(IdGenerator):
            """The ids of the span at hand."""

            def generate_span_id(self) -> int:
                return int(ids.span_id, 16)

            def generate_trace_id(self) -> int:
                return int(ids.trace_id, 16)

        self.provider = provider
        self._messages = messages
        self._ids = ids
        self._trace = trace
        self._sampler = provider.sampler
        self._sampled = sampling.Decision.RECORD_AND_SAMPLE
        tracer = provider.get_tracer(SCOPE)
        self._tracer = tracer if isinstance(tracer, Tracer) else None  # none: it is disabled
        if self._tracer is not None:
            self._tracer.id_generator = DerivedIds()
            self._tracer.sampler = sampling.ALWAYS_ON

    def samples(self, name: str, trace_id: str, parent: SpanAddress | None) -> bool:
        """Whether the trace that begins here, or is led here by a caller, is recorded."""
        from opentelemetry.context import Context

        context = Context()
        if parent is not None:
            span = self._trace.NonRecordingSpan(span_context(parent))
            context = self._trace.set_span_in_context(span, context)
        result = self._sampler.should_sample(context, int(trace_id, 16), name)
        return result.decision is self._sampled

    def emit(self, span: Span) -> None:
        """Hand a span over to the exporters."""
        if self._tracer is None:
            return
        trace, address, ids = self._trace, span.address, self._ids
        ids.trace_id, ids.span_id = address.trace_id, address.span_id
        from opentelemetry.context import Context

        context = Context()
        if span.parent_span_id:
            parent = SpanAddress(address.trace_id, span.parent_span_id, address.flags)
            made_of = trace.NonRecordingSpan(span_context(parent))
            context = trace.set_span_in_context(made_of, context)
        started = self._tracer.start_span(
            span.name,
            context,
            _kind(trace, span.kind),
            span.attributes,
            [trace.Link(span_context(link)) for link in span.links],
            span.start_ns,
            record_exception=False,
        )
        for event in span.events:
            attributes = event.attributes
            if self._messages:
                attributes = {**attributes, **event.texts}
            started.add_event(event.name, attributes, event.time_ns)
        if span.error:
            text = f"{span.error}: {span.message}" if self._messages else span.error
            started.set_status(trace.StatusCode.ERROR, text[:MAX_STATUS_CHARS])
        started.end(max(span.end_ns, span.start_ns))


def _kind(trace: Any, kind: SpanKind) -> Any:
    match kind:
        case SpanKind.START | SpanKind.SEND:
            return trace.SpanKind.PRODUCER
        case SpanKind.CALL:
            return trace.SpanKind.CLIENT
        case SpanKind.STEP:
            return trace.SpanKind.INTERNAL
        case SpanKind.ATTEMPT | SpanKind.OBJECT:
            return trace.SpanKind.CONSUMER


def _asked_for(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


_current: Tracing | None = None


def tracing() -> Tracing | None:
    """The way to the process's tracer provider; None when it has none of OpenTelemetry's SDK."""
    global _current
    sdk = sys.modules.get(_SDK)
    if sdk is None:
        return None
    from opentelemetry.trace import get_tracer_provider

    provider = get_tracer_provider()
    if _current is None or _current.provider is not provider:
        if not isinstance(provider, sdk.TracerProvider):
            return None
        _current = Tracing(provider, messages=_asked_for(MESSAGES))
    return _current
