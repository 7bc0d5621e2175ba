"""Trace context: W3C values as they rest in the first entry of a journal, and derived span ids.

The id of a span is a pure function of the address of what it stands for, so that a replay, another
worker or a coordinator after a restart would all give it the same one. An execution is *traced*
when the coordinator that created it emitted spans: then its tracestate holds our member, its
`traceparent` is the span of its start (or of the call that made it), and every attempt and call of
it gets a span. Otherwise the caller's context is kept as it came. Nothing here emits anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from perdure_runtime.core.errors import LimitExceededError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.payload import Payload

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"
SAMPLED: Final = 1
MAX_TRACE_FIELDS: Final = 8
MAX_TRACE_CHARS: Final = 8192
MAX_LINKS: Final = 32  # of one attempt
_MEMBER: Final = "perdure="
_NO_SPAN: Final = "0" * 16
_VERSION_CHARS, _TRACE_CHARS, _SPAN_CHARS = 2, 32, 16
_HEX: Final = frozenset("0123456789abcdef")


class SpanAddress(NamedTuple):
    """A span that others refer to: lower-case hex ids, and the trace flags."""

    trace_id: str
    span_id: str
    flags: int = SAMPLED

    @property
    def is_sampled(self) -> bool:
        """Whether spans of the trace are recorded."""
        return bool(self.flags & SAMPLED)

    def traceparent(self) -> str:
        """The W3C header value."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


Links = tuple[SpanAddress, ...]


def parse_traceparent(text: str) -> SpanAddress | None:
    """The address in a `traceparent`; None for what is none, as W3C asks for: it is ignored."""
    parts = text.split("-")
    if len(parts) < 4 or parts[0] == "ff" or (parts[0] == "00" and len(parts) != 4):
        return None
    lengths = (_VERSION_CHARS, _TRACE_CHARS, _SPAN_CHARS, 2)
    for part, length in zip(parts, lengths, strict=False):
        if len(part) != length or not _HEX.issuperset(part):
            return None
    _, trace_id, span_id, flags = parts[:4]
    if trace_id == "0" * _TRACE_CHARS or span_id == _NO_SPAN:
        return None
    return SpanAddress(trace_id, span_id, int(flags, 16))


def parent_of(trace: Mapping[str, str]) -> SpanAddress | None:
    """The span that an execution's first entry names as its parent."""
    text = trace.get(TRACEPARENT)
    return parse_traceparent(text) if text else None


def check_trace(trace: Mapping[str, str]) -> None:
    """Raise LimitExceededError for a trace context that is too large to be kept."""
    if len(trace) > MAX_TRACE_FIELDS:
        raise LimitExceededError(
            f"the trace context has {len(trace)} fields; the limit is {MAX_TRACE_FIELDS}"
        )
    for name, value in trace.items():
        if len(name) + len(value) > MAX_TRACE_CHARS:
            raise LimitExceededError(
                f"the trace context's {name[:40]!r} has {len(value)} characters; "
                f"the limit is {MAX_TRACE_CHARS}"
            )


# --- links -------------------------------------------------------------------------------------


def sender(trace: Mapping[str, str]) -> dict[str, str]:
    """Of a caller's context, what names its span; {} if nothing does."""
    return {} if parent_of(trace) is None else {TRACEPARENT: trace[TRACEPARENT]}


def with_sender(payload: Payload, trace: Mapping[str, str]) -> Payload:
    """An event's or promise's payload that names the span it was sent in, if there is one."""
    named = sender(trace)
    return msgspec.structs.replace(payload, metadata=payload.metadata | named) if named else payload


def linked(links: Links, trace: Mapping[str, str]) -> Links:
    """The links of an attempt, and the one to the span that `trace` names. It may name none."""
    span = parent_of(trace)
    if span is None or span in links or len(links) >= MAX_LINKS:
        return links
    return (*links, span)


# --- ids ---------------------------------------------------------------------------------------


