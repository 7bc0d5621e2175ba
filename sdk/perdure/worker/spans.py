"""Spans of the steps that one activation runs.

A step's span begins with its first try here and is told when its result is known to be in the
journal: so it is told once, by the worker that ran it, and a replay tells nothing. Between the
commit and its acknowledgement lies the one moment where a crash loses a span; none is told twice.
Its id is known before, so what the step does is traced under it.
"""

from __future__ import annotations

import contextvars
import logging
import time
from dataclasses import dataclass, field

from perdure_runtime.core.entries import Command, ExecutionCreated, StepCompleted
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.payload import Failure
from perdure_runtime.core.spans import (
    Span,
    SpanEvent,
    SpanKind,
    execution_attributes,
    failure_event,
    told_of,
)
from perdure_runtime.core.trace import (
    SAMPLED,
    SpanAddress,
    command_span_id,
    root_trace_id,
    work_parent,
)
from perdure_runtime.telemetry import Tracing, tracing
from perdure_runtime.telemetry.context import enter_span

_LOG = logging.getLogger("perdure.worker")


@dataclass(slots=True)
class _Open:
    """A step that has begun here."""

    name: str
    address: SpanAddress
    began_ns: int
    ended_ns: int = 0
    events: list[SpanEvent] = field(default_factory=list)


class StepSpans:
    """Made for an activation when its first step starts, where spans are wanted.

    Args:
        parent: the attempt's span; None where nobody tells it.
    """

    def __init__(
        self,
        created: ExecutionCreated,
        key: ExecutionKey,
        attempt: int,
        trace_id: str,
        parent: SpanAddress | None,
    ) -> None:
        self._created = created
        self._key = key
        self._attempt = attempt
        self._trace_id = trace_id
        self._parent = parent
        self._open: dict[str, _Open] = {}

    def started(self, path: str, name: str, variables: contextvars.Context) -> None:
        """A try begins; what it does in `variables` is traced under the step."""
        step = self._open.get(path)
        if step is None:
            span_id = command_span_id(self._key, self._created.run, self._attempt, path)
            address = SpanAddress(self._trace_id, span_id)
            step = self._open[path] = _Open(name, address, time.time_ns())
        enter_span(variables, step.address, self._created.trace)

    def ended(self, path: str, failure: Failure | None) -> None:
        """A try has ended; whether it was the last is seen in what is recorded."""
        step = self._open.get(path)
        if step is not None:
            step.ended_ns = time.time_ns()
            if failure is not None:
                step.events.append(failure_event(failure, step.ended_ns))

    @property
    def awaits_records(self) -> bool:
        """Whether a try has ended whose result may still be recorded."""
        return any(step.ended_ns for step in self._open.values())

    def recorded(self, command: Command) -> None:
        """A command of this activation is in the journal: a step's span can be told."""
        if not isinstance(command, StepCompleted):
            return
        step = self._open.pop(command.path, None)
        tracer = tracing()
        if step is None or tracer is None:
            return
        try:
            tracer.emit(self._span(step, command))
        except Exception:
            _LOG.exception("the span of step %s cannot be told", step.name)

    def _span(self, step: _Open, command: StepCompleted) -> Span:
        return Span(
            SpanKind.STEP,
            f"step {step.name}",
            step.address,
            self._parent.span_id if self._parent else "",
            step.began_ns,
            step.ended_ns,
            {
                **execution_attributes(self._key.id, self._key.namespace, self._created.run),
                "perdure.attempt": self._attempt,
                "perdure.path": command.path,
                "perdure.step": step.name,
                "perdure.tries": command.tries,
            },
            *told_of(command.failure),
            tuple(step.events),
        )


def step_spans(
    created: ExecutionCreated, key: ExecutionKey, attempt: int, created_ms: int
) -> StepSpans | None:
    """What tells the steps of an activation; None when this process traces nothing."""
    tracer = tracing()
    if tracer is None:
        return None
    place = _place(tracer, created, key, attempt, created_ms)
    return StepSpans(created, key, attempt, *place) if place else None


def enter_attempt(
    created: ExecutionCreated, key: ExecutionKey, attempt: int, variables: contextvars.Context
) -> None:
    """What a plain handler does in `variables` is traced under its attempt."""
    if tracing() is None:
        return
    parent = work_parent(created.trace, key, created.run, attempt)
    if parent is not None:
        enter_span(variables, parent, created.trace)


def _place(
    tracer: Tracing, created: ExecutionCreated, key: ExecutionKey, attempt: int, created_ms: int
) -> tuple[str, SpanAddress | None] | None:
    """Trace and parent of the steps; None when the trace is not sampled."""
    parent = work_parent(created.trace, key, created.run, attempt)
    if parent is not None:
        return (parent.trace_id, parent) if parent.flags & SAMPLED else None
    trace_id = root_trace_id(key, created_ms)
    name = f"attempt {created.target.service}/{created.target.method}"
    return (trace_id, None) if tracer.samples(name, trace_id, None) else None
