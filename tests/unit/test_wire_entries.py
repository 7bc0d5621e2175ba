"""What the wire layer promises beside round trips: compact bytes, typed errors, nothing skipped."""

from __future__ import annotations

import pytest

from perdure_proto.v1 import journal_pb2
from perdure_runtime.core.entries import CallCompleted, Recorded, StepCompleted
from perdure_runtime.core.errors import ProtocolError, SerializationError
from perdure_runtime.core.messages import Heartbeat, Hello, Mismatch
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.wire.v1.entries import decode_entry, encode_entry, fill_recorded
from perdure_runtime.wire.v1.frames import (
    CoordinatorFrame,
    WorkerFrame,
    decode_coordinator_frame,
    decode_worker_frame,
    encode_worker_frame,
)

STEP = StepCompleted("0.1:3", "fetch_user", b"d" * 16, b"k" * 16, result=Payload(b"r" * 20))
UNKNOWN_KIND = bytes.fromhex("aa0602" + "0801")  # field 101, a message


def test_a_small_step_takes_at_most_90_bytes_beside_its_result() -> None:
    assert len(encode_entry(STEP)) - 20 <= 90


def test_stored_bytes_and_what_travels_differ_in_index_and_time_only() -> None:
    message = journal_pb2.Entry()
    fill_recorded(message, Recorded(7, 1_700_000_000_000, STEP))
    place = journal_pb2.Entry(index=7, time_ms=1_700_000_000_000).SerializeToString()
    assert journal_pb2.Entry.FromString(encode_entry(STEP) + place) == message


def test_an_unknown_entry_kind_is_an_error_that_names_the_field() -> None:
    with pytest.raises(ProtocolError, match=r"unknown kind \(field 101\); upgrade"):
        decode_entry(UNKNOWN_KIND)


def test_an_entry_without_a_kind_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="no kind"):
        decode_entry(b"")


def test_damaged_bytes_are_an_error() -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        decode_entry(encode_entry(STEP)[:-3])


def test_an_unknown_message_kind_spoils_the_whole_frame() -> None:
    heartbeat = encode_worker_frame([Heartbeat()]).SerializeToString()
    unknown = heartbeat + b"\x0a" + bytes([len(UNKNOWN_KIND)]) + UNKNOWN_KIND
    with pytest.raises(ProtocolError, match="worker message of an unknown kind"):
        decode_worker_frame(WorkerFrame.FromString(unknown))
    with pytest.raises(ProtocolError, match="coordinator message of an unknown kind"):
        decode_coordinator_frame(CoordinatorFrame.FromString(unknown))


def test_an_unknown_entry_kind_inside_an_append_is_an_error() -> None:
    frame = WorkerFrame()
    frame.messages.add().append.commands.add().MergeFromString(UNKNOWN_KIND)
    with pytest.raises(ProtocolError, match="journal entry of an unknown kind"):
        decode_worker_frame(frame)


def test_a_delivery_of_no_known_kind_is_an_error() -> None:
    frame = CoordinatorFrame()
    frame.messages.add().entries.items.add()
    with pytest.raises(ProtocolError, match="neither"):
        decode_coordinator_frame(frame)


def test_two_outcomes_at_once_are_refused_rather_than_one_lost() -> None:
    both = CallCompleted("0:1", 1, Payload(b"1"), Failure("Oops", ""))
    with pytest.raises(ProtocolError, match="a result and a failure"):
        encode_entry(both)


def test_a_completion_without_an_outcome_is_refused() -> None:
    message = journal_pb2.Entry()
    message.call_completed.path = "0:1"
    with pytest.raises(ProtocolError, match="neither a result nor a failure"):
        decode_entry(message.SerializeToString())


def test_a_result_of_no_bytes_is_not_the_absence_of_a_result() -> None:
    empty = CallCompleted("0:1", 1, result=Payload(b""))
    assert decode_entry(encode_entry(empty)) == empty


@pytest.mark.parametrize(
    "result",
    [
        Payload(b"x", "cloudpickle"),
        Payload(b"1", digest=b"d" * 16),
        Payload(b"1", metadata={"codec": "zstd"}),
    ],
)
def test_the_short_form_never_drops_encoding_digest_or_metadata(result: Payload) -> None:
    entry = CallCompleted("0:1", 1, result=result)
    assert decode_entry(encode_entry(entry)) == entry


def test_a_reader_takes_the_long_form_of_plain_json() -> None:
    message = journal_pb2.Entry()
    message.call_completed.path = "0:1"
    message.call_completed.result.data = b"1"
    entry = decode_entry(message.SerializeToString())
    assert entry == CallCompleted("0:1", 0, result=Payload(b"1"))


def test_a_chain_of_a_thousand_causes_comes_back_whole() -> None:
    failure = Failure("E", "0")
    for number in range(1, 1000):
        failure = Failure("E", str(number), cause=failure)
    entry = decode_entry(encode_entry(CallCompleted("0:1", 1, failure=failure)))
    assert isinstance(entry, CallCompleted)
    messages = []
    cause = entry.failure
    while cause is not None:
        messages.append(cause.message)
        cause = cause.cause
    assert messages == [str(number) for number in range(999, -1, -1)]


def test_a_failure_of_another_language_needs_a_type_and_a_message_only() -> None:
    message = journal_pb2.Entry()
    message.call_completed.failure.type_name = "RangeError"
    message.call_completed.failure.message = "too far"
    entry = decode_entry(message.SerializeToString())
    failure = Failure("RangeError", "too far", FailureCode.APPLICATION, retryable=True)
    assert entry == CallCompleted("", 0, failure=failure)


def test_an_unknown_failure_code_is_an_error() -> None:
    message = journal_pb2.Entry()
    message.call_completed.failure.code = 99  # type: ignore[assignment] # a newer peer's
    with pytest.raises(ProtocolError, match="failure code 99"):
        decode_entry(message.SerializeToString())


def test_a_lone_surrogate_in_a_text_for_people_is_escaped() -> None:
    entry = CallCompleted("0:1", 1, failure=Failure("E", "bad \udc80 name"))
    decoded = decode_entry(encode_entry(entry))
    assert isinstance(decoded, CallCompleted)
    assert decoded.failure is not None
    assert decoded.failure.message == "bad \\udc80 name"
    frame = encode_worker_frame([Mismatch(1, "\ud800")])
    assert decode_worker_frame(frame) == [Mismatch(1, "\\ud800")]


def test_a_lone_surrogate_in_a_name_is_a_serialization_error() -> None:
    with pytest.raises(SerializationError, match="StepCompleted cannot be sent"):
        encode_entry(StepCompleted("0:1", "\ud800", b"", b"", result=Payload(b"1")))


def test_a_number_out_of_range_is_a_serialization_error() -> None:
    with pytest.raises(SerializationError, match="Hello cannot be sent"):
        encode_worker_frame([Hello("w", "default", (), slots=2**63)])


def test_a_value_that_is_no_message_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="StepCompleted is no worker message"):
        encode_worker_frame([STEP])  # type: ignore[list-item] # what is tested


def test_an_empty_namespace_is_the_default_one() -> None:
    frame = WorkerFrame()
    frame.messages.add().hello.worker_id = "node-1"
    hello = decode_worker_frame(frame)[0]
    assert isinstance(hello, Hello)
    assert hello.namespace == "default"