def root_trace_id(key: ExecutionKey, created_ms: int) -> str:
    """The trace of an execution that nobody's trace led to; hex."""
    return _hash(16, b"perdure.trace", key, str(created_ms))


def start_span_id(key: ExecutionKey, run: int) -> str:
    """The span of a run's start; hex."""
    return _hash(8, b"perdure.start", key, str(run))


def attempt_span_id(key: ExecutionKey, run: int, attempt: int) -> str:
    """The span of an attempt; hex."""
    return _hash(8, b"perdure.attempt", key, str(run), str(attempt))


def command_span_id(key: ExecutionKey, run: int, attempt: int, path: str) -> str:
    """The span of a step, call or send; hex."""
    return _hash(8, b"perdure.span", key, str(run), str(attempt), path)


def _hash(size_bytes: int, person: bytes, key: ExecutionKey, *fields: str) -> str:
    state = blake2b(digest_size=size_bytes, person=person)
    for field in (*key, *fields):
        data = field.encode()
        state.update(len(data).to_bytes(4, "big") + data)
    return state.hexdigest()


# --- what executions hand on -------------------------------------------------------------------


def without_member(trace: Mapping[str, str]) -> dict[str, str]:
    """A context from outside, without our own mark: that is for coordinators to set."""
    state = trace.get(TRACESTATE, "")
    if _MEMBER not in state:
        return dict(trace)
    kept = {**trace, TRACESTATE: _others(state)}
    if not kept[TRACESTATE]:
        del kept[TRACESTATE]
    return kept


def traced(trace: Mapping[str, str], span: SpanAddress, caller_span_id: str = "") -> dict[str, str]:
    """The context of a traced execution.

    Args:
        span: of its start or of the call that made it.
        caller_span_id: parent of that span, where the journal of a root has to keep it.
    """
    others = _others(trace.get(TRACESTATE, ""))
    member = f"{_MEMBER}{caller_span_id or _NO_SPAN}"
    state = f"{member},{others}" if others else member
    return {**trace, TRACEPARENT: span.traceparent(), TRACESTATE: state}


def caller_span_id(trace: Mapping[str, str]) -> str | None:
    """What `traced` kept: "" for no caller; None when the execution is not traced."""
    for member in trace.get(TRACESTATE, "").split(","):
        if member.startswith(_MEMBER):
            value = member[len(_MEMBER) :]
            return "" if value == _NO_SPAN else value
    return None


def is_traced(trace: Mapping[str, str]) -> bool:
    """Whether attempts and calls of the execution have spans, sampled or not."""
    return _MEMBER in trace.get(TRACESTATE, "") and caller_span_id(trace) is not None


def is_sampled(trace: Mapping[str, str]) -> bool:
    """Whether the coordinator has spans to emit for the execution."""
    parent = parent_of(trace)
    return parent is not None and parent.is_sampled and is_traced(trace)


def call_trace(
    trace: Mapping[str, str], key: ExecutionKey, run: int, attempt: int, path: str
) -> dict[str, str]:
    """The context of the child of a call: the call's span is its parent, if calls have spans."""
    if not trace:
        return {}
    parent = parent_of(trace) if is_traced(trace) else None
    if parent is None:
        return dict(trace)
    span = SpanAddress(parent.trace_id, command_span_id(key, run, attempt, path), parent.flags)
    return traced(trace, span)


def work_parent(
    trace: Mapping[str, str], key: ExecutionKey, run: int, attempt: int
) -> SpanAddress | None:
    """The parent of spans of what an attempt runs: the attempt's own span, if it has one."""
    parent = parent_of(trace)
    if parent is None or not is_traced(trace):
        return parent
    return SpanAddress(parent.trace_id, attempt_span_id(key, run, attempt), parent.flags)


def _others(state: str) -> str:
    members = (member.strip() for member in state.split(","))
    return ",".join(member for member in members if member and not member.startswith(_MEMBER))
