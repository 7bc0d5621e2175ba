"""Laws of the wire layer: every value of every kind comes back as it was, through bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from perdure_proto.v1 import client_pb2, journal_pb2, worker_pb2
from perdure_runtime.core.client import (
    ControlReply,
    ControlRequest,
    Description,
    ListReply,
    ListRequest,
    MethodInfo,
    Outcome,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
    WorkerInfo,
)
from perdure_runtime.core.entries import COMMANDS, Entry, Recorded
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.messages import (
    Activate,
    Append,
    CoordinatorMessage,
    Journal,
    WorkerMessage,
)
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest
from perdure_runtime.storage import StoredEntry
from perdure_runtime.wire.v1 import admin, client, events
from perdure_runtime.wire.v1.client_requests import HistoryRequest
from perdure_runtime.wire.v1.entries import ENTRIES, decode_entry, encode_entry
from perdure_runtime.wire.v1.frames import (
    COORDINATOR_MESSAGES,
    WORKER_MESSAGES,
    CoordinatorFrame,
    WorkerFrame,
    decode_coordinator_frame,
    decode_worker_frame,
    encode_coordinator_frame,
    encode_worker_frame,
)
from perdure_runtime.wire.v1.kinds import KindTable
from perdure_runtime.wire.v1.pages import StoredPage
from tests.property.wire_values import RECORDED, TEXT, union_members, values_of

EXAMPLES = settings(max_examples=25)
KEYS = values_of(ExecutionKey)
STATE = st.dictionaries(TEXT, values_of(Payload), max_size=3)


@pytest.mark.parametrize("kind", union_members(Entry), ids=lambda kind: kind.__name__)
@EXAMPLES
@given(data=st.data())
def test_every_entry_kind_comes_back_from_its_bytes(kind: type, data: st.DataObject) -> None:
    entry = data.draw(values_of(kind))
    stored = encode_entry(entry)
    assert decode_entry(stored) == entry
    assert encode_entry(decode_entry(stored)) == stored


@pytest.mark.parametrize("kind", union_members(WorkerMessage), ids=lambda kind: kind.__name__)
@EXAMPLES
@given(data=st.data())
def test_every_worker_message_comes_back_from_its_frame(kind: type, data: st.DataObject) -> None:
    messages = data.draw(st.lists(values_of(kind), max_size=3))
    binary = encode_worker_frame(messages).SerializeToString()
    assert decode_worker_frame(WorkerFrame.FromString(binary)) == messages


@pytest.mark.parametrize("kind", union_members(CoordinatorMessage), ids=lambda kind: kind.__name__)
@EXAMPLES
@given(data=st.data())
def test_every_coordinator_message_comes_back_from_its_frame(
    kind: type, data: st.DataObject
) -> None:
    messages = data.draw(st.lists(values_of(kind), max_size=3))
    binary = encode_coordinator_frame(messages).SerializeToString()
    assert decode_coordinator_frame(CoordinatorFrame.FromString(binary)) == messages


@pytest.mark.parametrize(
    ("value_type", "encode", "decode"),
    [
        (StartRequest, client.encode_start_request, client.decode_start_request),
        (StartReply, client.encode_start_reply, client.decode_start_reply),
        (Description, client.encode_description, client.decode_description),
        (Outcome, client.encode_wait_reply, client.decode_wait_reply),
        (ListRequest, client.encode_list_request, client.decode_list_request),
        (ListReply, client.encode_list_reply, client.decode_list_reply),
        (ControlRequest, client.encode_control_request, client.decode_control_request),
        (ControlReply, client.encode_control_reply, client.decode_control_reply),
        (SendEventRequest, client.encode_send_event, events.read_send_event_request),
        (SettlePromiseRequest, client.encode_settle_promise, events.read_settle_request),
        (SettlePromiseReply, client.encode_settle_reply, events.read_settle_reply),
        (ScheduleRequest, client.encode_schedule_request, client.decode_schedule_request),
        (ScheduleReply, client.encode_schedule_reply, client.decode_schedule_reply),
        (HistoryRequest, client.encode_history_request, client.decode_history_request),
        (ExecutionKey, client.encode_describe_request, client.decode_describe_request),
        (ExecutionKey, client.encode_wait_request, client.decode_wait_request),
        (ExecutionKey, client.encode_read_state_request, client.decode_read_state_request),
        (ObjectKey, client.encode_object_request, client.decode_object_request),
        (Payload, client.encode_object_state, client.decode_object_state),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
@EXAMPLES
@given(data=st.data())
def test_every_client_message_comes_back(
    value_type: type, encode: Any, decode: Any, data: st.DataObject
) -> None:
    value = data.draw(values_of(value_type))
    message = encode(value)
    assert decode(type(message).FromString(message.SerializeToString())) == value


@EXAMPLES
@given(STATE, st.lists(RECORDED, max_size=3), st.lists(values_of(StartRequest), max_size=2))
def test_states_pages_and_batches_come_back(
    state: dict[str, Payload], page: list[Any], starts: list[StartRequest]
) -> None:
    assert client.decode_state(client.encode_state(state)) == state
    assert list(client.decode_history_page(client.encode_history_page(page))) == page
    assert client.decode_start_batch(client.encode_start_batch(starts)) == starts


@EXAMPLES
@given(st.lists(values_of(WorkerInfo), max_size=2), st.lists(values_of(MethodInfo), max_size=2))
def test_admin_replies_come_back(workers: list[WorkerInfo], methods: list[MethodInfo]) -> None:
    assert admin.decode_workers(admin.encode_workers(workers)) == workers
    assert admin.decode_methods(admin.encode_methods(methods)) == methods


NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)


@pytest.mark.parametrize(
    "kind", union_members(client.ClientRequest), ids=lambda kind: kind.__name__
)
@EXAMPLES
@given(data=st.data())
def test_every_request_of_a_client_session_comes_back(kind: type, data: st.DataObject) -> None:
    numbered = data.draw(st.lists(st.tuples(NUMBERS, values_of(kind)), max_size=3))
    binary = client.encode_client_frame(numbered).SerializeToString()
    assert client.decode_client_frame(client.ClientFrame.FromString(binary)) == numbered


@pytest.mark.parametrize(
    "kind",
    [kind for kind in union_members(client.ClientReply) if kind is not PerdureError],
    ids=lambda kind: kind.__name__,
)
@EXAMPLES
@given(data=st.data())
def test_every_reply_of_a_client_session_comes_back(kind: type, data: st.DataObject) -> None:
    numbered = data.draw(st.lists(st.tuples(NUMBERS, values_of(kind)), max_size=3))
    binary = client.encode_reply_frame(numbered).SerializeToString()
    assert client.decode_reply_frame(client.ClientReplyFrame.FromString(binary)) == numbered


@pytest.mark.parametrize(
    ("table", "union", "message"),
    [
        (ENTRIES, Entry, journal_pb2.Entry),
        (WORKER_MESSAGES, WorkerMessage, worker_pb2.WorkerMessage),
        (COORDINATOR_MESSAGES, CoordinatorMessage, worker_pb2.CoordinatorMessage),
        (client.REQUESTS, client.ClientRequest, client_pb2.ClientRequest),
        (client.REPLIES, client.ClientReply, client_pb2.ClientReply),
    ],
    ids=["entries", "worker", "coordinator", "requests", "replies"],
)
def test_each_table_has_every_kind_of_core_and_of_the_contract(
    table: KindTable, union: Any, message: Any
) -> None:
    assert set(table.by_type) == set(union_members(union))
    members = {field.name for field in message.DESCRIPTOR.oneofs_by_name[table.oneof].fields}
    assert set(table.by_field) == members


@EXAMPLES
@given(st.binary(max_size=60))
def test_garbage_is_an_entry_or_a_perdure_error(garbage: bytes) -> None:
    try:
        entry = decode_entry(garbage)
    except PerdureError:
        return
    assert type(entry) in ENTRIES.by_type


@EXAMPLES
@given(RECORDED)
def test_workers_may_append_commands_only(recorded: Any) -> None:
    frame = WorkerFrame()
    ENTRIES.fill(frame.messages.add().append.commands.add(), recorded.entry)
    if isinstance(recorded.entry, COMMANDS):
        assert decode_worker_frame(frame) == [Append(0, 0, 0, (recorded.entry,))]
    else:
        with pytest.raises(PerdureError, match="may not write"):
            decode_worker_frame(frame)


@EXAMPLES
@given(head=values_of(Activate) | values_of(Journal), recorded=st.lists(RECORDED, max_size=4))
def test_a_stored_page_is_the_message_that_its_entries_make(
    head: Activate | Journal, recorded: list[Recorded]
) -> None:
    empty = replace(head, entries=())
    stored = [
        StoredEntry(ExecutionKey("default", "a"), r.index, r.time_ms, b"", encode_entry(r.entry))
        for r in recorded
    ]
    page = StoredPage(empty, stored)
    whole = replace(head, entries=tuple(recorded))
    assert page.opened() == whole
    frame = CoordinatorFrame.FromString(page.encoded())
    assert decode_coordinator_frame(frame) == decode_coordinator_frame(
        encode_coordinator_frame([whole])
    )
