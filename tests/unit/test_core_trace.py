"""W3C trace context, derived ids, and what is handed from an execution to its children."""

from __future__ import annotations

import pytest

from perdure_runtime.core.errors import LimitExceededError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.trace import (
    SpanAddress,
    attempt_span_id,
    call_trace,
    caller_span_id,
    check_trace,
    command_span_id,
    is_sampled,
    is_traced,
    parse_traceparent,
    root_trace_id,
    start_span_id,
    traced,
    without_member,
    work_parent,
)

KEY = ExecutionKey("default", "a")
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = SpanAddress(TRACE, "b7ad6b7169203331")
GIVEN = {"traceparent": CALLER.traceparent(), "tracestate": "other=1", "baggage": "tenant=7"}


def test_a_traceparent_is_read_and_written() -> None:
    assert parse_traceparent(f"00-{TRACE}-b7ad6b7169203331-01") == CALLER
    assert parse_traceparent(CALLER.traceparent()) == CALLER
    assert parse_traceparent(f"cc-{TRACE}-b7ad6b7169203331-01-what-the-future-adds") == CALLER


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-01-more",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-b7ad6b71692033-01",
        f"00-{TRACE}-b7ad6b7169203331-é1",
    ],
)
def test_what_is_no_traceparent_is_ignored(text: str) -> None:
    assert parse_traceparent(text) is None


def test_ids_never_change() -> None:
    """They rest in journals and in tracing systems."""
    assert root_trace_id(KEY, 1_000) == "e734af8bdaed8ce678de97dde597312a"
    assert start_span_id(KEY, 1) == "7c4593585fd4faaa"
    assert attempt_span_id(KEY, 1, 2) == "7150e64f4c022aa9"
    assert command_span_id(KEY, 1, 2, "0:3") == "ff5c4fc99f498c23"


def test_addresses_do_not_collide() -> None:
    ids = {
        start_span_id(KEY, 1),
        start_span_id(KEY, 2),
        start_span_id(ExecutionKey("default", "b"), 1),
        attempt_span_id(KEY, 1, 1),
        attempt_span_id(KEY, 1, 2),
        command_span_id(KEY, 1, 1, "0:1"),
        command_span_id(KEY, 1, 2, "0:1"),
        command_span_id(KEY, 1, 1, "0:2"),
        command_span_id(ExecutionKey("defaulta", ""), 1, 1, "0:1"),
    }
    assert len(ids) == 9


def test_a_traced_root_keeps_its_caller_and_what_others_wrote() -> None:
    span = SpanAddress(TRACE, start_span_id(KEY, 1))
    trace = traced(GIVEN, span, CALLER.span_id)
    assert is_traced(trace)
    assert is_sampled(trace)
    assert caller_span_id(trace) == CALLER.span_id
    assert trace["traceparent"] == span.traceparent()
    assert trace["tracestate"].endswith(",other=1")
    assert trace["baggage"] == "tenant=7"


def test_a_child_of_a_traced_execution_has_the_calls_span_as_parent() -> None:
    trace = traced(GIVEN, SpanAddress(TRACE, start_span_id(KEY, 1), 0), CALLER.span_id)
    child = call_trace(trace, KEY, 1, 2, "0:3")
    assert child["traceparent"] == f"00-{TRACE}-{command_span_id(KEY, 1, 2, '0:3')}-00"
    assert child["baggage"] == "tenant=7"
    assert caller_span_id(child) == ""
    assert not is_sampled(child)


def test_without_spans_the_callers_context_goes_to_the_children_as_it_is() -> None:
    assert call_trace(GIVEN, KEY, 1, 1, "0:1") == GIVEN
    assert call_trace({}, KEY, 1, 1, "0:1") == {}
    assert work_parent(GIVEN, KEY, 1, 1) == CALLER
    assert work_parent({}, KEY, 1, 1) is None


def test_what_an_attempt_does_is_under_the_attempt() -> None:
    trace = traced({}, SpanAddress(TRACE, start_span_id(KEY, 1)))
    assert work_parent(trace, KEY, 1, 2) == SpanAddress(TRACE, attempt_span_id(KEY, 1, 2))


def test_a_mark_from_outside_counts_for_nothing() -> None:
    """A worker that hands on what it saw in a first entry must not pass for a coordinator."""
    trace = traced(GIVEN, CALLER)
    assert without_member(trace) == GIVEN
    assert "tracestate" not in without_member(traced({}, CALLER))


def test_a_context_beyond_the_limits_is_refused() -> None:
    check_trace(GIVEN)
    with pytest.raises(LimitExceededError, match="9 fields; the limit is 8"):
        check_trace({str(n): "" for n in range(9)})
    with pytest.raises(LimitExceededError, match="'baggage' has 9000 characters"):
        check_trace({"baggage": "x" * 9000})
